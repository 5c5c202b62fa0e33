//! The graph of a lock before 2.1, which says neither groups nor markers: from the project's own requirements along the
//! dependencies of packages.
//!
//! Of several entries of one name a dependency may mean more than one. Then the same is taken as Poetry's exporter takes:
//! the newest that every requirement in force allows and that runs on the Python in question.

use std::collections::{BTreeMap, BTreeSet};

use super::demand::{Demand, Origin};
use crate::lock::constraint::Constraint;
use crate::lock::{Edge, EntryFault, LockedPackage, Membership, PackageIndex, Root};
use crate::names::{ExtraName, PackageName};
use crate::target::{Assumed, Marker, Variable};

/// An entry with what is needed to follow the graph.
pub(super) struct Node {
    pub(super) package: LockedPackage,
    pub(super) python: Constraint,
    pub(super) origin: Origin,
    pub(super) demands: Vec<Demand>,
    /// What extras need, by name.
    pub(super) extras: BTreeMap<ExtraName, Vec<(PackageName, BTreeSet<ExtraName>)>>,
}

/// What the project requires.
pub(super) struct Required {
    pub(super) main: Vec<Demand>,
    pub(super) groups: Vec<(PackageName, Vec<Demand>)>,
    /// The names that the project's extras stand for.
    pub(super) extras: BTreeMap<ExtraName, BTreeSet<PackageName>>,
}

/// The roots, and in every node's package its edges.
///
/// # Errors
/// The fault, and the node that has it; none where it is a requirement of the project.
pub(super) fn connect(nodes: &mut [Node], required: &Required) -> Result<Vec<Root>, (Option<usize>, EntryFault)> {
    let graph = Graph::new(nodes, required);
    let mut roots = Vec::new();
    let mut add = |of: &Membership, demand: &Demand| {
        let marker = match &demand.marker {
            Some(marker) => {
                let set = marker.with_extras_as_set();
                Some(set.ok_or_else(|| (None, EntryFault::Marker(format!("`{marker}`: `extra` is compared oddly"))))?)
            }
            None => None,
        };
        let edges = graph.edges(demand, marker).map_err(|fault| (None, fault))?;
        roots.extend(edges.into_iter().map(|edge| Root { of: of.clone(), edge }));
        Ok(())
    };
    for demand in &required.main {
        if !demand.optional {
            add(&Membership::Base, demand)?;
        }
        for (extra, names) in &required.extras {
            if demand.optional && names.contains(&demand.name) {
                add(&Membership::Extra(extra.clone()), demand)?;
            }
        }
    }
    for (group, demands) in &required.groups {
        for demand in demands {
            add(&Membership::Group(group.clone()), demand)?;
        }
    }
    let mut edges = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        edges.push(graph.edges_of(index, node).map_err(|fault| (Some(index), fault))?);
    }
    for (node, (dependencies, optional)) in nodes.iter_mut().zip(edges) {
        node.package.dependencies = dependencies;
        node.package.optional_dependencies = optional;
    }
    Ok(roots)
}

struct Graph<'a> {
    nodes: &'a [Node],
    /// The nodes of a name, the newest first.
    named: BTreeMap<&'a PackageName, Vec<usize>>,
    /// Demands that hold wherever their markers do, whatever extras and groups are asked for.
    standing: BTreeMap<&'a PackageName, Vec<&'a Demand>>,
}

type Edges = (Vec<Edge>, BTreeMap<ExtraName, Vec<Edge>>);

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node], required: &'a Required) -> Self {
        let mut named: BTreeMap<&PackageName, Vec<usize>> = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            named.entry(&node.package.name).or_default().push(index);
        }
        for indices in named.values_mut() {
            indices.sort_by(|left, right| nodes[*right].package.version.cmp(&nodes[*left].package.version));
        }
        let mut standing: BTreeMap<&PackageName, Vec<&Demand>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut queue: Vec<&Demand> = required.main.iter().collect();
        while let Some(demand) = queue.pop() {
            if demand.optional {
                continue;
            }
            standing.entry(&demand.name).or_default().push(demand);
            if let (None, Some([only])) = (&demand.marker, named.get(&demand.name).map(Vec::as_slice))
                && seen.insert(*only)
            {
                queue.extend(&nodes[*only].demands);
            }
        }
        Self { nodes, named, standing }
    }

    fn edges_of(&self, index: usize, node: &Node) -> Result<Edges, EntryFault> {
        let mut dependencies = Vec::new();
        for demand in node.demands.iter().filter(|demand| !demand.optional) {
            dependencies.extend(self.edges_with(demand, None)?);
        }
        let mut optional: BTreeMap<ExtraName, Vec<Edge>> = BTreeMap::new();
        for (extra, names) in &node.extras {
            let edges = optional.entry(extra.clone()).or_default();
            for (name, extras) in names {
                // An extra may stand for others of the same distribution.
                if *name == node.package.name {
                    edges.push(Edge { to: PackageIndex(index), extras: extras.clone(), marker: None });
                }
                for demand in node.demands.iter().filter(|demand| demand.optional && demand.name == *name) {
                    edges.extend(self.edges_with(demand, Some(extra))?);
                }
            }
        }
        Ok((dependencies, optional))
    }

    /// The edges of a package's demand, when this extra of the package is asked for.
    fn edges_with(&self, demand: &Demand, extra: Option<&ExtraName>) -> Result<Vec<Edge>, EntryFault> {
        match demand.marker.as_ref().map(|marker| marker.assume_extra(extra)) {
            None | Some(Assumed::Always) => self.edges(demand, None),
            Some(Assumed::When(marker)) => self.edges(demand, Some(marker)),
            Some(Assumed::Never) => Ok(Vec::new()),
        }
    }

    fn edges(&self, demand: &Demand, marker: Option<Marker>) -> Result<Vec<Edge>, EntryFault> {
        let all = self.named.get(&demand.name).map_or(&[][..], Vec::as_slice);
        let fitting: Vec<usize> = match all {
            [only] => vec![*only],
            _ => all.iter().copied().filter(|index| self.satisfies(*index, demand)).collect(),
        };
        let edge = |index, marker| Edge { to: PackageIndex(index), extras: demand.extras.clone(), marker };
        match fitting.as_slice() {
            [] => {
                // Poetry leaves out what no Python that the project allows would take.
                let python = [Variable::PythonVersion, Variable::PythonFullVersion];
                let pruned = marker.is_some_and(|marker| python.iter().any(|variable| marker.mentions(*variable)));
                if pruned { Ok(Vec::new()) } else { Err(EntryFault::Dangling(demand.name.to_string())) }
            }
            [only] => Ok(vec![edge(*only, marker)]),
            several => {
                let open = || {
                    let version = |index: &usize| {
                        self.nodes[*index].package.version.as_ref().map_or_else(String::new, ToString::to_string)
                    };
                    EntryFault::Open { name: demand.name.clone(), versions: several.iter().map(version).collect() }
                };
                let mut edges = Vec::new();
                // What is left for older entries.
                let mut rest = marker;
                for index in several {
                    match self.condition(*index, &demand.name).ok_or_else(open)? {
                        Assumed::Never => {}
                        Assumed::Always => {
                            edges.push(edge(*index, rest));
                            break;
                        }
                        Assumed::When(condition) => {
                            let negated = condition.negated().ok_or_else(open)?;
                            edges.push(edge(*index, Some(both(rest.clone(), condition))));
                            rest = Some(both(rest, negated));
                        }
                    }
                }
                if edges.is_empty() { Err(open()) } else { Ok(edges) }
            }
        }
    }

    fn satisfies(&self, index: usize, demand: &Demand) -> bool {
        let node = &self.nodes[index];
        let version = node.package.version.as_ref().is_none_or(|version| demand.constraint.contains(version));
        version && demand.origin.allows(&node.origin)
    }

    /// Where the entry is one that may be meant; none if that cannot be said.
    fn condition(&self, index: usize, name: &PackageName) -> Option<Assumed> {
        let mut condition = self.nodes[index].python.python_markers().into_iter().reduce(Marker::or);
        for demand in self.standing.get(name).into_iter().flatten() {
            if self.satisfies(index, demand) {
                continue;
            }
            let Some(marker) = &demand.marker else { return Some(Assumed::Never) };
            match marker.assume_extra(None) {
                Assumed::Always => return Some(Assumed::Never),
                Assumed::Never => {}
                Assumed::When(marker) => condition = Some(both(condition, marker.negated()?)),
            }
        }
        Some(condition.map_or(Assumed::Always, Assumed::When))
    }
}

fn both(left: Option<Marker>, right: Marker) -> Marker {
    match left {
        Some(left) => left.and(right),
        None => right,
    }
}
