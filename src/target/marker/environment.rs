//! The values that markers are evaluated against.

use serde::{Deserialize, Serialize};

use super::Variable;

/// The eleven environment variables of markers (PEP 508), each with the value that Python gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkerEnvironment {
    /// `sys.implementation.name`: `cpython`.
    pub implementation_name: String,
    /// `sys.implementation.version` as a version: `3.13.0`, `3.14.0rc1`.
    pub implementation_version: String,
    /// `os.name`: `posix`, `nt`.
    pub os_name: String,
    /// `platform.machine()`: `x86_64`, `aarch64`, `arm64`, `AMD64`.
    pub platform_machine: String,
    /// `platform.python_implementation()`: `CPython`.
    pub platform_python_implementation: String,
    /// `platform.release()`: `6.8.0-31-generic`; empty where unknown.
    pub platform_release: String,
    /// `platform.system()`: `Linux`, `Darwin`, `Windows`.
    pub platform_system: String,
    /// `platform.version()`: `#31-Ubuntu SMP ...`; empty where unknown.
    pub platform_version: String,
    /// `platform.python_version()`: `3.13.0`.
    pub python_full_version: String,
    /// Major and minor version: `3.13`.
    pub python_version: String,
    /// `sys.platform`: `linux`, `darwin`, `win32`.
    pub sys_platform: String,
}

impl MarkerEnvironment {
    /// The value of `variable`; nothing for `extra`, `extras` and `dependency_groups`, which no environment holds.
    pub fn get(&self, variable: Variable) -> Option<&str> {
        Some(match variable {
            Variable::ImplementationName => &self.implementation_name,
            Variable::ImplementationVersion => &self.implementation_version,
            Variable::OsName => &self.os_name,
            Variable::PlatformMachine => &self.platform_machine,
            Variable::PlatformPythonImplementation => &self.platform_python_implementation,
            Variable::PlatformRelease => &self.platform_release,
            Variable::PlatformSystem => &self.platform_system,
            Variable::PlatformVersion => &self.platform_version,
            Variable::PythonFullVersion => &self.python_full_version,
            Variable::PythonVersion => &self.python_version,
            Variable::SysPlatform => &self.sys_platform,
            Variable::Extra | Variable::Extras | Variable::DependencyGroups => return None,
        })
    }
}
