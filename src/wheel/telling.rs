//! What a log tells about a failed build: its end, and what was missing.

/// How many lines of a log are shown.
const LINES: usize = 25;

/// Texts of logs, and what to do where they occur.
const ADVICE: &[(&[&str], &str)] = &[
    (
        &[
            "failed: No such file or directory",
            "unable to execute 'gcc'",
            "No CMAKE_C_COMPILER could be found",
            "Unknown compiler(s)",
        ],
        "install a C compiler (Debian: the package build-essential)",
    ),
    (
        &["No CMAKE_Fortran_COMPILER", "gfortran: not found"],
        "install a Fortran compiler (Debian: the package gfortran)",
    ),
    (
        &[
            "can't find Rust compiler",
            "Cargo, the Rust package manager, is not installed",
            "cargo: not found",
            "Is `cargo` installed",
        ],
        "install Rust (cargo and rustc)",
    ),
    (&["Python.h: No such file"], "install the headers of this Python (Debian: the package python3-dev)"),
    (
        &["runs with --offline: no internet socket"],
        "build without --offline, or give the build what it wanted to fetch",
    ),
    (
        &["setuptools-scm was unable to detect version"],
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
    let missing_header = || {
        let line = log.lines().find(|line| line.contains("fatal error:") && line.contains(".h: No such file"))?;
        let header = line.split("fatal error:").nth(1)?.split(':').next()?.trim();
        Some(format!("install the development package that has the header `{header}`"))
    };
    let known = ADVICE.iter().find(|(signs, _)| signs.iter().any(|sign| log.contains(sign)));
    known.map(|(_, advice)| (*advice).to_owned()).or_else(missing_header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_the_exception_first_and_names_what_is_missing() {
        let log = "running\nTraceback (most recent call last):\n  File \"x\"\n    y\nValueError: no\n\nbye\n";
        let (exception, end) = telling_end(log);
        assert_eq!(exception.as_deref(), Some("ValueError: no"));
        assert_eq!(end.last().map(String::as_str), Some("bye"));
        assert_eq!(
            advise("a.c:1:10: fatal error: ta-lib/ta_libc.h: No such file or directory").as_deref(),
            Some("install the development package that has the header `ta-lib/ta_libc.h`")
        );
        assert_eq!(advise("all went well"), None);
    }
}
