//! Which distribution needs which: what their METADATA requires (`Requires-Dist`), where it counts on one of the Pythons
//! and platforms that the file runs on.

use std::collections::{BTreeMap, BTreeSet};

use crate::evidence::{Facts, Manifest, ManifestWheel, RecipeInput};
use crate::names::{ExtraName, PackageName};
use crate::target::{Marker, Platform, PythonMinor, Requirement, Variable, applies_on};

/// The edges between the distributions, which are told by their place in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edges {
    /// What the application itself needs: its inputs, and what nothing else reaches.
    pub(super) direct: BTreeSet<usize>,
    /// What each distribution needs.
    pub(super) of: Vec<BTreeSet<usize>>,
}

impl Edges {
    /// The edges, with the extras that the inputs, the recipe and other distributions ask for.
    pub(super) fn of(facts: &Facts) -> Self {
        let manifest = &facts.manifest;
        let places = Places::of(manifest);
        let by_name: BTreeMap<&PackageName, usize> =
            manifest.wheels.iter().enumerate().map(|(index, wheel)| (&wheel.name, index)).collect();
        let mut walk = Walk {
            places,
            extras: vec![BTreeSet::new(); manifest.wheels.len()],
            open: facts
                .distributions
                .iter()
                .map(|distribution| {
                    // A text twice is one requirement.
                    let texts: BTreeSet<&str> = distribution.all("requires-dist").collect();
                    let read = texts.into_iter().filter_map(|text| text.parse::<Requirement>().ok());
                    read.filter_map(|requirement| Some((*by_name.get(&requirement.name)?, requirement))).collect()
                })
                .collect(),
            edges: vec![BTreeSet::new(); manifest.wheels.len()],
        };
        let mut direct = BTreeSet::new();
        for input in &manifest.recipe.inputs {
            match requirement_of(input) {
                Some(requirement) => {
                    let Some(index) = by_name.get(&requirement.name) else { continue };
                    if walk.places.admit(requirement.marker.as_ref(), &BTreeSet::new()) {
                        direct.insert(*index);
                        walk.extras[*index].extend(requirement.extras);
                    }
                }
                None => {
                    let packed = manifest.wheels.iter().enumerate().filter(|(_, wheel)| is_packed_from(wheel, input));
                    for (index, _) in packed {
                        direct.insert(index);
                        walk.extras[index].extend(manifest.recipe.extras.iter().cloned());
                    }
                }
            }
        }
        walk.run();
        let mut edges = Self { direct, of: walk.edges };
        edges.reach_all();
        edges
    }

    /// Makes the application need what nothing else does, and of a ring that nothing else reaches the first.
    fn reach_all(&mut self) {
        let needed: BTreeSet<usize> = self.of.iter().flatten().copied().collect();
        self.direct.extend((0..self.of.len()).filter(|index| !needed.contains(index)));
        let mut reached = BTreeSet::new();
        let mut next: Vec<usize> = self.direct.iter().copied().collect();
        loop {
            while let Some(index) = next.pop() {
                if reached.insert(index) {
                    next.extend(&self.of[index]);
                }
            }
            let Some(left) = (0..self.of.len()).find(|index| !reached.contains(index)) else { return };
            self.direct.insert(left);
            next.push(left);
        }
    }
}

/// The requirement that an input is, where it is one.
fn requirement_of(input: &RecipeInput) -> Option<Requirement> {
    match input {
        RecipeInput::Requirement(text) => text.parse().ok(),
        RecipeInput::File(_) | RecipeInput::Git { .. } => None,
    }
}

/// Whether a wheel is this input, or was built from it.
fn is_packed_from(wheel: &ManifestWheel, input: &RecipeInput) -> bool {
    let source = wheel.source.as_ref();
    match input {
        RecipeInput::Requirement(text) => source.is_some_and(|source| source.uri == *text),
        RecipeInput::File(file) => {
            wheel.sha256 == file.sha256 || source.is_some_and(|source| source.sha256 == Some(file.sha256))
        }
        RecipeInput::Git { uri, commit, subdirectory } => {
            let inside = subdirectory.as_ref().map(|inside| format!("#subdirectory={inside}")).unwrap_or_default();
            source.is_some_and(|source| source.uri == format!("git+{uri}@{commit}{inside}"))
        }
    }
}

/// Requirements on their way to edges.
struct Walk {
    places: Places,
    /// The extras that were asked for of each distribution.
    extras: Vec<BTreeSet<ExtraName>>,
    /// The requirements of each that do not count yet, with what they name.
    open: Vec<Vec<(usize, Requirement)>>,
    edges: Vec<BTreeSet<usize>>,
}

impl Walk {
    /// Follows requirements until no more of them count.
    fn run(&mut self) {
        let mut changed: BTreeSet<usize> = (0..self.open.len()).collect();
        while let Some(index) = changed.pop_first() {
            let mut open = Vec::new();
            for (named, requirement) in std::mem::take(&mut self.open[index]) {
                if !self.places.admit(requirement.marker.as_ref(), &self.extras[index]) {
                    // Only another extra can make it count.
                    if requirement.marker.as_ref().is_some_and(|marker| marker.mentions(Variable::Extra)) {
                        open.push((named, requirement));
                    }
                    continue;
                }
                if named != index {
                    self.edges[index].insert(named);
                }
                let before = self.extras[named].len();
                self.extras[named].extend(requirement.extras);
                if self.extras[named].len() > before {
                    changed.insert(named);
                }
            }
            self.open[index].extend(open);
        }
    }
}

/// Where the file runs.
struct Places(Vec<(PythonMinor, Platform)>);

/// What stands for any platform.
const ANYWHERE: [&str; 5] =
    ["manylinux_2_17_x86_64", "manylinux_2_17_aarch64", "macosx_11_0_arm64", "macosx_11_0_x86_64", "win_amd64"];

impl Places {
    fn of(manifest: &Manifest) -> Self {
        let platforms: Vec<Platform> = match manifest.platform.parse() {
            Ok(platform) => vec![platform],
            // `any`; a tag for two architectures (`universal2`); or one that is not known.
            Err(_) => {
                let mac = manifest.platform.starts_with("macosx_");
                let fitting = ANYWHERE.iter().filter(|tag| !mac || tag.starts_with("macosx_"));
                fitting.map(|tag| tag.parse().expect("a known tag")).collect()
            }
        };
        let pythons = manifest.pythons.iter().filter_map(|python| python.parse().ok());
        let pythons: BTreeSet<PythonMinor> = pythons.collect();
        let on_all = |python| platforms.iter().map(move |platform| (python, platform.clone()));
        Self(pythons.into_iter().flat_map(on_all).collect())
    }

    /// Whether a requirement with this marker counts in one of them.
    fn admit(&self, marker: Option<&Marker>, extras: &BTreeSet<ExtraName>) -> bool {
        let Some(marker) = marker else { return true };
        self.0.iter().any(|(python, platform)| applies_on(marker, *python, platform, extras) == Ok(true))
    }
}
