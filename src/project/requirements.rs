//! Requirements files, as pip reads them: requirements, files and directories, other such files, and index options.

use std::path::{Path, PathBuf};

use pep440_rs::{Operator, Version};

use crate::digest::Sha256Digest;
use crate::names::PackageName;
use crate::redact::redact_url;
use crate::status::{Explain, Status};
use crate::target::{Requirement, RequirementError, RequirementSource, specifiers_contain};

/// What a requirements file asks for, those that it includes among it.
#[derive(Debug, Clone, Default)]
pub struct RequirementsFile {
    /// The requirements.
    pub requirements: Vec<HashedRequirement>,
    /// Versions that are wanted where the name is needed anyway.
    pub constraints: Vec<HashedRequirement>,
    /// Files, directories and repositories, as written; relative ones made relative to the file that names them.
    pub inputs: Vec<HashedInput>,
    /// Index options.
    pub index_url: Option<String>,
    /// Further indexes.
    pub extra_index_urls: Vec<String>,
    /// Directories and pages with links to wheels.
    pub find_links: Vec<String>,
    /// Whether no index is asked.
    pub no_index: bool,
    /// Whether everything needs a hash: `--require-hashes` is given, or something has one (pip's rule).
    pub require_hashes: bool,
    /// The lines that name something without a hash.
    unhashed: Vec<Unhashed>,
}

/// A line that names something without a hash.
#[derive(Debug, Clone)]
struct Unhashed {
    /// The distribution, where the line is a requirement: a constraint may have its hash.
    name: Option<PackageName>,
    path: String,
    line: usize,
    text: String,
}

/// A file, directory or repository, and the digests that it may have; none where the line does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedInput {
    /// What the line names.
    pub text: String,
    /// The digests of which the file must have one.
    pub hashes: Vec<Sha256Digest>,
}

/// A requirement, and the digests that its wheel may have; none where the file does not say.
#[derive(Debug, Clone)]
pub struct HashedRequirement {
    /// The requirement.
    pub requirement: Requirement,
    /// The digests of which the wheel must have one.
    pub hashes: Vec<Sha256Digest>,
}

/// Why a requirements file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RequirementsError {
    /// It cannot be read.
    #[error("cannot read the requirements file `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A line is no requirement.
    #[error("`{path}`, line {line}: {error}")]
    Requirement {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        error: RequirementError,
    },
    /// An option that is not understood, or lacks its value.
    #[error("`{path}`, line {line}: {reason}: `{text}`")]
    Option {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
        /// The line's text.
        text: String,
    },
    /// Files that include each other.
    #[error("requirements file `{0}` includes itself")]
    Cycle(String),
}

impl Explain for RequirementsError {
    fn status(&self) -> Status {
        Status::Usage
    }
}

impl RequirementsFile {
    /// Reads the file at `path` and those that it includes.
    ///
    /// # Errors
    /// When one of them cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, RequirementsError> {
        let mut file = Self::default();
        file.include(path, Purpose::Require, &mut Vec::new())?;
        if file.require_hashes {
            file.check_all_hashed()?;
        }
        Ok(file)
    }

    /// Refuses what has no hash, neither its own nor a constraint's.
    ///
    /// # Errors
    /// When there is such a line.
    pub fn check_all_hashed(&self) -> Result<(), RequirementsError> {
        let constrained = |name: &PackageName| {
            self.constraints.iter().any(|one| one.requirement.name == *name && !one.hashes.is_empty())
        };
        let unhashed = self.unhashed.iter().find(|line| !line.name.as_ref().is_some_and(constrained));
        let Some(Unhashed { path, line, text, .. }) = unhashed.cloned() else { return Ok(()) };
        let reason = "a sha256 hash is needed here too: everything has one or nothing";
        Err(RequirementsError::Option { path, line, reason, text })
    }

    /// Whether it may be taken as a lock: it names something, everything is pinned to one version (no wildcard) or one
    /// file, and everything has a sha256 hash.
    pub fn is_complete(&self) -> bool {
        let pinned = |one: &HashedRequirement| {
            (one.requirement.specifiers().is_none() || one.pinned_version().is_some())
                && self.violated_constraint(one).is_none()
                && self.common_hashes(one).is_some_and(|hashes| !hashes.is_empty())
        };
        let hashed_file = |input: &HashedInput| !input.hashes.is_empty();
        !(self.requirements.is_empty() && self.inputs.is_empty())
            && self.requirements.iter().all(pinned)
            && self.inputs.iter().all(hashed_file)
    }

    /// A constraint that the pinned version of a requirement does not satisfy.
    pub(crate) fn violated_constraint(&self, one: &HashedRequirement) -> Option<&HashedRequirement> {
        let version = one.pinned_version()?;
        let violated = |constraint: &&HashedRequirement| {
            constraint.requirement.specifiers().is_some_and(|bound| !specifiers_contain(bound, version))
        };
        self.constraints.iter().filter(|other| other.applies_to(&one.requirement.name)).find(violated)
    }

    /// The digests of a requirement: its own, those of constraints on its name, and the one in its URL. As with pip,
    /// what several of them give is what all allow, which may be nothing; none where no one gives any.
    pub(crate) fn common_hashes(&self, one: &HashedRequirement) -> Option<Vec<Sha256Digest>> {
        let constraints = self.constraints.iter().filter(|other| other.applies_to(&one.requirement.name));
        let in_url = digest_in_url(&one.requirement).map(|digest| vec![digest]);
        let given = std::iter::once(&one.hashes).chain(constraints.map(|constraint| &constraint.hashes)).chain(&in_url);
        given.filter(|hashes| !hashes.is_empty()).fold(None, |common: Option<Vec<Sha256Digest>>, hashes| {
            Some(match common {
                None => hashes.clone(),
                Some(before) => before.into_iter().filter(|digest| hashes.contains(digest)).collect(),
            })
        })
    }

    fn include(&mut self, path: &Path, purpose: Purpose, open: &mut Vec<PathBuf>) -> Result<(), RequirementsError> {
        let shown = path.display().to_string();
        if open.iter().any(|other| other == path) {
            return Err(RequirementsError::Cycle(shown));
        }
        let text = std::fs::read_to_string(path).map_err(|error| RequirementsError::Read { path: shown, error })?;
        open.push(path.to_owned());
        for (line, text) in logical_lines(&text) {
            self.take_line(&text, line, path, purpose, open)?;
        }
        open.pop();
        Ok(())
    }

    fn take_line(
        &mut self,
        text: &str,
        line: usize,
        path: &Path,
        purpose: Purpose,
        open: &mut Vec<PathBuf>,
    ) -> Result<(), RequirementsError> {
        let base = path.parent().unwrap_or(Path::new(""));
        let refuse = |reason| RequirementsError::Option {
            path: path.display().to_string(),
            line,
            reason,
            text: redact_url(text).into_owned(),
        };
        let unhashed =
            |name| Unhashed { name, path: path.display().to_string(), line, text: redact_url(text).into_owned() };
        if let Some((option, value)) = split_option(text) {
            let value = || value.filter(|value| !value.is_empty()).ok_or_else(|| refuse("the option lacks its value"));
            match option {
                "-r" | "--requirement" => self.include(&base.join(value()?), Purpose::Require, open)?,
                "-c" | "--constraint" => self.include(&base.join(value()?), Purpose::Constrain, open)?,
                "-e" | "--editable" => {
                    self.inputs.push(HashedInput { text: relative_to(base, value()?), hashes: Vec::new() });
                    self.unhashed.push(unhashed(None));
                }
                "-i" | "--index-url" | "--pypi-url" => self.index_url = Some(value()?.to_owned()),
                "--extra-index-url" => self.extra_index_urls.push(value()?.to_owned()),
                "-f" | "--find-links" => self.find_links.push(relative_to(base, value()?)),
                "--no-index" => self.no_index = true,
                "--require-hashes" => self.require_hashes = true,
                // Without them other files would be chosen than the file asks for.
                "--pre" | "--only-binary" | "--no-binary" => {
                    return Err(refuse("the option is not supported, and would change what is chosen"));
                }
                // A preference, and permissions that are not used.
                "--prefer-binary" | "--trusted-host" | "--use-feature" => {}
                _ => return Err(refuse("the option is not understood")),
            }
            return Ok(());
        }
        let mut words = text.split(" --").map(str::trim);
        let specification = words.next().unwrap_or_default();
        let (mut hashes, mut any_hash) = (Vec::new(), false);
        for option in words {
            let hash = option.strip_prefix("hash").map(|rest| rest.trim_start_matches(['=', ' ']));
            any_hash |= hash.is_some();
            match hash.and_then(|hash| hash.strip_prefix("sha256:")) {
                Some(digest) => hashes.push(digest.trim().parse().map_err(|_| refuse("not a sha256 digest"))?),
                // Another algorithm's digest beside a sha256 one says nothing more.
                None if hash.is_some() => {}
                None => return Err(refuse("the option is not understood")),
            }
        }
        if any_hash && hashes.is_empty() {
            return Err(refuse("a sha256 hash is needed"));
        }
        self.require_hashes |= any_hash;
        if looks_like_path(specification) || specification.starts_with("git+") {
            if !any_hash {
                self.unhashed.push(unhashed(None));
            }
            self.inputs.push(HashedInput { text: relative_to(base, specification), hashes });
            return Ok(());
        }
        let requirement: Requirement = specification.parse().map_err(|error| {
            let path = path.display().to_string();
            RequirementsError::Requirement { path, line, error }
        })?;
        match purpose {
            Purpose::Require => {
                if !any_hash && digest_in_url(&requirement).is_none() {
                    self.unhashed.push(unhashed(Some(requirement.name.clone())));
                }
                self.requirements.push(HashedRequirement { requirement, hashes });
            }
            Purpose::Constrain => self.constraints.push(HashedRequirement { requirement, hashes }),
        }
        Ok(())
    }
}

impl HashedRequirement {
    /// The version that `==VERSION` alone asks for.
    pub(crate) fn pinned_version(&self) -> Option<&Version> {
        let mut specifiers = self.requirement.specifiers()?.iter();
        let only = specifiers.next()?;
        let exact = matches!(only.operator(), Operator::Equal | Operator::ExactEqual);
        (specifiers.next().is_none() && exact).then(|| only.version())
    }

    /// Whether it, a constraint, counts everywhere for this name; one with a marker may not.
    fn applies_to(&self, name: &PackageName) -> bool {
        self.requirement.name == *name && self.requirement.marker.is_none()
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    Require,
    Constrain,
}

/// The digest that a requirement's URL has in its fragment: `#sha256=...`.
pub(crate) fn digest_in_url(requirement: &Requirement) -> Option<Sha256Digest> {
    let RequirementSource::Url(url) = &requirement.source else { return None };
    let (_, fragment) = url.with_credentials().split_once('#')?;
    fragment.split('&').find_map(|part| part.strip_prefix("sha256=")?.parse().ok())
}

/// Whether a word names a file or directory rather than a distribution.
pub(crate) fn looks_like_path(text: &str) -> bool {
    let bare = text.split('[').next().unwrap_or(text);
    let named = [".whl", ".tar.gz", ".zip", ".py"].iter().any(|end| bare.ends_with(end)) && !text.contains('@');
    text == "."
        || text == ".."
        || text.starts_with("./")
        || text.starts_with("../")
        || text.starts_with('/')
        || named
        || (bare.contains('/') && !text.contains('@') && !text.contains("://"))
}

fn relative_to(base: &Path, text: &str) -> String {
    if text.contains("://") || base.as_os_str().is_empty() {
        return text.to_owned();
    }
    base.join(text).display().to_string()
}

/// Lines without comments, joined where one ends in a backslash, with the number of their first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let continued = raw.trim_end().strip_suffix('\\');
        let bare = strip_comment(continued.unwrap_or(raw));
        let (number, mut joined) = pending.take().unwrap_or((index + 1, String::new()));
        joined.push_str(bare);
        if continued.is_some() {
            joined.push(' ');
            pending = Some((number, joined));
        } else if !joined.trim().is_empty() {
            lines.push((number, joined.trim().to_owned()));
        }
    }
    lines.extend(pending.map(|(number, text)| (number, text.trim().to_owned())).filter(|(_, text)| !text.is_empty()));
    lines
}

/// A `#` begins a comment at the start of a line or behind a blank: URLs have fragments.
fn strip_comment(line: &str) -> &str {
    let mut previous = ' ';
    for (at, character) in line.char_indices() {
        if character == '#' && previous.is_whitespace() {
            return &line[..at];
        }
        previous = character;
    }
    line
}

/// An option that a line begins with, and its value.
fn split_option(text: &str) -> Option<(&str, Option<&str>)> {
    if !text.starts_with('-') {
        return None;
    }
    let (short, value) = text.split_at(1 + text[1..].chars().next().map_or(0, char::len_utf8));
    if short != "--" && !value.is_empty() && !value.starts_with([' ', '=', '\t']) {
        return Some((short, Some(value.trim())));
    }
    match text.split_once(|separator: char| separator == '=' || separator.is_whitespace()) {
        Some((option, value)) => Some((option, Some(value.trim().trim_matches(['"', '\''])))),
        None => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_pip_reads() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let digest = Sha256Digest::of(b"x");
        write(
            "requirements.txt",
            &format!(
                "# comment\n--index-url https://i.example/simple  # here\n-r more.txt\n-c limits.txt\n\
                 a==1.0 \\\n    --hash=sha256:{digest} \\\n    --hash=sha512:00  # both\n./local.whl --hash=sha256:{digest}\n\
                 b @ https://h.example/b.zip#sha256={digest} ; python_version > '3'\n--find-links=wheels\n--no-index\n"
            ),
        );
        write("more.txt", "c>=1\n");
        write("limits.txt", &format!("d<2\nc<3 --hash=sha256:{digest}\n"));
        let file = RequirementsFile::read(&directory.path().join("requirements.txt")).unwrap();
        let shown: Vec<String> = file.requirements.iter().map(|one| one.requirement.to_string()).collect();
        assert_eq!(shown.len(), 3);
        assert_eq!((shown[0].as_str(), shown[1].as_str()), ("c>=1", "a==1.0"));
        assert_eq!(file.requirements[1].hashes, [digest]);
        assert_eq!(file.constraints[0].requirement.to_string(), "d<2");
        let here = |name: &str| directory.path().join(name).display().to_string();
        assert_eq!(file.constraints[1].hashes, [digest]);
        assert_eq!(file.inputs, [HashedInput { text: here("./local.whl"), hashes: vec![digest] }]);
        assert!(file.require_hashes);
        assert_eq!(file.find_links, [here("wheels")]);
        assert_eq!(file.index_url.as_deref(), Some("https://i.example/simple"));
        assert!(file.no_index);
    }

    #[test]
    fn names_file_and_line_of_what_it_cannot_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.txt");
        let message = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = RequirementsFile::read(&path).unwrap_err().to_string();
            error.replace(&directory.path().display().to_string(), "DIR")
        };
        assert_eq!(message("a\n--frobnicate\n"), "`DIR/r.txt`, line 2: the option is not understood: `--frobnicate`");
        assert_eq!(message("-\u{e9}t\u{e9}\n"), "`DIR/r.txt`, line 1: the option is not understood: `-\u{e9}t\u{e9}`");
        assert_eq!(message("\n-r\n"), "`DIR/r.txt`, line 2: the option lacks its value: `-r`");
        assert_eq!(message("a --hash=sha256:12\n"), "`DIR/r.txt`, line 1: not a sha256 digest: `a --hash=sha256:12`");
        assert_eq!(
            message("a --hash=sha512:12\n"),
            "`DIR/r.txt`, line 1: a sha256 hash is needed: `a --hash=sha512:12`"
        );
        let hashed = format!("a --hash=sha256:{}\n", Sha256Digest::of(b"x"));
        let needed = "a sha256 hash is needed here too: everything has one or nothing";
        for unhashed in ["b==1", "./b.whl", "-e b", "git+https://h.example/b"] {
            assert_eq!(
                message(&format!("{hashed}{unhashed}\n")),
                format!("`DIR/r.txt`, line 2: {needed}: `{unhashed}`")
            );
        }
        assert_eq!(message("--require-hashes\nb\n"), format!("`DIR/r.txt`, line 2: {needed}: `b`"));
        for option in ["--pre", "--only-binary :all:", "--no-binary=b"] {
            let reason = "the option is not supported, and would change what is chosen";
            assert_eq!(message(&format!("{option}\n")), format!("`DIR/r.txt`, line 1: {reason}: `{option}`"));
        }
        assert_eq!(message("-r r.txt\n"), "requirements file `DIR/r.txt` includes itself");
    }
}
