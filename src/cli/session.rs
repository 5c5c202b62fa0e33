//! How a verb that works for a while begins: its world and its settings are read, a terminal is there to be told, and an
//! interrupt leaves nothing behind.

use clap::ArgMatches;

use crate::pipeline::Observer;
use crate::process::{interrupt, offline};
use crate::settings::BuildSettings;
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;

use super::observer::{Loudness, Terminal};
use super::{report, world};

/// What such a verb has when it begins.
pub(super) struct Session<S> {
    pub(super) world: Surroundings,
    pub(super) settings: S,
    pub(super) terminal: Terminal,
}

impl<S> Session<S> {
    /// Begins, with what `resolve` makes of the arguments, among it the settings of a build. What does not work is told,
    /// and its status is the error.
    pub(super) fn begin<E: Explain>(
        matches: &ArgMatches,
        resolve: impl FnOnce(&ArgMatches, &Surroundings) -> Result<S, E>,
        of_build: impl FnOnce(&S) -> &BuildSettings,
    ) -> Result<Self, Status> {
        let loudness = match (matches.get_flag("quiet"), matches.get_flag("verbose")) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::Verbose,
            (false, false) => Loudness::Usual,
        };
        let world = world::read().map_err(|error| report::fail(&error))?;
        let settings = resolve(matches, &world).map_err(|error| report::fail(&error))?;
        let terminal = Terminal::new(loudness);
        hold_offline(of_build(&settings), &terminal);
        let bar = terminal.bar();
        interrupt::install(move || bar.finish_and_clear())
            .map_err(|error| report::fail_io("answer signals", &error))?;
        Ok(Self { world, settings, terminal })
    }
}

/// Has the system refuse internet sockets where `--offline` was asked for, before any thread or child is started.
fn hold_offline(settings: &BuildSettings, terminal: &Terminal) {
    if settings.offline
        && let Err(reason) = offline::refuse_internet()
    {
        terminal.warn(&format!(
            "the system does not enforce --offline ({reason}): a build backend's programs other than Python could reach \
             the network"
        ));
    }
}
