//! What of a lock some build may take: with whichever extras and groups, on one target or on any.

use std::collections::BTreeSet;

use super::{Edge, Lock, PackageIndex};
use crate::names::ExtraName;
use crate::target::{Target, Variable};

impl Lock {
    /// The entries that some choice of extras and groups needs, without the project itself: on `target`, or where there is
    /// none anywhere. A marker about extras and groups counts as true.
    pub fn reach(&self, target: Option<&Target>) -> BTreeSet<PackageIndex> {
        let applies = |edge: &Edge| {
            let (Some(target), Some(marker)) = (target, &edge.marker) else { return true };
            let sets = [Variable::Extra, Variable::Extras, Variable::DependencyGroups];
            sets.into_iter().any(|set| marker.mentions(set)) || target.applies(marker, &BTreeSet::new()).unwrap_or(true)
        };
        let mut reached = BTreeSet::new();
        let mut followed: BTreeSet<(PackageIndex, Option<&ExtraName>)> = BTreeSet::new();
        let mut open: Vec<&Edge> = self.roots.iter().map(|root| &root.edge).collect();
        while let Some(edge) = open.pop() {
            let Some(package) = self.packages.get(edge.to.0).filter(|_| applies(edge)) else { continue };
            reached.insert(edge.to);
            if followed.insert((edge.to, None)) {
                open.extend(&package.dependencies);
            }
            for extra in &edge.extras {
                if followed.insert((edge.to, Some(extra))) {
                    open.extend(package.optional_dependencies.get(extra).into_iter().flatten());
                }
            }
        }
        reached.into_iter().filter(|index| self.project != Some(*index)).collect()
    }
}
