//! How long something takes, for limits on it: never for what comes out of it.

use std::time::{Duration, Instant};

/// A time that runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since it began.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
