//! pyzpack turns a Python project and its wheels into one `.pyz` file: the same bytes on every machine, checked on the
//! way in, checked again on the way out, and started like an installed program.

pub mod application;
pub mod archive;
pub mod cache;
pub mod cli;
pub mod digest;
pub mod error;
pub mod evidence;
pub mod inspect;
pub mod lock;
pub mod names;
pub mod output;
pub mod pipeline;
pub mod process;
pub mod project;
pub mod python;
pub mod redact;
pub mod resolve;
pub mod runtime;
pub mod settings;
pub mod shown;
pub mod status;
pub mod surroundings;
pub mod target;
pub mod urls;
pub mod wheel;
