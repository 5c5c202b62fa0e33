//! What the user should know of what is packed, a line each.

use std::collections::BTreeSet;

use super::stdlib::is_standard_library_module;
use super::tree::{FileSource, InstalledTree, WheelSet};
use crate::archive::ArchivePath;
use crate::wheel::VerifiedWheel;

/// Top-level modules that the standard library has too: its own are the ones that are imported.
pub(super) fn find_shadows(tree: &InstalledTree) -> Vec<String> {
    let shadows = tree.top_level_modules().into_iter().filter(|module| is_standard_library_module(module));
    shadows
        .map(|module| {
            let path = tree
                .files
                .iter()
                .find(|(path, _)| path.as_str().strip_prefix(module).is_some_and(|rest| rest.starts_with(['/', '.'])));
            let owner = path.map_or_else(String::new, |(_, file)| file.owner());
            format!("{owner} brings a module `{module}`, but the one of the standard library is imported")
        })
        .collect()
}

/// What the `.pth` files at the root do when the application starts.
pub(super) fn describe_pth(tree: &InstalledTree, wheels: &WheelSet) -> Vec<String> {
    let describe = |path: &str| {
        let path = ArchivePath::new(path).ok()?;
        let file = tree.files.get(&path)?;
        let bytes = match &file.source {
            FileSource::Bytes(bytes) => bytes.to_vec(),
            FileSource::Wheel { wheel, file } => wheels.at(*wheel).files[*file].kept.clone()?,
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (code, paths): (Vec<_>, Vec<_>) =
            lines.partition(|line| line.starts_with("import ") || line.starts_with("import\t"));
        let does = match (code.is_empty(), paths.is_empty()) {
            (true, true) => return None,
            (false, true) => "runs code",
            (true, false) => "adds to the import path",
            (false, false) => "runs code and adds to the import path",
        };
        let owner = file.owner();
        Some(format!("`{path}` of {owner} {does} at each start"))
    };
    tree.pth_files().into_iter().filter_map(describe).collect()
}

/// Files that an installer would put below `sys.prefix`, which is the host's own here.
pub(super) fn describe_prefix_data(wheels: &WheelSet) -> Vec<String> {
    let describe = |wheel: &VerifiedWheel| {
        let data = format!("{}/data/", wheel.data_directory);
        let places: BTreeSet<&str> = wheel
            .files
            .iter()
            .filter_map(|file| file.entry.path.as_str().strip_prefix(&data))
            .map(|path| path.split('/').next().unwrap_or(path))
            .collect();
        let listed: Vec<String> = places.into_iter().map(|place| format!("`{place}`")).collect();
        (!listed.is_empty()).then(|| {
            let name = &wheel.metadata.name;
            format!("`{name}` brings {} for sys.prefix: a program that looks there does not find it", listed.join(", "))
        })
    };
    wheels.iter().filter_map(describe).collect()
}
