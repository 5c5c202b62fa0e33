//! Which of the given distributions an application needs: requirements followed through extras, markers and cycles.
//!
//! No version is chosen here. A name whose version the requirements leave open is [`ClosureError::Ambiguous`], and a
//! resolver's to decide.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use pep440_rs::{Version, VersionSpecifiers};

use super::tags::WheelTag;
use super::{EvaluationError, Requirement, Target, specifiers_contain};
use crate::names::{ExtraName, PackageName};
use crate::status::{Explain, Status};

/// What a wheel says about itself in its metadata and its file name.
#[derive(Debug, Clone)]
pub struct DistributionFacts {
    /// Its name.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// `Requires-Python`.
    pub requires_python: Option<VersionSpecifiers>,
    /// `Requires-Dist`.
    pub requires_dist: Vec<Requirement>,
    /// `Provides-Extra`.
    pub provides_extra: BTreeSet<ExtraName>,
    /// The tags of the file name.
    pub tags: BTreeSet<WheelTag>,
    /// The build tag of the file name, where there is one.
    pub build: Option<String>,
    /// The file name: what tells two wheels apart that are alike in everything else.
    pub filename: String,
}

/// The distributions that an application needs.
#[derive(Debug, Clone)]
pub struct Closure<'a> {
    /// One distribution a name.
    pub selected: BTreeMap<PackageName, SelectedDistribution<'a>>,
    /// Extras that were asked for of distributions that do not have them: nothing more is needed for them, but a
    /// warning is due.
    pub unknown_extras: BTreeSet<(PackageName, ExtraName)>,
}

/// A distribution that is needed.
#[derive(Debug, Clone)]
pub struct SelectedDistribution<'a> {
    /// The wheel: of its version's wheels the one with the best tag, then the highest build tag.
    pub facts: &'a DistributionFacts,
    /// The extras that were asked for, by anyone.
    pub extras: BTreeSet<ExtraName>,
}

/// Who requires something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirer {
    /// What is being packed.
    Application,
    /// A distribution among its requirements.
    Distribution {
        /// Its name.
        name: PackageName,
        /// Its version.
        version: Version,
    },
}

/// A requirement and who has it. `Display` gives both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The requirement.
    pub requirement: Requirement,
    /// Who requires it.
    pub required_by: Requirer,
}

/// Why the given distributions do not make an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// No distribution of that name was given.
    #[error("{demand}: no wheel of `{}` was found", demand.requirement.name)]
    Missing {
        /// The requirement.
        demand: Box<Demand>,
    },
    /// The versions that fit the target are not among those that the requirement allows.
    #[error("{demand}: found {} {}", demand.requirement.name, list(found))]
    Unsatisfied {
        /// The requirement.
        demand: Box<Demand>,
        /// The versions there are, ascending.
        found: Vec<Version>,
    },
    /// Several versions would do.
    #[error("several versions of `{name}` fit: {}", list(versions))]
    Ambiguous {
        /// The distribution.
        name: PackageName,
        /// The versions, ascending.
        versions: Vec<Version>,
    },
    /// No wheel has a tag that fits the target.
    #[error("{demand}: no wheel of {} {version} fits {target}; found {}", demand.requirement.name, list(tags))]
    Unsupported {
        /// The requirement.
        demand: Box<Demand>,
        /// The newest version there is.
        version: Version,
        /// The tags of its wheels.
        tags: BTreeSet<WheelTag>,
        /// The target, in words.
        target: String,
    },
    /// The target's Python is not one that the distribution allows.
    #[error("{demand}: {} {version} needs Python {requires_python}, the target is {python}", demand.requirement.name)]
    UnfitPython {
        /// The requirement.
        demand: Box<Demand>,
        /// The newest version there is.
        version: Version,
        /// What it says.
        requires_python: VersionSpecifiers,
        /// The target's Python, in words.
        python: String,
    },
    /// A marker without a value.
    #[error("{demand}")]
    Marker {
        /// The requirement.
        demand: Box<Demand>,
        /// What is wrong with its marker.
        source: EvaluationError,
    },
}

impl Explain for ClosureError {
    fn status(&self) -> Status {
        Status::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ambiguous { name, .. } => Some(format!("name the version: \"{name}==VERSION\"")),
            Self::Missing { demand } => Some(format!(
                "add a wheel of {} to the inputs, or the directory that holds one with `--find-links DIR`",
                demand.requirement.name
            )),
            Self::UnfitPython { .. } => Some("choose another Python with --python or --target-python".to_owned()),
            Self::Unsatisfied { .. } | Self::Unsupported { .. } | Self::Marker { .. } => None,
        }
    }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// Follows `roots` through `candidates` for `target`: every distribution that is needed, each in the one version that
/// fits the target and all requirements. Of a pre-release and a final version that both fit the final one is taken,
/// unless a requirement names a pre-release (PEP 440).
///
/// # Errors
/// See [`ClosureError`]; where a name has several versions that fit the target, a conflict is `Ambiguous` too, for
/// another choice elsewhere might avoid it.
pub fn close<'a>(
    roots: &[Requirement],
    candidates: &'a BTreeMap<PackageName, Vec<DistributionFacts>>,
    target: &Target,
) -> Result<Closure<'a>, ClosureError> {
    let mut walk = Walk { candidates, target, names: BTreeMap::new(), queue: VecDeque::new() };
    for root in roots {
        walk.demand(root, Requirer::Application, &BTreeSet::new())?;
    }
    walk.run()
}

struct Walk<'a, 'b> {
    candidates: &'a BTreeMap<PackageName, Vec<DistributionFacts>>,
    target: &'b Target,
    names: BTreeMap<PackageName, NameState<'a>>,
    queue: VecDeque<Demand>,
}

/// What is known of one name so far.
#[derive(Default)]
struct NameState<'a> {
    demands: Vec<Demand>,
    extras: BTreeSet<ExtraName>,
    /// The best wheel of each version that fits the target.
    fitting: BTreeMap<Version, &'a DistributionFacts>,
    selected: Option<&'a DistributionFacts>,
    /// Which of the selected one's requirements were followed, by index.
    followed: BTreeSet<usize>,
}

impl<'a> Walk<'a, '_> {
    /// Queues a requirement, if its marker holds; tells whether it does.
    fn demand(
        &mut self,
        requirement: &Requirement,
        required_by: Requirer,
        extras: &BTreeSet<ExtraName>,
    ) -> Result<bool, ClosureError> {
        let demand = || Demand { requirement: requirement.clone(), required_by };
        let applies = requirement.marker.as_ref().map_or(Ok(true), |marker| self.target.applies(marker, extras));
        match applies {
            Ok(true) => self.queue.push_back(demand()),
            Ok(false) => return Ok(false),
            Err(source) => return Err(ClosureError::Marker { demand: Box::new(demand()), source }),
        }
        Ok(true)
    }

    fn run(mut self) -> Result<Closure<'a>, ClosureError> {
        loop {
            while let Some(demand) = self.queue.pop_front() {
                self.take(demand)?;
            }
            let open = self.names.iter().find(|(_, state)| state.selected.is_none()).map(|(name, _)| name.clone());
            let Some(name) = open else { break };
            self.settle(&name)?;
        }
        let mut closure = Closure { selected: BTreeMap::new(), unknown_extras: BTreeSet::new() };
        for (name, state) in self.names {
            let facts = state.selected.expect("the loop ends when every name has its version");
            let unknown = state.extras.difference(&facts.provides_extra);
            closure.unknown_extras.extend(unknown.map(|extra| (name.clone(), extra.clone())));
            closure.selected.insert(name, SelectedDistribution { facts, extras: state.extras });
        }
        Ok(closure)
    }

    /// Takes in one requirement: checks it against the selected version, or selects the only one that is left.
    fn take(&mut self, demand: Demand) -> Result<(), ClosureError> {
        let name = demand.requirement.name.clone();
        if !self.names.contains_key(&name) {
            let fitting = self.fitting(&demand)?;
            self.names.insert(name.clone(), NameState { fitting, ..NameState::default() });
        }
        let state = self.names.get_mut(&name).expect("just made");
        state.extras.extend(demand.requirement.extras.iter().cloned());
        state.demands.push(demand);
        let possible = state.possible()?;
        match (state.selected, possible.as_slice()) {
            (Some(selected), _) if !possible.contains(&&selected.version) => {
                let versions = state.fitting.keys().cloned().collect();
                Err(ClosureError::Ambiguous { name, versions })
            }
            (Some(_), _) => self.follow(&name),
            (None, [version]) => {
                state.selected = Some(state.fitting[*version]);
                self.follow(&name)
            }
            (None, _) => Ok(()),
        }
    }

    /// Selects a version of a name that the requirements leave open, when all else was followed.
    fn settle(&mut self, name: &PackageName) -> Result<(), ClosureError> {
        let state = self.names.get_mut(name).expect("an open name is known");
        let possible = state.possible()?;
        let finals: Vec<&Version> = possible.iter().copied().filter(|version| !version.any_prerelease()).collect();
        let [version] = finals.as_slice() else {
            let versions = possible.into_iter().cloned().collect();
            return Err(ClosureError::Ambiguous { name: name.clone(), versions });
        };
        if state.names_prerelease() {
            let versions = possible.into_iter().cloned().collect();
            return Err(ClosureError::Ambiguous { name: name.clone(), versions });
        }
        state.selected = Some(state.fitting[*version]);
        self.follow(name)
    }

    /// Queues those of the selected distribution's requirements that count with the extras asked for by now.
    fn follow(&mut self, name: &PackageName) -> Result<(), ClosureError> {
        let state = &self.names[name];
        let Some(facts) = state.selected else { return Ok(()) };
        let extras = state.extras.clone();
        for (index, requirement) in facts.requires_dist.iter().enumerate() {
            if self.names[name].followed.contains(&index) {
                continue;
            }
            let required_by = Requirer::Distribution { name: name.clone(), version: facts.version.clone() };
            if self.demand(requirement, required_by, &extras)? {
                self.names.get_mut(name).expect("known").followed.insert(index);
            }
        }
        Ok(())
    }

    /// The best wheel of each version that fits the target.
    fn fitting(&self, demand: &Demand) -> Result<BTreeMap<Version, &'a DistributionFacts>, ClosureError> {
        let demanded = || Box::new(demand.clone());
        let given = self.candidates.get(&demand.requirement.name).map(Vec::as_slice).unwrap_or_default();
        let Some(newest) = given.iter().max_by_key(|facts| &facts.version) else {
            return Err(ClosureError::Missing { demand: demanded() });
        };
        let python_fits = |facts: &&DistributionFacts| {
            facts.requires_python.as_ref().is_none_or(|specifiers| self.target.satisfies(specifiers))
        };
        let mut ranked: Vec<_> = given
            .iter()
            .filter(python_fits)
            .filter_map(|facts| Some((self.target.tags.fit(&facts.tags, facts.build.as_deref())?, facts)))
            .collect();
        ranked.sort_by(|(one, left), (other, right)| (one, &left.filename).cmp(&(other, &right.filename)));
        let mut fitting: BTreeMap<Version, &DistributionFacts> = BTreeMap::new();
        for (_, facts) in ranked {
            fitting.entry(facts.version.clone()).or_insert(facts);
        }
        if !fitting.is_empty() {
            return Ok(fitting);
        }
        let version = newest.version.clone();
        match &newest.requires_python {
            Some(specifiers) if !self.target.satisfies(specifiers) => Err(ClosureError::UnfitPython {
                demand: demanded(),
                version,
                requires_python: specifiers.clone(),
                python: self.target.python_text(),
            }),
            _ => {
                let of_newest = given.iter().filter(|facts| facts.version == version);
                let tags = of_newest.flat_map(|facts| facts.tags.iter().cloned()).collect();
                Err(ClosureError::Unsupported { demand: demanded(), version, tags, target: self.target.to_string() })
            }
        }
    }
}

impl NameState<'_> {
    /// The versions that satisfy all requirements so far.
    fn possible(&self) -> Result<Vec<&Version>, ClosureError> {
        let satisfies = |demand: &Demand, version: &Version| {
            demand.requirement.specifiers().is_none_or(|specifiers| specifiers_contain(specifiers, version))
        };
        let possible: Vec<&Version> = self
            .fitting
            .keys()
            .filter(|version| self.demands.iter().all(|demand| satisfies(demand, version)))
            .collect();
        if !possible.is_empty() || (self.selected.is_some() && self.fitting.len() > 1) {
            return Ok(possible);
        }
        let last = self.demands.last().expect("a name is known by a requirement");
        let unsatisfied =
            self.demands.iter().find(|demand| !self.fitting.keys().any(|version| satisfies(demand, version)));
        Err(ClosureError::Unsatisfied {
            demand: Box::new(unsatisfied.unwrap_or(last).clone()),
            found: self.fitting.keys().cloned().collect(),
        })
    }

    /// Whether a requirement asks for a pre-release by naming one (PEP 440).
    fn names_prerelease(&self) -> bool {
        let specifiers = self.demands.iter().filter_map(|demand| demand.requirement.specifiers());
        specifiers.flat_map(|specifiers| specifiers.iter()).any(|specifier| specifier.version().any_prerelease())
    }
}

impl fmt::Display for Requirer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application => formatter.write_str("the application"),
            Self::Distribution { name, version } => write!(formatter, "{name} {version}"),
        }
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.requirement.to_string();
        // What is at hand is told by its file's name: its path may be one of a moment.
        let shortened = text.split_once(" @ file:").map(|(name, path)| {
            let file = path.rsplit('/').next().unwrap_or(path);
            format!("{name} @ {file}")
        });
        write!(formatter, "requirement `{}` of {}", shortened.unwrap_or(text), self.required_by)
    }
}
