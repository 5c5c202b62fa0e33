//! What a terminal shows while a build runs, and how long each stage took.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::{Observer, Stage};

use super::report;

/// How much is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loudness {
    /// Errors alone.
    Quiet,
    /// Warnings, and on a terminal progress.
    Usual,
    /// What was done, too.
    Verbose,
}

/// Keeps the time and talks to the terminal.
pub(super) struct Terminal {
    loudness: Loudness,
    started: Instant,
    state: Mutex<State>,
    bar: ProgressBar,
}

#[derive(Default)]
struct State {
    current: Option<(Stage, Instant)>,
    done: Vec<(Stage, Duration)>,
    warnings: Vec<String>,
}

impl Terminal {
    pub(super) fn new(loudness: Loudness) -> Self {
        // indicatif draws on standard error, and there on a terminal alone.
        let bar = if loudness == Loudness::Quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        Self { loudness, started: Instant::now(), state: Mutex::default(), bar }
    }

    /// A handle on the line that is drawn, to take it away when a signal ends the process.
    pub(super) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Ends the last stage and takes the progress away.
    pub(super) fn finish(&self) {
        self.with(State::end);
        self.bar.finish_and_clear();
    }

    /// Says a line, unless told to be quiet.
    pub(super) fn say(&self, line: &str) {
        if self.loudness > Loudness::Quiet {
            self.bar.suspend(|| report::say(line));
        }
    }

    /// Seconds since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time that each stage took, in the order in which they first began.
    pub(super) fn stages(&self) -> Vec<(Stage, Duration)> {
        self.with(|state| state.done.clone())
    }

    /// Every warning that was given.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.with(|state| state.warnings.clone())
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn end(&mut self) {
        let Some((stage, began)) = self.current.take() else { return };
        match self.done.iter_mut().find(|(done, _)| *done == stage) {
            Some((_, total)) => *total += began.elapsed(),
            None => self.done.push((stage, began.elapsed())),
        }
    }
}

impl Observer for Terminal {
    fn begin(&self, stage: Stage, what: &str) {
        self.with(|state| {
            state.end();
            state.current = Some((stage, Instant::now()));
        });
        if self.loudness == Loudness::Verbose {
            self.say(what);
        }
        self.bar.set_style(ProgressStyle::default_spinner());
        self.bar.set_length(0);
        self.bar.set_message(what.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn advance(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total.filter(|total| self.bar.length() != Some(*total)) {
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {msg} {decimal_bytes} of {decimal_total_bytes} {bar:30} {eta}")
            {
                self.bar.set_style(style);
            }
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }

    fn warn(&self, message: &str) {
        self.with(|state| state.warnings.push(message.to_owned()));
        self.say(&format!("warning: {message}"));
    }

    fn note(&self, message: &str) {
        self.say(&format!("note: {message}"));
    }

    fn detail(&self, message: &str) {
        if self.loudness == Loudness::Verbose {
            self.say(message);
        }
    }
}
