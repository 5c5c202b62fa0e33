//! The index that is asked where neither settings nor a lock name one: what uv and pip are configured with, else what the
//! interpreter's own pip asks. pyzpack itself knows none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::interpreter::{Interpreter, telling_line};
use crate::status::{Explain, Status};
use crate::surroundings::Surroundings;
use crate::urls;

/// Why there is no default index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no index is configured, and that of `{}` is not known: {reason}", interpreter.display())]
pub struct DefaultIndexError {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// What it says.
    pub reason: String,
}

impl Explain for DefaultIndexError {
    fn status(&self) -> Status {
        Status::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name an index with --index-url".to_owned())
    }
}

const ASK_PIP: &str = include_str!("default_index.py");

/// The URL of the default index: of `UV_DEFAULT_INDEX`, `UV_INDEX_URL`, `PIP_INDEX_URL`, pip's configuration files and
/// uv's (each by its own rules of precedence) the first, else that of the interpreter's pip, which is imported for it and
/// not run. It may hold credentials.
///
/// # Errors
/// [`DefaultIndexError`]: nothing is configured, and the interpreter has no pip.
pub fn default_index(world: &Surroundings, interpreter: &Interpreter) -> Result<String, DefaultIndexError> {
    let configured = world
        .first_text(&["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"])
        .map(|text| without_name(text.trim()).to_owned())
        .or_else(|| of_pip_files(&pip_files(world, interpreter)))
        .or_else(|| of_uv_files(&uv_files(world)));
    configured.map_or_else(|| of_pip(world, interpreter), Ok)
}

/// uv's indexes may have a name: `name=https://...`.
fn without_name(text: &str) -> &str {
    match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => url,
        _ => text,
    }
}

/// pip's configuration files, those that count more last.
pub(crate) fn pip_files(world: &Surroundings, interpreter: &Interpreter) -> Vec<PathBuf> {
    // As pip has it: naming the null device turns all of them off.
    let named = world.variable("PIP_CONFIG_FILE").map(PathBuf::from);
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let mut files = Vec::new();
    if cfg!(windows) {
        files.extend(world.variable("PROGRAMDATA").map(|data| Path::new(data).join("pip/pip.ini")));
        files.extend(world.home().map(|home| home.join("pip/pip.ini")));
        files.extend(world.variable("APPDATA").map(|data| Path::new(data).join("pip/pip.ini")));
    } else {
        files.extend(system_directories(world).into_iter().map(|directory| directory.join("pip/pip.conf")));
        files.push(PathBuf::from("/etc/pip.conf"));
        files.extend(world.home().map(|home| home.join(".pip/pip.conf")));
        files.extend(user_directory(world).map(|directory| directory.join("pip/pip.conf")));
        if cfg!(target_os = "macos") {
            files.extend(world.home().map(|home| home.join("Library/Application Support/pip/pip.conf")));
        }
    }
    let prefix = interpreter.executable.parent().and_then(Path::parent);
    files.extend(prefix.map(|prefix| prefix.join(if cfg!(windows) { "pip.ini" } else { "pip.conf" })));
    files.extend(named);
    files
}

/// uv's own configuration files, the one that counts more first.
pub(crate) fn uv_files(world: &Surroundings) -> Vec<PathBuf> {
    if world.variable("UV_NO_CONFIG").is_some() {
        return Vec::new();
    }
    if let Some(named) = world.variable("UV_CONFIG_FILE") {
        return vec![named.into()];
    }
    let user = if cfg!(windows) { world.variable("APPDATA").map(PathBuf::from) } else { user_directory(world) };
    let system = system_directories(world).into_iter().rev().chain([PathBuf::from("/etc")]);
    user.into_iter().chain(system).map(|directory| directory.join("uv/uv.toml")).collect()
}

/// The user's configuration directory, as the XDG specification has it.
fn user_directory(world: &Surroundings) -> Option<PathBuf> {
    let named = world.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| world.home().map(|home| home.join(".config")))
}

/// The system's configuration directories, as the XDG specification has them, that which counts most last.
fn system_directories(world: &Surroundings) -> Vec<PathBuf> {
    let named = world.variable("XDG_CONFIG_DIRS").map(|list| std::env::split_paths(list).collect::<Vec<_>>());
    let mut directories = named.unwrap_or_else(|| vec![PathBuf::from("/etc/xdg")]);
    directories.retain(|directory| directory.is_absolute());
    directories.reverse();
    directories
}

/// The index that pip's configuration files name: `[install]` counts more than `[global]`, whatever the file.
fn of_pip_files(files: &[PathBuf]) -> Option<String> {
    let (mut global, mut install) = (None, None);
    for text in files.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
        let mut section = "";
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                section = name.0;
                continue;
            }
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            // A line that begins with a blank continues the one before.
            if key.trim_start_matches('-') != "index-url" || line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match section {
                "global" => global = value,
                "install" => install = value,
                _ => {}
            }
        }
    }
    install.or(global)
}

/// The index that the first of uv's configuration files names that names one.
fn of_uv_files(files: &[PathBuf]) -> Option<String> {
    let tables = files.iter().filter_map(|path| std::fs::read_to_string(path).ok()?.parse::<toml::Table>().ok());
    tables.into_iter().find_map(|table| {
        let indexes = table.get("index").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let is_default = |index: &&toml::Value| index.get("default").and_then(toml::Value::as_bool) == Some(true);
        let default = indexes.iter().find(is_default).and_then(|index| index.get("url"));
        let url = default.or_else(|| table.get("index-url")).or_else(|| table.get("pip")?.get("index-url"));
        url.and_then(toml::Value::as_str).map(str::to_owned)
    })
}

/// The index that the interpreter's pip has.
fn of_pip(world: &Surroundings, interpreter: &Interpreter) -> Result<String, DefaultIndexError> {
    let unknown = |reason| DefaultIndexError { interpreter: interpreter.executable.clone(), reason };
    let output = Command::new(&interpreter.executable)
        .args(["-I", "-B", "-c", ASK_PIP])
        .env_clear()
        .envs(&world.environment)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| unknown(format!("it cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(unknown(telling_line(&String::from_utf8_lossy(&output.stderr))));
    }
    let url = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match urls::scheme(&url).as_deref() {
        Some("http" | "https") => Ok(url),
        _ => Err(unknown(format!("it answers `{}`", url.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(environment: &[(&str, &str)]) -> Surroundings {
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Surroundings { environment, temporary: PathBuf::new(), cache: PathBuf::new() }
    }

    #[test]
    fn takes_the_index_of_pip_as_pip_would() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["one", "two", "three"].map(|name| directory.path().join(name));
        let read = |texts: [&str; 2]| {
            files.iter().zip(texts).for_each(|(file, text)| std::fs::write(file, text).unwrap());
            of_pip_files(&files)
        };
        let url = |name: &str| Some(format!("https://{name}.example/simple"));
        let global = "[global]\nindex-url = https://a.example/simple\n";
        assert_eq!(read([global, ""]), url("a"));
        assert_eq!(read([global, "[global]\r\n--INDEX_URL: https://b.example/simple\r\n"]), url("b"));
        assert_eq!(read(["[install]\nindex-url=https://c.example/simple", global]), url("c"));
        assert_eq!(
            read(["[search]\nindex-url = x\n[global]\n# index-url = x\nextra = y\n  index-url = z\n", ""]),
            None
        );
    }

    #[test]
    fn takes_the_index_of_uv_as_uv_would() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("uv.toml");
        for (text, url) in [
            ("[[index]]\nurl = 'x'\n[[index]]\nurl = 'a'\ndefault = true\n", Some("a")),
            ("index-url = 'b'\n", Some("b")),
            ("[pip]\nindex-url = 'c'\n", Some("c")),
            ("[[index]]\nurl = 'x'\n", None),
            ("not toml", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(of_uv_files(std::slice::from_ref(&file)).as_deref(), url, "{text}");
        }
    }

    #[test]
    fn looks_where_pip_and_uv_look() {
        let found = world(&[("HOME", "/h"), ("XDG_CONFIG_DIRS", "/x:relative:/y")]);
        let uv = uv_files(&found);
        assert_eq!(
            uv,
            ["/h/.config/uv/uv.toml", "/x/uv/uv.toml", "/y/uv/uv.toml", "/etc/uv/uv.toml"].map(PathBuf::from)
        );
        assert_eq!(uv_files(&world(&[("UV_CONFIG_FILE", "/u")])), [PathBuf::from("/u")]);
        assert!(uv_files(&world(&[("UV_NO_CONFIG", "1"), ("HOME", "/h")])).is_empty());
    }

    #[test]
    fn takes_the_url_of_a_named_index() {
        assert_eq!(without_name("corp=https://a.example/simple"), "https://a.example/simple");
        assert_eq!(without_name("https://a.example/simple?a=b"), "https://a.example/simple?a=b");
    }
}
