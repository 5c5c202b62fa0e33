//! Resolved: from requirements that nothing pins, or hashes do, to wheels. A resolver chooses the versions where the wheels
//! at hand leave a choice.

use std::collections::{BTreeMap, BTreeSet};

use crate::application::{Overridden, facts_of};
use crate::error::Error;
use crate::names::PackageName;
use crate::resolve::{self, Request, Resolution};
use crate::settings::UnpinnedPolicy;
use crate::shown::count;
use crate::target::{DistributionFacts, Requirement, close};
use crate::wheel::collect::{CollectError, Obtained};
use crate::wheel::{Origin, VerifiedWheel};

use super::Stage;
use super::chosen::Shelves;
use super::collect::{Collector, Gathered, RESOLVE_TIMEOUT, Requirements, Settled};
use super::inputs::{Inputs, SourceKind};
use super::pins::fixes_source;

impl Collector<'_> {
    /// Resolves, fetches, builds and checks what is not at hand.
    pub(super) fn collect_resolved(
        &self,
        inputs: &Inputs,
        gathered: &mut Gathered,
        needed: Requirements,
    ) -> Result<Settled, Error> {
        let (wheels, resolver) = self.resolve_and_fetch(inputs, gathered, &needed)?;
        let wheels = self.prune(wheels, &needed.roots)?;
        Ok(Settled { wheels, roots: needed.roots, overridden: Overridden::default(), resolver: resolver.to_owned() })
    }

    fn resolve_and_fetch(
        &self,
        inputs: &Inputs,
        gathered: &mut Gathered,
        needed: &Requirements,
    ) -> Result<(Vec<VerifiedWheel>, &'static str), Error> {
        let mut at_hand = std::mem::take(&mut gathered.at_hand);
        if needed.lines.is_empty() {
            return Ok((at_hand, "nothing"));
        }
        self.observer.begin(Stage::Resolve, "choosing versions");
        let overridden = (self.settings.target_python.is_some() || self.settings.platform.is_some()).then(|| {
            resolve::TargetOverride {
                python: self.settings.target_python.map(|minor| (minor.major, minor.minor)),
                platform: self.settings.platform.clone(),
            }
        });
        let root = inputs.sources.iter().find_map(|source| match source {
            SourceKind::Project(project) => Some(project.root.as_path()),
            _ => None,
        });
        let request = Request {
            requirements: &needed.lines,
            constraints: &needed.constraints,
            index: self.workshop.index,
            interpreter: self.workshop.interpreter,
            target: overridden.as_ref(),
            offline: self.settings.offline,
            directory: root.unwrap_or(&self.settings.directory),
            timeout: RESOLVE_TIMEOUT,
            told: self.workshop.told,
        };
        let known: BTreeSet<PackageName> = at_hand.iter().map(|wheel| wheel.metadata.name.clone()).collect();
        // A resolver's choice is pinned by hashes alone: without them it need not run to be refused.
        let resolution = match self.settings.unpinned {
            _ if let Some(chosen) = &self.settings.chosen => {
                let shelves = Shelves::new(self.settings, self.world, self.workshop.index, self.workshop.interpreter);
                let packages = shelves.find_distributions(&chosen.distributions, &known)?;
                Resolution { packages, resolver: "an earlier build" }
            }
            UnpinnedPolicy::Refuse if !inputs.require_hashes => resolve::resolve_at_hand(&request)
                .map_err(CollectError::from)?
                .ok_or_else(|| CollectError::NoLock(needed.open_requirements(&at_hand)))?,
            UnpinnedPolicy::Refuse | UnpinnedPolicy::Tell => {
                resolve::resolve(&request, self.world, self.scratch.path()).map_err(CollectError::from)?
            }
        };
        let mut packages: Vec<_> =
            resolution.packages.into_iter().filter(|package| !known.contains(&package.name)).collect();
        needed.hashes.bind(&mut packages)?;
        let fixed: BTreeSet<&PackageName> =
            needed.roots.iter().filter(|root| fixes_source(root)).map(|root| &root.name).collect();
        let open = packages.iter().filter(|package| {
            let pinned = self.settings.chosen.is_some()
                || needed.hashes.of(&package.name).is_some()
                || fixed.contains(&package.name);
            !pinned && !package.artifact.is_at_hand()
        });
        gathered.unpinned.distributions.extend(open.map(|package| package.name.clone()));
        self.allow_unpinned(&gathered.unpinned)?;
        self.allow_building(packages.iter().filter_map(|package| package.artifact.source_shown()).collect())?;
        let sources = packages.iter().filter(|one| one.artifact.is_at_hand() && one.artifact.source_shown().is_some());
        gathered.sources_at_hand.extend(sources.map(|one| one.name.clone()));
        if packages.is_empty() {
            return Ok((at_hand, resolution.resolver));
        }
        self.observer.begin(Stage::Fetch, &format!("fetching {}", count(packages.len(), "distribution")));
        let advance = |done, total| self.observer.advance(done, total);
        let collected = self.workshop.materialise(packages, &advance, &[])?;
        let given = |obtained: &Obtained| match obtained {
            Obtained::Local => Origin::Local,
            _ => Origin::Index,
        };
        at_hand.extend(self.check_collected(collected, &needed.hashes, given, gathered)?);
        Ok((at_hand, resolution.resolver))
    }

    /// Follows the requirements through what the checked wheels themselves say: what is needed is there and fits the
    /// target, and nothing else is packed.
    fn prune(&self, wheels: Vec<VerifiedWheel>, roots: &[Requirement]) -> Result<Vec<VerifiedWheel>, Error> {
        let mut candidates: BTreeMap<PackageName, Vec<DistributionFacts>> = BTreeMap::new();
        for wheel in &wheels {
            candidates.entry(wheel.metadata.name.clone()).or_default().push(facts_of(wheel)?);
        }
        let closure = close(roots, &candidates, self.target).map_err(Box::new)?;
        self.tell_unknown_extras(&closure);
        let selected: BTreeSet<PackageName> = closure.selected.into_keys().collect();
        Ok(wheels.into_iter().filter(|wheel| selected.contains(&wheel.metadata.name)).collect())
    }
}
