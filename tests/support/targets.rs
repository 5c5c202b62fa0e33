//! Targets that are on no machine here, as scripts/lock_oracle.py makes them too.

use pyzpack::target::{MarkerEnvironment, Platform, PythonAbi, PythonMinor, Target, Threading};

/// `CPython` of this minor version, patch release 0, on a platform; `t` among the flags for the free-threaded build.
pub fn target(python: &str, flags: &str, platform: &str) -> Target {
    let minor: PythonMinor = python.parse().expect("a minor version");
    let platform: Platform = platform.parse().expect("a platform tag");
    let full = format!("{python}.0");
    let environment = MarkerEnvironment {
        implementation_name: "cpython".to_owned(),
        implementation_version: full.clone(),
        os_name: String::new(),
        platform_machine: String::new(),
        platform_python_implementation: "CPython".to_owned(),
        platform_release: String::new(),
        platform_system: String::new(),
        platform_version: String::new(),
        python_full_version: full,
        python_version: python.to_owned(),
        sys_platform: String::new(),
    };
    let threading = if flags.contains('t') { Threading::Free } else { Threading::Locked };
    let abi = PythonAbi { threading, ..PythonAbi::default() };
    // What the platform says to markers is filled in by asking for it.
    Target::new(minor, abi, environment, platform.clone()).overridden(None, Some(&platform))
}
