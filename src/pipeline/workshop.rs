//! The workshop of a run: what resolving, fetching and building share.

use std::path::Path;

use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::process::ScratchDir;
use crate::project::sdist;
use crate::python::Interpreter;
use crate::python::venv::Venv;
use crate::resolve::Told;
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::target::Target;
use crate::wheel::access::Access;
use crate::wheel::collect::{CollectedBefore, Workshop};
use crate::wheel::fetch::Client;
use crate::wheel::install::install_wheel;
use crate::wheel::locked::BuildLock;
use crate::wheel::{Origin, WheelInput, verify_wheel};

use super::Observer;
use super::collect::RESOLVE_TIMEOUT;
use super::inputs::Inputs;

/// Opens the workshop that the settings ask for, and gives it to `work` with the target.
pub(super) fn with_workshop<T>(
    settings: &BuildSettings,
    world: &Surroundings,
    inputs: &Inputs,
    interpreter: &Interpreter,
    scratch: &ScratchDir,
    observer: &dyn Observer,
    work: impl FnOnce(&Workshop<'_>, &Target) -> Result<T, Error>,
) -> Result<T, Error> {
    let platform = settings.platform.as_deref().map(str::parse).transpose()?;
    let target = interpreter.target.overridden(settings.target_python, platform.as_ref());
    let index = &inputs.index;
    let urls: Vec<String> = index.index_url.iter().chain(&index.extra_index_urls).cloned().collect();
    let client = Client::new(Access::read(world, &urls), settings.offline);
    let install = |path: &Path, expected: Option<&Sha256Digest>, venv: &Venv| {
        let input = WheelInput { path: path.to_owned(), expected: expected.copied(), origin: Origin::Local };
        verify_wheel(&input, &settings.limits)?;
        Ok(install_wheel(path, venv)?)
    };
    let tags: Vec<String> = interpreter.target.tags.iter().map(|tag| tag.to_string()).collect();
    let say = |line: &str| observer.detail(line);
    let workshop = Workshop {
        surroundings: world,
        scratch,
        interpreter,
        tags: &tags,
        index,
        client: &client,
        offline: settings.offline,
        epoch: settings.epoch.seconds(),
        build_timeout: settings.build_timeout,
        resolve_timeout: RESOLVE_TIMEOUT,
        told: &Told::to(&say),
        limits: sdist::Limits { bytes: settings.limits.unpacked, ..sdist::Limits::default() },
        build_lock: BuildLock::default(),
        install: &install,
        collected: CollectedBefore::default(),
    };
    work(&workshop, &target)
}
