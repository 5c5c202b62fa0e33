//! The workshop of a run: what resolving, fetching and building share.

use std::path::Path;

use crate::archive::Epoch;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::process::ScratchDir;
use crate::project::sdist;
use crate::python::Interpreter;
use crate::python::venv::Venv;
use crate::settings::{BuildSettings, EpochChoice};
use crate::surroundings::Surroundings;
use crate::target::Target;
use crate::wheel::access::Access;
use crate::wheel::collect::{CollectedBefore, Workshop};
use crate::wheel::fetch::Client;
use crate::wheel::install::install_wheel;
use crate::wheel::locked::BuildLock;
use crate::wheel::{Origin, WheelInput, verify_wheel};

use super::collect::RESOLVE_TIMEOUT;
use super::inputs::Inputs;

/// Opens the workshop that the settings ask for, and gives it to `work` with the target.
pub(super) fn with_workshop<T>(
    settings: &BuildSettings,
    world: &Surroundings,
    inputs: &Inputs,
    interpreter: &Interpreter,
    scratch: &ScratchDir,
    work: impl FnOnce(&Workshop<'_>, &Target) -> Result<T, Error>,
) -> Result<T, Error> {
    let platform = settings.platform.as_deref().map(str::parse).transpose()?;
    let target = interpreter.target.overridden(settings.target_python, platform.as_ref());
    let index = &inputs.index;
    // A lock holds no time.
    let epoch = match settings.epoch {
        EpochChoice::At(epoch) => epoch,
        EpochChoice::Commit => Epoch::default(),
    };
    let urls: Vec<String> = index.index_url.iter().chain(&index.extra_index_urls).cloned().collect();
    let client = Client::new(Access::read(world, &urls), settings.offline);
    let install = |path: &Path, expected: Option<&Sha256Digest>, venv: &Venv| {
        let input = WheelInput { path: path.to_owned(), expected: expected.copied(), origin: Origin::Local };
        verify_wheel(&input, &settings.limits)?;
        Ok(install_wheel(path, venv)?)
    };
    let tags: Vec<String> = interpreter.target.tags.iter().map(|tag| tag.to_string()).collect();
    let workshop = Workshop {
        surroundings: world,
        scratch,
        interpreter,
        tags: &tags,
        index,
        client: &client,
        offline: settings.offline,
        epoch: epoch.seconds(),
        build_timeout: settings.build_timeout,
        resolve_timeout: RESOLVE_TIMEOUT,
        limits: sdist::Limits { bytes: settings.limits.unpacked, ..sdist::Limits::default() },
        build_lock: BuildLock::default(),
        install: &install,
        collected: CollectedBefore::default(),
    };
    work(&workshop, &target)
}
