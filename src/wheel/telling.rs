//! What a log tells about a failed build: its end, and what was missing.

use std::path::Path;

/// How many lines of a log are shown.
const LINES: usize = 25;

/// Something that a build misses: what logs say then, what it is, and the Debian package that has it.
struct Missing {
    signs: &'static [&'static str],
    what: &'static str,
    package: &'static str,
}

const fn missing(signs: &'static [&'static str], what: &'static str, package: &'static str) -> Missing {
    Missing { signs, what, package }
}

/// What is missed, the more telling signs first: a build that has no headers of Python may go on to say that it has no
/// compiler that works.
const MISSING: &[Missing] = &[
    missing(&["Python.h: No such file", "'Python.h' file not found"], "the headers of this Python", "python3-dev"),
    missing(
        &[
            "can't find Rust compiler",
            "Rust not found, installing into a temporary directory",
            "Cargo, the Rust package manager, is not installed",
            "cargo: not found",
            "'cargo': No such file or directory",
            "No such file or directory: 'cargo'",
            "Is `cargo` installed",
            "cargo, the Rust package manager",
            "rustc, version not available",
            "'rustc': No such file or directory",
            "No such file or directory: 'rustc'",
            "rustc: not found",
        ],
        "Rust, cargo and rustc",
        "cargo",
    ),
    missing(
        &[
            "No CMAKE_Fortran_COMPILER",
            "gfortran: not found",
            "Unknown compiler(s): [['gfortran'",
            "no Fortran compiler",
        ],
        "a Fortran compiler",
        "gfortran",
    ),
    missing(
        &["pg_config executable not found", "pg_config: not found", "libpq-fe.h"],
        "the client library of PostgreSQL",
        "libpq-dev",
    ),
    missing(
        &[
            "mysql_config: not found",
            "mysql_config not found",
            "Can not find valid pkg-config name",
            "mysql.h: No such",
        ],
        "the client library of MySQL",
        "default-libmysqlclient-dev",
    ),
    missing(
        &[
            "xml2-config: not found",
            "libxml/xmlversion.h",
            "libxml2 and libxslt development packages",
            "libxslt/xslt.h",
        ],
        "libxml2 and libxslt",
        "libxml2-dev and libxslt1-dev",
    ),
    missing(&["openssl/", "Could not find directory of OpenSSL"], "the headers of OpenSSL", "libssl-dev"),
    missing(&["ffi.h: No such file", "'ffi.h' file not found"], "libffi", "libffi-dev"),
    missing(
        &["zlib.h: No such file", "'zlib.h' file not found", "headers or library files could not be found for zlib"],
        "zlib",
        "zlib1g-dev",
    ),
    missing(
        &["headers or library files could not be found for jpeg", "jpeglib.h: No such file"],
        "the JPEG library",
        "libjpeg-dev",
    ),
    missing(&["git2.h: No such file", "'git2.h' file not found"], "libgit2", "libgit2-dev"),
    missing(&["yaml.h: No such file"], "libyaml", "libyaml-dev"),
    missing(&["sqlite3.h: No such file"], "SQLite", "libsqlite3-dev"),
    missing(&["lber.h: No such file", "ldap.h: No such file"], "OpenLDAP", "libldap-dev"),
    missing(&["sasl.h: No such file", "sasl/sasl.h"], "SASL", "libsasl2-dev"),
    missing(&["gssapi.h: No such file", "krb5-config: not found"], "Kerberos", "libkrb5-dev"),
    missing(
        &["curl-config' failed", "curl-config: not found", "Could not run curl-config"],
        "libcurl",
        "libcurl4-openssl-dev",
    ),
    missing(&["cairo.h: No such file", "Dependency \"cairo\" not found"], "cairo", "libcairo2-dev"),
    missing(
        &["Dependency \"OpenBLAS\" not found", "No BLAS/LAPACK libraries found", "Dependency \"openblas\" not found"],
        "a BLAS library",
        "libopenblas-dev",
    ),
    missing(
        &["gdal-config: not found", "A GDAL API version must be specified", "'gdal-config'"],
        "GDAL",
        "libgdal-dev",
    ),
    missing(&["geos_c.h: No such file", "geos-config: not found"], "GEOS", "libgeos-dev"),
    missing(&["portaudio.h: No such file"], "PortAudio", "portaudio19-dev"),
    missing(&["hdf5.h: No such file", "Unable to find HDF5", "libhdf5.so: cannot open"], "HDF5", "libhdf5-dev"),
    missing(&["magic.h: No such file"], "libmagic", "libmagic-dev"),
    missing(&["mpicc: not found", "'mpicc'", "mpi.h: No such file"], "MPI", "libopenmpi-dev"),
    missing(&["ta-lib/", "ta_libc.h", "cannot find -lta_lib", "cannot find -lta-lib"], "the C library TA-Lib", ""),
    missing(
        &["CUDA_HOME environment variable is not set", "nvcc: not found", "Could not find CUDA", "nvcc was not found"],
        "the CUDA toolkit, and name its directory with CUDA_HOME",
        "nvidia-cuda-toolkit",
    ),
    missing(
        &[
            "No such file or directory: 'swig'",
            "swig: not found",
            "unable to execute 'swig'",
            "command 'swig' failed",
            "swig.exe",
        ],
        "SWIG",
        "swig",
    ),
    missing(
        &[
            "CMake must be installed",
            "cmake: not found",
            "'cmake': No such file",
            "No such file or directory: 'cmake'",
            "Could not find CMake",
            "Problem with the CMake installation",
        ],
        "CMake",
        "cmake",
    ),
    missing(
        &["CMAKE_MAKE_PROGRAM is not set", "Could not detect Ninja", "ninja: not found", "'ninja': No such file"],
        "Ninja",
        "ninja-build",
    ),
    missing(
        &[
            "pkg-config: not found",
            "'pkg-config': No such file",
            "No such file or directory: 'pkg-config'",
            "pkg-config not found",
            "Did not find pkg-config",
            "pkg-config is missing",
            "Could not run the `pkg-config` command",
            "The pkg-config command could not be found",
        ],
        "pkg-config",
        "pkg-config",
    ),
    missing(
        &["Microsoft Visual C++ 14.0 or greater is required", "Unable to find vcvarsall.bat"],
        "the Microsoft C++ Build Tools",
        "",
    ),
    missing(
        &[
            "unable to execute 'clang",
            "'clang' failed: No such file",
            "clang: not found",
            "No such file or directory: 'clang",
            "'clang++' failed: No such file",
        ],
        "clang",
        "clang",
    ),
    missing(
        &[
            "'g++' failed: No such file",
            "unable to execute 'g++'",
            "g++: not found",
            "No such file or directory: 'g++'",
            "No such file or directory: 'c++'",
            "c++: not found",
            "No CMAKE_CXX_COMPILER could be found",
            "'cc1plus'",
            "Unknown compiler(s): [['c++'",
        ],
        "a C++ compiler",
        "build-essential",
    ),
    missing(
        &[
            "gcc' failed: No such file or directory",
            "cc' failed: No such file or directory",
            "unable to execute 'gcc'",
            "No such file or directory: 'gcc'",
            "No such file or directory: 'cc'",
            "No such file or directory: 'x86_64-linux-gnu-gcc'",
            "unable to execute 'x86_64-linux-gnu-gcc'",
            "gcc: not found",
            "cc: not found",
            "linker `cc` not found",
            "No CMAKE_C_COMPILER could be found",
            "no acceptable C compiler found",
            "Unknown compiler(s): [['cc'",
        ],
        "a C compiler",
        "build-essential",
    ),
];

const GIVE_IT: &str = "build without --offline, or give the build what it wanted to fetch";

/// What programs say that are refused a socket, by its name or number, or that cannot ask for an address without one.
const NO_SOCKET: [&str; 5] = [
    "Network is unreachable",
    "ENETUNREACH",
    "(os error 101)",
    "Temporary failure in name resolution",
    "Could not resolve host",
];

/// Other texts of logs, and what to do where they occur.
const ADVICE: &[(&str, &str)] = &[
    ("runs with --offline: no internet socket", GIVE_IT),
    (
        "setuptools-scm was unable to detect version",
        "set SETUPTOOLS_SCM_PRETEND_VERSION, or build from a git work tree",
    ),
];

/// The last exception, and the last lines that say something.
pub(crate) fn telling_end(log: &str) -> (Option<String>, Vec<String>) {
    let lines: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).collect();
    let exception =
        lines.iter().rposition(|line| line.starts_with("Traceback (most recent call last)")).and_then(|start| {
            // The exception follows the indented frames.
            lines[start + 1..].iter().find(|line| !line.starts_with(' ')).map(|line| (*line).to_owned())
        });
    let end = lines[lines.len().saturating_sub(LINES)..].iter().map(|line| (*line).to_owned()).collect();
    (exception, end)
}

/// What to do about a failed build, where its log says what was missing.
pub(crate) fn advise(log: &str) -> Option<String> {
    if let Some(missing) = MISSING.iter().find(|missing| missing.signs.iter().any(|sign| is_missed(log, sign))) {
        let (what, package) = (missing.what, missing.package);
        return Some(match package {
            "" => format!("install {what}"),
            _ if package.contains(' ') => format!("install {what} (Debian: the packages {package})"),
            _ => format!("install {what} (Debian: the package {package})"),
        });
    }
    if let Some((_, advice)) = ADVICE.iter().find(|(sign, _)| log.contains(sign)) {
        return Some((*advice).to_owned());
    }
    missing_header(log).or_else(|| missing_library(log)).or_else(|| missing_dependency(log))
}

/// What to do about a build that failed under `--offline`, where its log says nothing else of what was missing.
pub(crate) fn advise_offline(log: &str) -> Option<String> {
    advise(log).or_else(|| NO_SOCKET.iter().any(|sign| log.contains(sign)).then(|| GIVE_IT.to_owned()))
}

/// Whether a log has the sign of something missing. One that is a header's name alone is a sign only in a line that says
/// so: compilers are called with the names of headers and directories too.
fn is_missed(log: &str, sign: &str) -> bool {
    let is_name = sign.ends_with('/') || Path::new(sign).extension().is_some_and(|extension| extension == "h");
    let says_so = |line: &str| line.contains("No such file") || line.contains("file not found");
    if is_name { log.lines().any(|line| line.contains(sign) && says_so(line)) } else { log.contains(sign) }
}

/// `a.c:1:10: fatal error: x.h: No such file or directory`, and clang's `fatal error: 'x.h' file not found`.
fn missing_header(log: &str) -> Option<String> {
    let header = log.lines().find_map(|line| {
        let (_, rest) = line.split_once("fatal error: ")?;
        rest.strip_suffix(": No such file or directory")
            .or_else(|| rest.strip_prefix('\'')?.strip_suffix("' file not found"))
    })?;
    Some(format!("install the development package that has the header `{}`", header.trim()))
}

/// `/usr/bin/ld: cannot find -lx`.
fn missing_library(log: &str) -> Option<String> {
    let (_, rest) = log.lines().find_map(|line| line.split_once("cannot find -l"))?;
    let name = rest.split([':', ' ']).next()?;
    Some(format!("install the development package that has the library `{name}`"))
}

/// pkg-config's `No package 'x' found`, and meson's `Dependency "x" not found`.
fn missing_dependency(log: &str) -> Option<String> {
    let name = log.lines().find_map(|line| {
        let pkg_config = || line.split_once("No package '")?.1.strip_suffix("' found");
        let meson = || line.split_once("Dependency \"")?.1.split_once("\" not found").map(|(name, _)| name);
        pkg_config().or_else(meson)
    })?;
    Some(format!("install the development package that has `{name}.pc`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_exception_first() {
        let log = "running\nTraceback (most recent call last):\n  File \"x\"\n    y\nValueError: no\n\nbye\n";
        let (exception, end) = telling_end(log);
        assert_eq!(exception.as_deref(), Some("ValueError: no"));
        assert_eq!(end.last().map(String::as_str), Some("bye"));
    }

    /// Ends of logs as the tools write them, and what is named.
    const LOGS: &[(&str, &str)] = &[
        (
            "building 'x' extension\nerror: command 'gcc' failed: No such file or directory",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "unable to execute 'x86_64-linux-gnu-gcc': No such file or directory\nerror: command 'x86_64-linux-gnu-gcc' failed with exit status 1",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "error: command '/usr/bin/cc' failed: No such file or directory",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "error: linker `cc` not found\n  |\n  = note: No such file or directory (os error 2)",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "CMake Error at CMakeLists.txt:3 (project):\n  No CMAKE_C_COMPILER could be found.",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "../meson.build:1:0: ERROR: Unknown compiler(s): [['cc'], ['gcc'], ['clang']]",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "error: command 'g++' failed: No such file or directory",
            "install a C++ compiler (Debian: the package build-essential)",
        ),
        (
            "gcc: fatal error: cannot execute 'cc1plus': execvp: No such file or directory",
            "install a C++ compiler (Debian: the package build-essential)",
        ),
        ("error: command 'clang' failed: No such file or directory", "install clang (Debian: the package clang)"),
        (
            "Cargo, the Rust package manager, is not installed or is not on PATH.\nThis package requires Rust and Cargo to compile extensions.",
            "install Rust, cargo and rustc (Debian: the package cargo)",
        ),
        (
            "Rust not found, installing into a temporary directory\nPermissionError: pyzpack runs with --offline: no internet socket may be opened (socket.getaddrinfo)",
            "install Rust, cargo and rustc (Debian: the package cargo)",
        ),
        ("error: can't find Rust compiler", "install Rust, cargo and rustc (Debian: the package cargo)"),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'cargo': 'cargo'\n'cargo': No such file or directory",
            "install Rust, cargo and rustc (Debian: the package cargo)",
        ),
        (
            "../meson.build:80:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang'], ['nvfortran']]",
            "install a Fortran compiler (Debian: the package gfortran)",
        ),
        ("Problem with the CMake installation, aborting build.", "install CMake (Debian: the package cmake)"),
        (
            "RuntimeError: CMake must be installed to build the following extensions: x",
            "install CMake (Debian: the package cmake)",
        ),
        (
            "CMake Error: CMake was unable to find a build program corresponding to \"Ninja\".  CMAKE_MAKE_PROGRAM is not set.",
            "install Ninja (Debian: the package ninja-build)",
        ),
        ("ERROR: Could not detect Ninja v1.8.2 or newer", "install Ninja (Debian: the package ninja-build)"),
        (
            "pkg-config: not found\nTrying pkg-config --exists mysqlclient",
            "install pkg-config (Debian: the package pkg-config)",
        ),
        (
            "src/x.c:4:10: fatal error: Python.h: No such file or directory\n    4 | #include <Python.h>\ncompilation terminated.\nerror: command '/usr/bin/gcc' failed with exit code 1",
            "install the headers of this Python (Debian: the package python3-dev)",
        ),
        (
            "talib/_ta_lib.c:1229:10: fatal error: ta-lib/ta_defs.h: No such file or directory",
            "install the C library TA-Lib",
        ),
        (
            "talib/_ta_lib.c:1082:10: fatal error: ta-lib/ta_libc.h: No such file or directory",
            "install the C library TA-Lib",
        ),
        ("/usr/bin/ld: cannot find -lta-lib: No such file or directory", "install the C library TA-Lib"),
        (
            "Error: pg_config executable not found.\n\npg_config is required to build psycopg2 from source.",
            "install the client library of PostgreSQL (Debian: the package libpq-dev)",
        ),
        (
            "/bin/sh: 1: mysql_config: not found\nOSError: mysql_config not found",
            "install the client library of MySQL (Debian: the package default-libmysqlclient-dev)",
        ),
        (
            "Exception: Can not find valid pkg-config name.\nSpecify MYSQLCLIENT_CFLAGS and MYSQLCLIENT_LDFLAGS env vars manually",
            "install the client library of MySQL (Debian: the package default-libmysqlclient-dev)",
        ),
        (
            "Error: Please make sure the libxml2 and libxslt development packages are installed.",
            "install libxml2 and libxslt (Debian: the packages libxml2-dev and libxslt1-dev)",
        ),
        (
            "build/temp.linux/_openssl.c:575:10: fatal error: openssl/opensslv.h: No such file or directory",
            "install the headers of OpenSSL (Debian: the package libssl-dev)",
        ),
        (
            "src/c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory",
            "install libffi (Debian: the package libffi-dev)",
        ),
        ("x.c:1:10: fatal error: 'zlib.h' file not found", "install zlib (Debian: the package zlib1g-dev)"),
        (
            "The headers or library files could not be found for jpeg,\na required dependency when compiling Pillow from source.",
            "install the JPEG library (Debian: the package libjpeg-dev)",
        ),
        (
            "src/blob.h:33:10: fatal error: git2.h: No such file or directory",
            "install libgit2 (Debian: the package libgit2-dev)",
        ),
        (
            "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.",
            "install the CUDA toolkit, and name its directory with CUDA_HOME (Debian: the package nvidia-cuda-toolkit)",
        ),
        (
            "error: [Errno 2] No such file or directory: 'gcc'",
            "install a C compiler (Debian: the package build-essential)",
        ),
        (
            "error: [Errno 2] No such file or directory: 'g++'",
            "install a C++ compiler (Debian: the package build-essential)",
        ),
        ("unable to execute 'swig': No such file or directory", "install SWIG (Debian: the package swig)"),
        (
            "error: Microsoft Visual C++ 14.0 or greater is required. Get it with \"Microsoft C++ Build Tools\"",
            "install the Microsoft C++ Build Tools",
        ),
        (
            "x.c:1:10: fatal error: gadget/gadget.h: No such file or directory",
            "install the development package that has the header `gadget/gadget.h`",
        ),
        (
            "/usr/bin/ld: cannot find -lgadget: No such file or directory",
            "install the development package that has the library `gadget`",
        ),
        (
            "Package gadget was not found in the pkg-config search path.\nNo package 'gadget' found",
            "install the development package that has `gadget.pc`",
        ),
        (
            "../meson.build:7:4: ERROR: Dependency \"gadget\" not found (tried pkg-config)",
            "install the development package that has `gadget.pc`",
        ),
    ];

    #[test]
    fn names_what_a_failed_build_missed() {
        for (log, advice) in LOGS {
            assert_eq!(advise(log).as_deref(), Some(*advice), "{log}");
        }
    }

    #[test]
    fn names_nothing_where_nothing_is_missing() {
        for log in [
            "all went well",
            "gcc -I/usr/include/openssl/include -Ilibxml/xmlversion.h -c x.c\nx.c:1:1: error: expected identifier",
            "ValueError: no such gadget",
            "checking for gcc... gcc\nchecking for cmake... /usr/bin/cmake",
        ] {
            assert_eq!(advise(log), None, "{log}");
        }
    }

    #[test]
    fn takes_a_refused_socket_for_what_it_is_offline_alone() {
        for log in [
            "OSError: [Errno 101] Network is unreachable",
            "error: failed to connect (os error 101)",
            "socket.gaierror: [Errno -3] Temporary failure in name resolution",
            "curl: (6) Could not resolve host: a.example",
        ] {
            assert_eq!((advise_offline(log).as_deref(), advise(log)), (Some(GIVE_IT), None), "{log}");
        }
        let compiler = "OSError: [Errno 101] Network is unreachable\ncc: not found";
        assert_eq!(advise_offline(compiler), advise(compiler));
        assert_eq!(advise_offline("ValueError: no"), None);
    }
}
