//! pyzpack turns a Python project and its wheels into one `.pyz` file: the same bytes on every machine, checked on the
//! way in, checked again on the way out, and started like an installed program.
//!
//! ```text
//!  arguments -> BuildSettings -> Inputs -> Interpreter -> Target
//!   (cli)        (settings)    (pipeline,    (python)    (target)
//!                               project)                    |
//!                                  |                        |
//!              a lock lies there   |   nothing pins it      |
//!                   +--------------+------------+           |
//!                   v                           v           |
//!          Lock -> Selected               Requirements      |
//!              (lock)                           |           |
//!                   |  files, commits,          v           |
//!                   |  directories         Resolution  <----+
//!                   |                       (resolve)       |
//!                   +-------------+-------------+           |
//!                                 v                         |
//!                 fetched or built, one by one  <-----------+
//!                         (wheel, process)
//!                                 v
//!     WheelSet of VerifiedWheel -> ApplicationPlan -> PackedArchive -> evidence
//!               (wheel)             (application)       (archive,
//!                                                        output)
//! ```
//!
//! A `VerifiedWheel` is made by checking alone, so nothing unchecked can be planned. `pyzpack lock` leaves the same way at
//! the resolution: what it settles becomes a `Draft`, and that the `pylock.toml` which the next build reads.
//!
//! Arrows point one way, from `cli` over `pipeline` and the stages to `target`, `digest`, `names` and the other primitives;
//! `tests/layering.rs` holds them.

pub mod application;
pub mod archive;
pub mod bytecode;
pub mod cache;
pub mod cli;
pub mod diff;
pub mod digest;
pub mod epoch;
pub mod error;
pub mod evidence;
pub mod finished;
pub mod inspect;
pub mod json;
pub mod lock;
pub mod names;
pub mod normalize;
pub mod output;
pub mod pipeline;
pub mod process;
pub mod project;
pub mod python;
pub mod redact;
pub mod references;
pub mod reproduce;
pub mod resolve;
pub mod runtime;
pub mod settings;
pub mod shown;
pub mod signing;
pub mod status;
pub mod surroundings;
pub mod target;
pub mod urls;
pub mod verify;
pub mod wheel;
