//! pyzpack turns a Python project and its wheels into one `.pyz` file: the same bytes on every machine, checked on the
//! way in, checked again on the way out, and started like an installed program.

pub mod digest;
pub mod names;
pub mod python;
pub mod redact;
pub mod status;
pub mod target;
