//! Applications from wheels: laid out, planned and written without an interpreter or a command line.

#![allow(clippy::result_large_err, reason = "a test prints its error and passes it to nobody")]

use std::collections::BTreeMap;

use pyzpack::application::{
    ApplicationOptions, ApplicationPlan, Compression, ConflictPolicy, EntryPoint, InstalledTree, LayoutChoice,
    LooseFile, Overridden, Scripts, WheelSet, assemble,
};
use pyzpack::archive::{ArchivePath, ArchivePlan, Epoch, Mode, Shebang};
use pyzpack::error::Error;
use pyzpack::evidence::{Origins, Recipe, RecipeTarget};
use pyzpack::output::{EvidenceRequest, OutputError, write_output};
use pyzpack::runtime::Reach;
use pyzpack::target::{
    Libc, Machine, MarkerEnvironment, Platform, PythonAbi, PythonBuild, PythonMinor, Target, Threading,
};

use pyzpack::wheel::VerifiedWheel;

use super::Wheel;

/// How an application is packed; the defaults are those of the command line.
#[derive(Debug, Clone, Default)]
pub struct Packing {
    pub layout: LayoutChoice,
    pub compression: Compression,
    pub policy: ConflictPolicy,
    pub epoch: Epoch,
    pub loose: Vec<LooseFile>,
    /// The version that the manifest names; none for one that never was.
    pub tool_version: Option<String>,
}

/// An application that starts with `demo:main`, up to its plan.
#[derive(Debug)]
pub struct Planned {
    pub wheels: WheelSet,
    pub tree: InstalledTree,
    pub plan: ApplicationPlan,
}

/// `CPython` 3.12 on Linux.
fn target() -> Target {
    let text = str::to_owned;
    let environment = MarkerEnvironment {
        implementation_name: text("cpython"),
        implementation_version: text("3.12.0"),
        os_name: text("posix"),
        platform_machine: text("x86_64"),
        platform_python_implementation: text("CPython"),
        platform_release: String::new(),
        platform_system: text("Linux"),
        platform_version: String::new(),
        python_full_version: text("3.12.0"),
        python_version: text("3.12"),
        sys_platform: text("linux"),
    };
    let platform = Platform::Linux { architecture: text("x86_64"), libc: Libc::Glibc(2, 28), machine: Machine::Any };
    let abi = PythonAbi { threading: Threading::Locked, build: PythonBuild::Release };
    Target::new(PythonMinor::new(3, 12), abi, environment, platform)
}

pub fn loose(path: &str, contents: &[u8]) -> LooseFile {
    LooseFile { path: ArchivePath::new(path).expect("a safe name"), bytes: contents.into(), mode: Mode::Regular }
}

/// Lays out wheels alone; the directory holds them while they are used.
pub fn lay_out(wheels: &[Wheel], packing: &Packing) -> Result<(tempfile::TempDir, WheelSet, InstalledTree), Error> {
    let place = tempfile::tempdir().expect("a directory");
    let wheels = WheelSet::new(wheels.iter().map(|wheel| wheel.verified(place.path())).collect())?;
    let tree = InstalledTree::lay_out(&wheels, &packing.loose, packing.policy)?;
    Ok((place, wheels, tree))
}

/// Plans an application of `wheels`. They stay readable when their directory is gone: they are open.
pub fn plan(wheels: &[Wheel], packing: &Packing) -> Result<Planned, Error> {
    let place = tempfile::tempdir().expect("a directory");
    plan_verified(wheels.iter().map(|wheel| wheel.verified(place.path())).collect(), packing)
}

/// Plans an application of wheels that were checked.
pub fn plan_verified(wheels: Vec<VerifiedWheel>, packing: &Packing) -> Result<Planned, Error> {
    let wheels = WheelSet::new(wheels)?;
    let tree = InstalledTree::lay_out(&wheels, &packing.loose, packing.policy)?;
    let scripts = Scripts::collect(&wheels, &tree);
    let options = ApplicationOptions {
        name: "demo".to_owned(),
        version: Some("1.0".to_owned()),
        requires_python: None,
        named: vec!["demo".parse().expect("a name")],
        roots: Vec::new(),
        overridden: Overridden::default(),
        epoch: packing.epoch,
        shebang: Shebang::default(),
        layout: packing.layout,
        reach: Reach::default(),
        compression: packing.compression,
        tool_version: packing.tool_version.clone().unwrap_or_else(|| "0.0.0".to_owned()),
        recipe: Recipe {
            inputs: Vec::new(),
            lock: None,
            console_script: None,
            entry_point: None,
            extras: Vec::new(),
            groups: Vec::new(),
            target: RecipeTarget { python: None, platform: None },
            layout: "auto".to_owned(),
            compression: "deflate".to_owned(),
            recompress: false,
            bytecode: Vec::new(),
            on_conflict: "error".to_owned(),
            shebang: Shebang::default().to_string(),
        },
        origins: Origins::default(),
    };
    let entry = EntryPoint::Object("demo:main".parse().expect("an object"));
    let plan = assemble(&wheels, &tree, &scripts, entry, &target(), options)?;
    Ok(Planned { wheels, tree, plan })
}

/// Writes an archive and reads it again, as a build does.
pub fn write(plan: &ArchivePlan, wheels: &WheelSet) -> Result<Vec<u8>, OutputError> {
    let place = tempfile::tempdir().expect("a directory");
    let target = place.path().join("demo.pyz");
    write_output(plan, wheels, &target, &EvidenceRequest::default())?;
    Ok(std::fs::read(target).expect("the archive"))
}

/// Plans and writes an application of `wheels`.
pub fn pack(wheels: &[Wheel], packing: &Packing) -> Vec<u8> {
    let planned = plan(wheels, packing).unwrap_or_else(|error| panic!("{error}"));
    write(&planned.plan.archive, &planned.wheels).unwrap_or_else(|error| panic!("{error}"))
}

/// The files of a zip, as the `zip` crate reads them: permissions and contents, by name; directories without contents.
pub fn read_by_zip_crate(bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    use std::io::Read;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
    (0..archive.len())
        .map(|index| {
            let mut entry = archive.by_index(index).expect("an entry");
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).expect("its contents");
            (entry.name().expect("its name").into_owned(), (entry.unix_mode().expect("its mode"), contents))
        })
        .collect()
}

/// What an installed application would hold: the tree's files by path, read from the archive that packs them.
pub fn installed_files(bytes: &[u8], layout: LayoutChoice) -> BTreeMap<String, Vec<u8>> {
    let outer = read_by_zip_crate(bytes);
    let files = if layout == LayoutChoice::Zip {
        outer
    } else {
        let payloads = outer.iter().filter(|(name, _)| name.starts_with("_pyzpack/payload"));
        payloads.flat_map(|(_, (_, payload))| read_by_zip_crate(payload)).collect()
    };
    let own = |name: &str| name.starts_with("_pyzpack/") || name == "__main__.py" || name.ends_with('/');
    files
        .into_iter()
        .filter(|(name, _)| layout != LayoutChoice::Zip || !own(name))
        .map(|(name, (_, contents))| (name, contents))
        .collect()
}
