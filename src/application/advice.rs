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

/// What lies below `sys.prefix` for the system's own tools, and not for the program that brings it.
const FOR_THE_SYSTEM: [&str; 6] =
    ["share/applications", "share/bash-completion", "share/doc", "share/fish", "share/man", "share/zsh"];

/// Files that an installer would put below `sys.prefix`, which is the host's own here.
pub(super) fn describe_prefix_data(wheels: &WheelSet) -> Vec<String> {
    let describe = |wheel: &VerifiedWheel| {
        let data = format!("{}/data/", wheel.data_directory);
        let below = wheel.files.iter().filter_map(|file| file.entry.path.as_str().strip_prefix(&data));
        // A directory of directories is everybody's: `share/NAME` says more than `share`.
        let places: BTreeSet<&str> = below
            .map(|path| path.match_indices('/').nth(1).map_or(path, |(end, _)| &path[..end]))
            .filter(|place| !FOR_THE_SYSTEM.contains(place))
            .collect();
        let listed: Vec<String> = places.into_iter().map(|place| format!("`{place}`")).collect();
        (!listed.is_empty()).then(|| {
            let (name, listed) = (&wheel.metadata.name, listed.join(", "));
            format!("`{name}` brings {listed} for sys.prefix: it lies beside the packages, and a program that looks in sys.prefix does not find it")
        })
    };
    wheels.iter().filter_map(describe).collect()
}
