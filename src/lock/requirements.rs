//! Requirements files in which everything is pinned with `==` and has sha256 hashes: as good as a lock
//! ([`RequirementsFile::is_complete`]).
//!
//! What it includes (`-r`, `-c`) is read with it; the lock's digest is that of the named file alone. Index options are
//! no part of the lock: an entry has the file's `--index-url` where that is the only place, and otherwise it is found
//! where [`RequirementsFile`] says, from which the options are taken anyway.

use super::bounds::Bounds;
use super::entries::LocalPart;
use super::listing::{Listing, archive};
use super::places::http_url;
use super::{
    Context, Document, EntryFault, FileHash, FileLocation, Lock, LockError, LockedPackage, LockedSource, Membership,
};
use crate::names::PackageName;
use crate::project::requirements::{HashedInput, HashedRequirement, RequirementsFile};
use crate::target::{RequirementSource, WheelFilename, is_sdist_name};

pub(super) fn read(document: &Document<'_>, context: Context<'_>) -> Result<Lock, LockError> {
    let file = RequirementsFile::read(document.path).map_err(|error| document.malformed(error))?;
    let bounds = document.bounds(context)?;
    let only_index = file.extra_index_urls.is_empty() && file.find_links.is_empty() && !file.no_index;
    let index = file.index_url.as_ref().filter(|_| only_index);
    let mut listing = Listing::default();
    for one in &file.requirements {
        let requirement = &one.requirement;
        let refuse = |fault| LockError::entry(document.path, requirement.to_string(), fault);
        let package = read_requirement(&file, one, index).map_err(refuse)?;
        listing.add(Membership::Base, package, requirement.extras.clone(), requirement.marker.clone());
    }
    for input in &file.inputs {
        let refuse = |fault| LockError::entry(document.path, input.text.clone(), fault);
        let package = read_input(&bounds, input).map_err(refuse)?;
        listing.add(Membership::Base, package, std::collections::BTreeSet::new(), None);
    }
    if listing.packages.is_empty() {
        return Err(document.malformed("it names nothing"));
    }
    Ok(Lock { extras: None, groups: None, packages: listing.packages, roots: listing.roots, ..document.empty_lock() })
}

/// Refuses a requirement that leaves open which version, or which file.
fn check_pinned(file: &RequirementsFile, one: &HashedRequirement) -> Result<Vec<FileHash>, EntryFault> {
    let requirement = &one.requirement;
    if let Some(specifiers) = requirement.specifiers().filter(|_| one.pinned_version().is_none()) {
        let written = if specifiers.is_empty() { "no version".to_owned() } else { format!("`{specifiers}`") };
        return Err(EntryFault::Field(format!("it has {written}, and a lock has `==VERSION`")));
    }
    if let Some(constraint) = file.violated_constraint(one) {
        let message = format!("it does not satisfy the constraint `{}`", constraint.requirement);
        return Err(EntryFault::Field(message));
    }
    let hashes = file.common_hashes(one).ok_or_else(|| EntryFault::NoHash { file: requirement.to_string() })?;
    if hashes.is_empty() {
        let message = format!("the hashes that are given for `{}` exclude each other", requirement.name);
        return Err(EntryFault::Field(message));
    }
    Ok(hashes.into_iter().map(FileHash::Sha256).collect())
}

fn read_requirement(
    file: &RequirementsFile,
    one: &HashedRequirement,
    index: Option<&String>,
) -> Result<LockedPackage, EntryFault> {
    let requirement = &one.requirement;
    let digests = check_pinned(file, one)?;
    match &requirement.source {
        RequirementSource::Url(url) => {
            let (url, fragment) = url.with_credentials().split_once('#').unwrap_or((url.with_credentials(), ""));
            let subdirectory = fragment.split('&').find_map(|part| part.strip_prefix("subdirectory="));
            archive(requirement.name.clone(), FileLocation::Url(http_url(url)?), &digests, subdirectory)
        }
        RequirementSource::Versions(_) => {
            let version = one.pinned_version().cloned();
            let source = LockedSource::Digests { digests, index: index.cloned() };
            LockedPackage::new(requirement.name.clone(), version, source, LocalPart::Stated)
        }
    }
}

/// A wheel or source distribution on this machine: its name says which distribution it is.
fn read_input(bounds: &Bounds, input: &HashedInput) -> Result<LockedPackage, EntryFault> {
    if !input.text.ends_with(".whl") && !is_sdist_name(&input.text) {
        return Err(EntryFault::Field(
            "a lock names distributions and files, no directory and no repository".to_owned(),
        ));
    }
    let digests: Vec<FileHash> = input.hashes.iter().copied().map(FileHash::Sha256).collect();
    if digests.is_empty() {
        return Err(EntryFault::NoHash { file: input.text.clone() });
    }
    // It was made relative to the file that names it, which is relative to where this runs.
    let path = std::path::absolute(&input.text).map_err(|_| EntryFault::FileName(input.text.clone()))?;
    let path = bounds.resolve(&path.to_string_lossy())?;
    let filename = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    archive(name_in(filename)?, FileLocation::Path(path.clone()), &digests, None)
}

/// The distribution that a file's name names.
fn name_in(filename: &str) -> Result<PackageName, EntryFault> {
    let refused = || EntryFault::FileName(filename.to_owned());
    if filename.ends_with(".whl") {
        return filename.parse::<WheelFilename>().map(|wheel| wheel.name).map_err(|_| refused());
    }
    let (name, _) = filename.rsplit_once('-').ok_or_else(refused)?;
    name.parse().map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;

    /// A directory with files; in them, `HASH` stands for a sha256 hash option and `OTHER` for another one.
    fn write(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let option = |text: &[u8]| format!("--hash=sha256:{}", Sha256Digest::of(text));
        for (name, text) in files {
            let text = text.replace("HASH", &option(b"")).replace("OTHER", &option(b"x"));
            let text = text.replace("DIGEST", &Sha256Digest::of(b"").to_string());
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    /// The lock of `requirements.txt`, or what is wrong with it, and whether it may be taken as a lock unasked.
    fn read(files: &[(&str, &str)]) -> (Result<Lock, String>, Option<bool>) {
        let directory = write(files);
        let path = directory.path().join("requirements.txt");
        let real = directory.path().canonicalize().unwrap().display().to_string();
        let complete = RequirementsFile::read(&path).ok().map(|file| file.is_complete());
        let shown = directory.path().display().to_string();
        let lock = Lock::read(&path, Context { project: None, name: None });
        (lock.map_err(|error| error.to_string().replace(&real, "DIR").replace(&shown, "DIR")), complete)
    }

    fn refusal(text: &str) -> (String, Option<bool>) {
        let (lock, complete) = read(&[("requirements.txt", text)]);
        (lock.unwrap_err(), complete)
    }

    #[test]
    fn reads_what_pip_and_uv_write() {
        let (lock, complete) = read(&[
            (
                "requirements.txt",
                "-i https://index.example/simple\n-r more.txt\n-c limits.txt\n\
                 A.b[x,Y]==1.0 ; python_version < '3.9' HASH OTHER\na_b[z]==2.0 ; python_version >= '3.9' OTHER\n\
                 c @ https://files.example/c-3-py3-none-any.whl#sha256=DIGEST\n\
                 d @ https://files.example/d-4.tar.gz#subdirectory=sub HASH\n",
            ),
            ("more.txt", "a-b==2.0 HASH OTHER\ne===5 HASH\n"),
            ("limits.txt", "a-b<3\ne>=5\ne<5 ; python_version < '3'\n"),
        ]);
        let lock = lock.unwrap();
        assert_eq!(complete, Some(true));
        let entries: Vec<String> = lock.packages.iter().map(LockedPackage::entry).collect();
        assert_eq!(entries, ["a-b 2.0", "e 5", "a-b 1.0", "c 3", "d"]);
        let digests = vec![FileHash::Sha256(Sha256Digest::of(b"x"))];
        let index = Some("https://index.example/simple".to_owned());
        assert_eq!(lock.packages[0].source, LockedSource::Digests { digests, index });
        let roots: Vec<String> = lock
            .roots
            .iter()
            .map(|root| {
                let marker = root.edge.marker.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{} {:?} {marker}", root.edge.to.0, root.edge.extras)
            })
            .collect();
        let expected = [
            r"0 {} ",
            r"1 {} ",
            r#"2 {"x", "y"} python_version < "3.9""#,
            r#"0 {"z"} python_version >= "3.9""#,
            r"3 {} ",
            r"4 {} ",
        ];
        assert_eq!(roots, expected);
        let LockedSource::Archive { file, subdirectory } = &lock.packages[4].source else { panic!() };
        assert_eq!(file.location, FileLocation::Url("https://files.example/d-4.tar.gz".to_owned()));
        assert_eq!(subdirectory.as_deref(), Some(std::path::Path::new("sub")));
    }

    #[test]
    fn leaves_the_place_to_the_options_where_there_are_several() {
        for option in ["--extra-index-url https://other.example/simple", "--find-links wheels", "--no-index"] {
            let text = format!("-i https://index.example/simple\n{option}\na==1 HASH\n");
            let lock = read(&[("requirements.txt", &text)]).0.unwrap();
            let LockedSource::Digests { index, .. } = &lock.packages[0].source else { panic!() };
            assert_eq!(*index, None, "{option}");
        }
    }

    #[test]
    fn takes_the_hash_of_a_constraint() {
        let limits = ("limits.txt", "a==1 HASH OTHER\n");
        let lock = read(&[("requirements.txt", "-c limits.txt\na==1\nb==1 HASH\n"), limits]).0.unwrap();
        let LockedSource::Digests { digests, .. } = &lock.packages[0].source else { panic!() };
        assert_eq!(digests.len(), 2);
        let (refused, complete) = read(&[("requirements.txt", "-c limits.txt\na==2\nb==1 HASH\n"), limits]);
        let message = "`DIR/requirements.txt`, a==2: it does not satisfy the constraint `a==1`";
        assert_eq!((refused.unwrap_err().as_str(), complete), (message, Some(false)));
        let none = [("requirements.txt", "-c limits.txt\na==1 HASH\n"), ("limits.txt", "a==1 OTHER\n")];
        let message = "`DIR/requirements.txt`, a==1: the hashes that are given for `a` exclude each other";
        assert_eq!(read(&none).0.unwrap_err(), message);
    }

    #[test]
    fn takes_hashed_wheels_beside_it_alone() {
        let name = "f-1-py3-none-any.whl";
        let lock = read(&[("requirements.txt", "./f-1-py3-none-any.whl HASH\n"), (name, "")]).0.unwrap();
        let LockedSource::Archive { file, .. } = &lock.packages[0].source else { panic!() };
        let FileLocation::Path(path) = &file.location else { panic!() };
        assert!(path.is_absolute() && path.ends_with(name));
        let (message, complete) = refusal("../f-1-py3-none-any.whl HASH\n");
        assert!(message.ends_with("f-1-py3-none-any.whl` is outside of the project"), "{message}");
        assert_eq!(complete, Some(true));
        let (message, complete) = refusal("./f-1.whl HASH\n");
        let name_of_neither = "`f-1.whl` is the name of neither a wheel nor a source distribution";
        assert!(message.ends_with(name_of_neither), "{message}");
        assert_eq!(complete, Some(true));
    }

    #[test]
    fn names_the_requirement_that_is_not_locked() {
        let entry = |entry: &str, fault: &str| format!("`DIR/requirements.txt`, {entry}: {fault}");
        for (line, shown, fault) in [
            ("a>=1 HASH", "a>=1", "it has `>=1`, and a lock has `==VERSION`"),
            ("a==1.* HASH", "a==1.*", "it has `==1.*`, and a lock has `==VERSION`"),
            ("a==1,!=2 HASH", "a!=2,==1", "it has `==1, !=2`, and a lock has `==VERSION`"),
            ("a HASH", "a", "it has no version, and a lock has `==VERSION`"),
            ("a==1", "a==1", "`a==1` has no hash"),
            (
                "a @ ftp://files.example/a-1.zip HASH",
                "a @ ftp://files.example/a-1.zip",
                "`ftp://files.example/a-1.zip` is neither an http nor an https URL",
            ),
            (
                "a @ https://files.example/a HASH",
                "a @ https://files.example/a",
                "`a` is the name of neither a wheel nor a source distribution",
            ),
            (
                "a @ https://files.example/b-1-py3-none-any.whl HASH",
                "a @ https://files.example/b-1-py3-none-any.whl",
                "`b-1-py3-none-any.whl` is of the name b, expected a",
            ),
            (
                "a @ https://files.example/a-1.zip HASH OTHER",
                "a @ https://files.example/a-1.zip",
                "`a-1.zip` is one file and has 2 sha256 hashes",
            ),
            (
                "a @ https://files.example/a-1.zip#subdirectory=../b HASH",
                "a @ https://files.example/a-1.zip#subdirectory=../b",
                "`../b` is outside of the project",
            ),
        ] {
            assert_eq!(refusal(&format!("{line}\n")).0, entry(shown, fault), "{line}");
        }
        for (line, complete) in [("a>=1 HASH", false), ("a==1", false), ("a==1 HASH", true), ("-e .", false)] {
            let directory = write(&[("requirements.txt", line)]);
            let file = RequirementsFile::read(&directory.path().join("requirements.txt")).unwrap();
            assert_eq!(file.is_complete(), complete, "{line}");
        }
        assert!(refusal("-e .\n").0.contains("a lock names distributions and files, no directory and no repository"));
        assert_eq!(refusal("# nothing\n").0, "`DIR/requirements.txt` cannot be read as a lock: it names nothing");
        let half = "`DIR/requirements.txt` cannot be read as a lock: `DIR/requirements.txt`, line 2: a sha256 hash is \
                    needed here too: everything has one or nothing: `b==1`";
        assert_eq!(refusal("a==1 HASH\nb==1\n"), (half.to_owned(), None));
    }
}
