//! Where the application's files are: at the archive's root, or in a payload.

use super::assemble::PlanError;
use super::entry_point::EntryPoint;
use super::planner::is_reserved;
use super::tree::{InstalledTree, WheelSet};
use crate::archive::ArchivePath;

/// Where the application's files are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayoutChoice {
    /// `Zip` for a small application of one distribution and Python source alone, else `Extract`.
    #[default]
    Auto,
    /// At the archive's root, imported in place.
    Zip,
    /// In a payload that is unpacked once.
    Extract,
}

/// The layout that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// At the archive's root, imported in place.
    Zip,
    /// In a payload that is unpacked once.
    Extract,
}

/// The number of modules from which `auto` unpacks: zipimport reads the directory of all of them at each start.
const MANY_MODULES: usize = 20;

/// Chooses the layout, and says why.
pub(super) fn choose_layout(
    tree: &InstalledTree,
    wheels: &WheelSet,
    entry_point: &EntryPoint,
    choice: LayoutChoice,
    has_bytecode: bool,
) -> Result<(Layout, String), PlanError> {
    let is_metadata = |path: &str| path.split('/').next().is_some_and(|root| root.ends_with(".dist-info"));
    let owner_of = |path: &ArchivePath| tree.files[path].owner();
    match choice {
        LayoutChoice::Extract => Ok((Layout::Extract, "as asked".to_owned())),
        LayoutChoice::Zip => {
            if let EntryPoint::Executable(path) = entry_point {
                let reason = "an executable runs from a file system alone";
                return Err(PlanError::NotInZip { path: path.to_string(), owner: owner_of(path), reason });
            }
            let native = tree.files.keys().find(|path| is_native(path.as_str()));
            native.map_or(Ok((Layout::Zip, "as asked".to_owned())), |path| {
                let reason = "a native extension is loaded from a file system alone";
                Err(PlanError::NotInZip { path: path.to_string(), owner: owner_of(path), reason })
            })
        }
        LayoutChoice::Auto => {
            let code = tree.files.keys().map(ArchivePath::as_str).filter(|path| !is_metadata(path));
            let (modules, others): (Vec<_>, Vec<_>) = code.partition(|path| path.ends_with(".py"));
            let distributions = wheels.iter().len();
            let loose = tree.files.values().any(|file| file.distribution.is_none());
            let reserved = tree.files.keys().find(|path| is_reserved(path));
            let reason = match (reserved, others.first()) {
                _ if distributions > 1 => format!("{distributions} distributions are packed"),
                _ if distributions == 1 && loose => {
                    "a distribution is packed beside the program's own modules".to_owned()
                }
                (Some(reserved), _) => format!("`{reserved}` is a name of the archive's own"),
                _ if has_bytecode => "bytecode is packed".to_owned(),
                (None, Some(other)) => format!("`{other}` is not Python source"),
                _ if modules.len() >= MANY_MODULES => format!("{} modules are packed", modules.len()),
                _ => return Ok((Layout::Zip, "one small distribution of Python source alone".to_owned())),
            };
            Ok((Layout::Extract, reason))
        }
    }
}

fn is_native(path: &str) -> bool {
    [".so", ".pyd", ".dylib", ".dll"].iter().any(|end| path.ends_with(end)) || path.contains(".so.")
}
