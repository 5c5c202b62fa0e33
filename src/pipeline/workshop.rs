//! The workshop of a run: what resolving, fetching and building share.

use std::path::Path;

use crate::archive::Epoch;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::Lock;
use crate::process::ScratchDir;
use crate::project::sdist;
use crate::python::Interpreter;
use crate::python::venv::Venv;
use crate::resolve::Told;
use crate::settings::{BuildSettings, UnpinnedPolicy};
use crate::surroundings::Surroundings;
use crate::target::Target;
use crate::wheel::access::Access;
use crate::wheel::collect::{CollectedBefore, Workshop};
use crate::wheel::fetch::Client;
use crate::wheel::install::install_wheel;
use crate::wheel::locked::{BuildLock, LockedRequirements, Unlocked};
use crate::wheel::{Origin, WheelInput, verify_wheel};

use super::Observer;
use super::collect::RESOLVE_TIMEOUT;
use super::inputs::Inputs;

/// What a workshop is opened for.
#[derive(Clone, Copy)]
pub(super) struct Commission<'a> {
    pub(super) settings: &'a BuildSettings,
    pub(super) world: &'a Surroundings,
    pub(super) inputs: &'a Inputs,
    pub(super) interpreter: &'a Interpreter,
    pub(super) scratch: &'a ScratchDir,
    /// `SOURCE_DATE_EPOCH` of builds.
    pub(super) epoch: Epoch,
    /// What a lock says that sources are built with.
    pub(super) build_lock: BuildLock<'a>,
    /// Who is told what a curious user wants to know.
    pub(super) observer: &'a dyn Observer,
}

/// What a build knows of build requirements: the sets that a lock holds, and what it does about those that none pins.
pub(super) fn build_lock<'a>(
    sets: &'a [LockedRequirements],
    command: &'a str,
    unpinned: UnpinnedPolicy,
) -> BuildLock<'a> {
    let unlocked = match unpinned {
        UnpinnedPolicy::Refuse => Unlocked::Refuse,
        UnpinnedPolicy::Tell => Unlocked::Resolve,
    };
    BuildLock { sets, unlocked, command }
}

/// What pins the build requirements of a build with this lock.
pub(super) fn command_for_builds(lock: Option<&Lock>) -> String {
    lock.map_or_else(|| "pyzpack lock".to_owned(), Lock::command_for_builds)
}

/// Opens the workshop that the settings ask for, and gives it to `work`.
pub(super) fn with_workshop<T>(
    commission: Commission<'_>,
    work: impl FnOnce(&Workshop<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let Commission { settings, world, inputs, interpreter, scratch, epoch, build_lock, observer } = commission;
    let index = &inputs.index;
    let urls: Vec<String> = index.index_url.iter().chain(&index.extra_index_urls).cloned().collect();
    let client = Client::new(Access::read(world, &urls), settings.offline);
    let install = |path: &Path, expected: Option<&Sha256Digest>, venv: &Venv| {
        let input = WheelInput { path: path.to_owned(), expected: expected.copied(), origin: Origin::Local };
        verify_wheel(&input, &settings.limits)?;
        Ok(install_wheel(path, venv)?)
    };
    let say = |line: &str| observer.detail(line);
    work(&Workshop {
        surroundings: world,
        scratch,
        interpreter,
        index,
        client: &client,
        offline: settings.offline,
        epoch: epoch.seconds(),
        build_timeout: settings.build_timeout,
        resolve_timeout: RESOLVE_TIMEOUT,
        told: &Told::to(&say),
        limits: sdist::Limits { bytes: settings.limits.unpacked, ..sdist::Limits::default() },
        build_lock,
        install: &install,
        collected: CollectedBefore::default(),
    })
}

/// What the file must run on: the interpreter's own target, or the one that is asked for.
pub(super) fn choose_target(settings: &BuildSettings, interpreter: &Interpreter) -> Result<Target, Error> {
    let platform = settings.platform.as_deref().map(str::parse).transpose()?;
    Ok(interpreter.target.overridden(settings.target_python, platform.as_ref()))
}
