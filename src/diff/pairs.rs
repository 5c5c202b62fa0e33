//! Which members of two archives are the same one: those of one name, the second of a name with the second; then those whose
//! names differ in nothing but a version, as `x-1.0.dist-info/METADATA` and `x-1.1.dist-info/METADATA`.

use std::collections::{HashMap, HashSet};

use crate::archive::LenientZip;

/// Members by their places in two archives.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// In the first archive's order.
    pub(super) both: Vec<(usize, usize)>,
    /// Of `both`, those with another name.
    pub(super) renamed: Vec<(usize, usize)>,
    /// Of `both`, those in other directories, or called otherwise altogether.
    pub(super) moved: Vec<(usize, usize)>,
    pub(super) first_only: Vec<usize>,
    pub(super) second_only: Vec<usize>,
}

impl Pairs {
    /// Takes what is known to have moved for pairs.
    pub(super) fn add_moved(&mut self, moved: Vec<(usize, usize)>) {
        let (ours, theirs): (HashSet<usize>, HashSet<usize>) = moved.iter().copied().unzip();
        self.first_only.retain(|index| !ours.contains(index));
        self.second_only.retain(|index| !theirs.contains(index));
        self.both.extend(&moved);
        self.both.sort_unstable();
        self.moved = moved;
    }
}

pub(super) fn pair_members(first: &LenientZip, second: &LenientZip) -> Pairs {
    let mut places: HashMap<(&[u8], usize), usize> = HashMap::with_capacity(second.entries.len());
    let mut seen: HashMap<&[u8], usize> = HashMap::with_capacity(second.entries.len());
    for (index, entry) in second.entries.iter().enumerate() {
        let nth = seen.entry(entry.raw_name()).or_default();
        places.insert((entry.raw_name(), *nth), index);
        *nth += 1;
    }
    let mut pairs = Pairs::default();
    seen.clear();
    for (index, entry) in first.entries.iter().enumerate() {
        let nth = seen.entry(entry.raw_name()).or_default();
        match places.remove(&(entry.raw_name(), *nth)) {
            Some(other) => pairs.both.push((index, other)),
            None => pairs.first_only.push(index),
        }
        *nth += 1;
    }
    let mut left: Vec<usize> = places.into_values().collect();
    left.sort_unstable();
    pair_by_key(first, second, &mut pairs, left);
    pairs.both.sort_unstable();
    pairs
}

/// Pairs members whose names are the same without versions, where there is one such member on either side.
fn pair_by_key(first: &LenientZip, second: &LenientZip, pairs: &mut Pairs, left: Vec<usize>) {
    let keys = |zip: &LenientZip, indexes: &[usize]| {
        let mut keys: HashMap<String, Option<usize>> = HashMap::new();
        for index in indexes {
            let Some(key) = unversioned(&zip.entries[*index].name()) else { continue };
            keys.entry(key).and_modify(|known| *known = None).or_insert(Some(*index));
        }
        keys
    };
    let (ours, theirs) = (keys(first, &pairs.first_only), keys(second, &left));
    for (key, index) in ours {
        if let (Some(index), Some(Some(other))) = (index, theirs.get(&key)) {
            pairs.renamed.push((index, *other));
        }
    }
    pairs.renamed.sort_unstable();
    let taken: HashSet<usize> = pairs.renamed.iter().map(|pair| pair.1).collect();
    pairs.first_only.retain(|index| pairs.renamed.binary_search_by_key(index, |pair| pair.0).is_err());
    pairs.second_only = left.into_iter().filter(|index| !taken.contains(index)).collect();
    pairs.both.extend(&pairs.renamed);
}

/// A name without the versions of the distributions in it; none where there is none in it.
fn unversioned(name: &str) -> Option<String> {
    let mut found = false;
    let segments = name.split('/').map(|segment| match distribution_of(segment) {
        Some((distribution, _, suffix)) => {
            found = true;
            format!("{distribution}-{suffix}")
        }
        None => segment.to_owned(),
    });
    let key = segments.collect::<Vec<_>>().join("/");
    found.then_some(key)
}

/// Name, version and suffix of a segment such as `x-1.0.dist-info`, `x-1.0.data` or `x-1.0-py3-none-any.whl`.
pub(super) fn distribution_of(segment: &str) -> Option<(&str, &str, &'static str)> {
    for suffix in [".dist-info", ".data"] {
        if let Some((name, version)) = segment.strip_suffix(suffix).and_then(|stem| stem.split_once('-')) {
            return Some((name, version, suffix));
        }
    }
    let mut parts = segment.strip_suffix(".whl")?.splitn(3, '-');
    let (name, version) = (parts.next()?, parts.next()?);
    parts.next().map(|_| (name, version, ".whl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_a_name_is_none_of_its_key() {
        for (name, key) in [
            ("x-1.0.dist-info/METADATA", Some("x-.dist-info/METADATA")),
            (".deps/x-1.0-py3-none-any.whl/x/__init__.py", Some(".deps/x-.whl/x/__init__.py")),
            ("site-packages/x-2.data/scripts/x", Some("site-packages/x-.data/scripts/x")),
            ("x/__init__.py", None),
            ("x.dist-info/METADATA", None),
            ("x-1.whl", None),
        ] {
            assert_eq!(unversioned(name).as_deref(), key, "{name}");
        }
    }
}
