//! The environments of children: a small, named one for builds, so that two machines build the same bytes; a wider one
//! for resolvers and git, which need the user's configuration.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use crate::surroundings::Surroundings;

/// Variables that reach a build backend. A name ending in `*` stands for all that begin so.
pub const BUILD_VARIABLES: &[&str] = &[
    // Where programs are.
    "PATH",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "JAVA_HOME",
    // Compilers, linkers and their flags.
    "AR",
    "ARCHFLAGS",
    "CC",
    "CFLAGS",
    "CMAKE_ARGS",
    "CMAKE_GENERATOR",
    "CMAKE_PREFIX_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "CPP",
    "CPPFLAGS",
    "CXX",
    "CXXFLAGS",
    "C_INCLUDE_PATH",
    "F77",
    "FC",
    "FFLAGS",
    "LD",
    "LDFLAGS",
    "LDSHARED",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "NM",
    "PKG_CONFIG",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_PATH",
    "PKG_CONFIG_SYSROOT_DIR",
    "RANLIB",
    "SDKROOT",
    "DEVELOPER_DIR",
    "STRIP",
    // Nix's compiler wrappers take their search paths from the environment.
    "NIX_*",
    // Rust.
    "CARGO_BUILD_TARGET",
    "CARGO_HOME",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    // Versions given from outside, where no version control is at hand.
    "HATCH_BUILD_*",
    "PBR_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "SETUPTOOLS_SCM_PRETEND_VERSION*",
    // What Windows itself and its compilers need.
    "COMSPEC",
    "INCLUDE",
    "LIB",
    "LIBPATH",
    "PATHEXT",
    "PROGRAMFILES*",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "WINDIR",
];

/// Variables that reach a resolver and git, beside [`RESOLVER_CONFIGURATION`]. A name ending in `*` stands for all that
/// begin so.
pub const RESOLVER_VARIABLES: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "PYENV_ROOT",
    "PYENV_VERSION",
    // Git and ssh.
    "GIT_CONFIG_*",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_*",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    // What Windows itself needs.
    "APPDATA",
    "COMSPEC",
    "LOCALAPPDATA",
    "PATHEXT",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "USERPROFILE",
    "WINDIR",
];

/// Variables by which users configure resolvers and their way to the network; they reach git too.
pub const RESOLVER_CONFIGURATION: &[&str] = &[
    "PIP_*",
    "UV_*",
    "KEYRING_*",
    "PYTHON_KEYRING_BACKEND",
    "ALL_PROXY",
    "FTP_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "ftp_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
    "NETRC",
    "NIX_SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SSL_CLIENT_CERT",
];

/// What gives a process another clock (libfaketime). A backend sees that clock where this process does; who builds under
/// another one wants to know whether it matters.
const CLOCK_VARIABLES: &[&str] = &["LD_PRELOAD", "FAKETIME*"];

/// What a source build needs to know of its place and time.
#[derive(Debug, Clone, Copy)]
pub struct BuildPlace<'a> {
    /// The directory whose path no built file may hold; compilers write `/build` for it.
    pub root: &'a Path,
    /// An empty directory that stands for HOME.
    pub home: &'a Path,
    /// A directory for temporary files.
    pub temporary: &'a Path,
    /// Programs of the scratch environment: first on PATH.
    pub programs: &'a Path,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub epoch: u64,
    /// The directory with the guard against sockets, under `--offline`.
    pub guard: Option<&'a Path>,
}

/// The environment of a build backend: the variables of [`BUILD_VARIABLES`], and fixed values for all else that could
/// reach the built bytes.
pub fn build_environment(surroundings: &Surroundings, place: &BuildPlace<'_>) -> BTreeMap<OsString, OsString> {
    let mut environment = select(surroundings, BUILD_VARIABLES);
    if surroundings.variable("FAKETIME").is_some() {
        environment.extend(select(surroundings, CLOCK_VARIABLES));
        // Files keep the times that they were given.
        environment.insert("NO_FAKE_STAT".into(), "1".into());
    }
    let mut set = |name: &str, value: &OsStr| {
        environment.insert(name.into(), value.to_owned());
    };
    // Rust's tools live below the real HOME unless they are told otherwise.
    for (name, directory) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let place = surroundings.home().map(|home| home.join(directory)).filter(|place| place.is_dir());
        if let (None, Some(place)) = (surroundings.variable(name), place) {
            set(name, place.as_os_str());
        }
    }
    set("HOME", place.home.as_os_str());
    // A repository that happens to be around the temporary directory is none of the source's.
    set("GIT_CEILING_DIRECTORIES", place.root.as_os_str());
    set("TMPDIR", place.temporary.as_os_str());
    set("TMP", place.temporary.as_os_str());
    set("TEMP", place.temporary.as_os_str());
    for (name, value) in [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONIOENCODING", "utf-8"),
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONUTF8", "1"),
        ("SOURCE_DATE_EPOCH", &place.epoch.to_string()),
        ("TZ", "UTC"),
        // Version-control plugins look at a repository and must leave it as it is.
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
        // Archives, symbol hashes and profiles of Rust builds do not depend on what was built before.
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_TERM_COLOR", "never"),
        ("NO_COLOR", "1"),
        // ar(1) on Debian already writes neither times nor owners; others do unless told so.
        ("ZERO_AR_DATE", "1"),
    ] {
        set(name, OsStr::new(value));
    }
    let path = surroundings.variable("PATH").unwrap_or_default();
    let directories = std::iter::once(place.programs.to_owned()).chain(std::env::split_paths(path));
    if let Ok(joined) = std::env::join_paths(directories) {
        set("PATH", &joined);
    }
    if let Some(guard) = place.guard {
        set("PYTHONPATH", guard.as_os_str());
        set("CARGO_NET_OFFLINE", OsStr::new("true"));
        set("GIT_ALLOW_PROTOCOL", OsStr::new("file"));
    }
    if cfg!(unix) {
        let mut append = |name: &str, fallback: &str, flags: &[&OsStr]| {
            let name = if environment.contains_key(OsStr::new(name)) { name } else { fallback };
            let value = environment.entry(name.into()).or_default();
            for flag in flags {
                if !value.is_empty() {
                    value.push(" ");
                }
                value.push(flag);
            }
        };
        let mut map = OsString::from("-ffile-prefix-map=");
        map.push(place.root);
        map.push("=/build");
        for name in ["CFLAGS", "CXXFLAGS"] {
            append(name, name, &[&map, OsStr::new("-g0")]);
        }
        let mut remap = OsString::from("--remap-path-prefix=");
        remap.push(place.root);
        remap.push("=/build");
        // RUSTFLAGS would put aside the flags of a project's own .cargo/config.toml; this variable adds to them.
        append("RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", &[&remap]);
    }
    environment
}

/// The variables of compilers' flags that nobody set: in them the interpreter's own flags stand before those of
/// [`build_environment`], as they would without these.
pub fn flags_of_interpreter(surroundings: &Surroundings) -> Vec<&'static str> {
    let unset = |name: &&str| cfg!(unix) && surroundings.variable(name).is_none();
    ["CFLAGS", "CXXFLAGS"].into_iter().filter(unset).collect()
}

/// The environment of a resolver, and of git where it fetches: the variables of [`RESOLVER_VARIABLES`] and
/// [`RESOLVER_CONFIGURATION`], and temporary files in `temporary`.
///
/// Caches that the user did not place go below the cache of `surroundings`, so that nothing else is written and no HOME
/// is needed.
pub fn resolver_environment(
    surroundings: &Surroundings,
    temporary: &Path,
    guard: Option<&Path>,
) -> BTreeMap<OsString, OsString> {
    let mut environment = select(surroundings, RESOLVER_VARIABLES);
    environment.extend(select(surroundings, RESOLVER_CONFIGURATION));
    for (name, value) in [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("NO_COLOR", "1"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_COLOR", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONIOENCODING", "utf-8"),
        ("PYTHONUTF8", "1"),
        ("UV_NO_PROGRESS", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
    ] {
        environment.insert(name.into(), value.into());
    }
    for name in ["TMPDIR", "TMP", "TEMP"] {
        environment.insert(name.into(), temporary.as_os_str().to_owned());
    }
    for (name, directory) in [("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip")] {
        environment.entry(name.into()).or_insert_with(|| surroundings.cache.join(directory).into_os_string());
    }
    if let Some(guard) = guard {
        environment.insert("PYTHONPATH".into(), guard.as_os_str().to_owned());
        environment.insert("GIT_ALLOW_PROTOCOL".into(), "file".into());
    }
    environment
}

/// The variables of [`RESOLVER_CONFIGURATION`] that are set, by name.
pub fn resolver_configuration(surroundings: &Surroundings) -> Vec<String> {
    let names = select(surroundings, RESOLVER_CONFIGURATION).into_keys();
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Writes the guard that refuses internet sockets to every Python whose PYTHONPATH names `directory`.
///
/// # Errors
/// The directory cannot be written.
pub fn write_offline_guard(directory: &Path) -> io::Result<PathBuf> {
    fs_err::create_dir_all(directory)?;
    fs_err::write(directory.join("sitecustomize.py"), include_str!("offline.py"))?;
    Ok(directory.to_owned())
}

/// The variables that a list names.
fn select(surroundings: &Surroundings, names: &[&str]) -> BTreeMap<OsString, OsString> {
    let matches = |name: &OsStr| {
        let Some(name) = name.to_str() else { return false };
        names.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => starts_with(name, prefix),
            None => name.len() == pattern.len() && starts_with(name, pattern),
        })
    };
    surroundings
        .environment
        .iter()
        .filter(|(name, _)| matches(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Windows does not tell the case of variable names apart.
fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| if cfg!(windows) { start.eq_ignore_ascii_case(prefix) } else { start == prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(pairs: &[(&str, &str)]) -> Surroundings {
        Surroundings {
            environment: pairs.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            temporary: "/tmp".into(),
            cache: "/cache".into(),
        }
    }

    fn place() -> BuildPlace<'static> {
        BuildPlace {
            root: Path::new("/s/1"),
            home: Path::new("/s/home"),
            temporary: Path::new("/s/tmp"),
            programs: Path::new("/s/venv/bin"),
            epoch: 315_532_800,
            guard: None,
        }
    }

    #[test]
    fn lets_only_named_variables_into_a_build() {
        let found = build_environment(
            &surroundings(&[
                ("PATH", "/bin"),
                ("PIP_INDEX_URL", "https://x"),
                ("HTTPS_PROXY", "x"),
                ("PYTHONPATH", "x"),
                ("TZ", "Asia/Tokyo"),
                ("CFLAGS", "-O1"),
                ("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X", "1"),
            ]),
            &place(),
        );
        let get = |name: &str| found.get(OsStr::new(name)).map(|value| value.to_str().unwrap());
        assert_eq!(get("PATH"), Some("/s/venv/bin:/bin"));
        assert_eq!(get("CFLAGS"), Some("-O1 -ffile-prefix-map=/s/1=/build -g0"));
        assert_eq!(get("CARGO_BUILD_RUSTFLAGS"), Some("--remap-path-prefix=/s/1=/build"));
        assert_eq!(get("TZ"), Some("UTC"));
        assert_eq!(get("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X"), Some("1"));
        for absent in ["PIP_INDEX_URL", "HTTPS_PROXY", "PYTHONPATH"] {
            assert_eq!(get(absent), None);
        }
    }

    #[test]
    fn lets_another_clock_into_a_build_and_no_other_library() {
        let preloaded = ("LD_PRELOAD", "/lib/libfaketime.so.1");
        let clock = |pairs: &[(&str, &str)]| {
            let found = build_environment(&surroundings(pairs), &place());
            let get = |name: &str| found.get(OsStr::new(name)).map(|value| value.to_str().unwrap().to_owned());
            ["LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED", "NO_FAKE_STAT"].map(get)
        };
        assert_eq!(clock(&[preloaded]), [None, None, None, None]);
        let faked = clock(&[preloaded, ("FAKETIME", "@2041-01-01 00:00:00"), ("FAKETIME_SHARED", "/a /b")]);
        let some = |value: &str| Some(value.to_owned());
        assert_eq!(faked, [some(preloaded.1), some("@2041-01-01 00:00:00"), some("/a /b"), some("1")]);
    }
}
