//! A lock as data for Nix: the project's own lock is read as a build reads it, indexes are asked for the URLs that it does
//! not have, and what sources are built with is chosen where it does not say. Which versions are packed, the lock alone
//! decides: nothing of it is resolved.

mod builds;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::archive::Epoch;
use crate::digest::Sha256Digest;
use crate::error::Error;
use crate::lock::{Absence, BuildsIn, FileLocation, Lock, LockError, LockedPackage, LockedSource, NixLock, Places};
use crate::names::PackageName;
use crate::output::{OutputError, check_not_input, check_target};
use crate::process::{PendingFile, ScratchDir};
use crate::python::default_index;
use crate::resolve::{Location, RemoteFile};
use crate::settings::BuildSettings;
use crate::surroundings::Surroundings;
use crate::wheel::collect::{CollectError, Workshop};
use crate::wheel::index::{IndexFile, list_directories};
use crate::wheel::locked::BuildLock;

use super::super::finder::is_of;
use super::super::inputs::Inputs;
use super::super::workshop::{Commission, choose_target, with_workshop};
use super::super::{Observer, Stage};
use super::Versions;
use super::entries::canonical;
use builds::{Chooser, find_missing};

/// Which lock to write for Nix, and how.
#[derive(Debug, Clone)]
pub struct NixSettings {
    /// What a build would be told.
    pub build: BuildSettings,
    /// The file to write; none for `LOCKNAME.nix.json` where [`Lock::nix_path`] has it.
    pub output: Option<PathBuf>,
    /// What becomes of the versions of build requirements in an earlier document.
    pub versions: Versions,
}

/// A lock that is written for Nix.
#[derive(Debug, Clone)]
pub struct WrittenNix {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// The lock that it is of.
    pub lock: PathBuf,
    /// That one's digest.
    pub lock_sha256: Sha256Digest,
    /// The distributions in it.
    pub packages: usize,
    /// The distributions that its builds need.
    pub build_packages: usize,
    /// The sources of which build requirements are in it.
    pub builds: Vec<PackageName>,
}

/// Writes the lock that `settings` mean, as data for Nix.
///
/// # Errors
/// The error of the stage that failed; an older document is as it was.
pub fn lock_for_nix(
    settings: &NixSettings,
    world: &Surroundings,
    observer: &dyn Observer,
) -> Result<WrittenNix, Error> {
    let build = &settings.build;
    observer.begin(Stage::Setup, "reading the inputs");
    let inputs = Inputs::read(build, world)?;
    let lock = read_lock(&inputs, build)?;
    let path = nix_path(settings, &lock, &inputs);
    check_target(&path)?;
    check_not_input(&path, [lock.path.as_path()])?;
    let interpreter = inputs.find_interpreter(build, world)?;
    let target = choose_target(build, &interpreter)?;
    inputs.check_stated(&lock, &target)?;
    let scratch = ScratchDir::create(&world.temporary)?;
    let commission = Commission {
        settings: build,
        world,
        inputs: &inputs,
        interpreter: &interpreter,
        scratch: &scratch,
        epoch: Epoch::default(),
        build_lock: BuildLock::default(),
        observer,
    };
    let project = inputs.locked_directory();
    let earlier = NixLock::read(&path).ok().flatten();
    let (text, builds) = with_workshop(commission, |workshop| {
        let (lock, inputs, target) = (&lock, &inputs, &target);
        let places = Search { settings: build, world, observer, lock, workshop }.find_places()?;
        // What is nowhere is told before anything is built.
        lock.to_nix(&places, &[], project).map_err(Box::new)?;
        let (earlier, versions) = (earlier.as_ref(), settings.versions);
        let chooser = Chooser { workshop, observer, inputs, lock, places: &places, target, earlier, versions };
        let builds = match lock.builds_in {
            BuildsIn::Lock => lock.builds.clone(),
            BuildsIn::Beside => chooser.choose()?,
        };
        let text = lock.to_nix(&places, &builds, project).map_err(Box::new)?;
        Ok((text, builds))
    })?;
    write(&path, &text)?;
    let mut build_packages = BTreeSet::new();
    for entry in builds.iter().flat_map(|build| &build.packages) {
        build_packages.insert((&entry.package.name, &entry.package.version));
    }
    Ok(WrittenNix {
        path,
        sha256: Sha256Digest::of(text.as_bytes()),
        lock: lock.path.clone(),
        lock_sha256: lock.sha256,
        packages: lock.packages.len() - usize::from(lock.project.is_some()),
        build_packages: build_packages.len(),
        builds: builds.iter().map(|build| build.name.clone()).collect(),
    })
}

/// Tells whether the document that `settings` mean is there and what its lock gives; nothing is asked or written.
///
/// # Errors
/// [`LockError::Stale`] where it has to be made anew; what else is wrong with the inputs or the lock.
pub fn check_for_nix(settings: &NixSettings, world: &Surroundings) -> Result<PathBuf, Error> {
    let build = &settings.build;
    let inputs = Inputs::read(build, world)?;
    let lock = read_lock(&inputs, build)?;
    if inputs.is_stated() {
        inputs.check_stated(&lock, &choose_target(build, &inputs.find_interpreter(build, world)?)?)?;
    }
    let path = nix_path(settings, &lock, &inputs);
    match find_change(&path, &lock, &inputs).map_err(Box::new)? {
        None => Ok(path),
        Some(reason) => Err(Box::new(LockError::stale(&path, reason, lock.nix_command())).into()),
    }
}

/// What of the document at `path` is not what the lock gives.
fn find_change(path: &Path, lock: &Lock, inputs: &Inputs) -> Result<Option<String>, LockError> {
    let document = match NixLock::read(path) {
        Ok(Some(document)) => document,
        Ok(None) => return Ok(Some("it is not there".to_owned())),
        Err(LockError::Malformed { reason, .. }) => return Ok(Some(format!("it cannot be read: {reason}"))),
        Err(error) => return Err(error),
    };
    if let Some(reason) = document.find_staleness(lock) {
        return Ok(Some(reason));
    }
    let project = inputs.locked_directory();
    let builds = match lock.builds_in {
        BuildsIn::Lock => lock.builds.clone(),
        BuildsIn::Beside => document.builds(lock, project)?,
    };
    let places = document.places(lock, project)?;
    Ok(match lock.to_nix(&places, &builds, project) {
        Ok(text) if text == document.text() && lock.builds_in == BuildsIn::Lock => None,
        Ok(text) if text == document.text() => find_missing(inputs, lock, &places, &builds),
        Ok(_) => Some(format!("it is not what `{}` gives", lock.filename())),
        Err(LockError::Unplaced { files, .. }) => {
            let files: Vec<String> = files.iter().map(ToString::to_string).collect();
            Some(format!("it lacks {}", files.join(", ")))
        }
        Err(error) => return Err(error),
    })
}

/// The lock of the inputs, which has to be there: none is made.
fn read_lock(inputs: &Inputs, settings: &BuildSettings) -> Result<Lock, Error> {
    if let Some(found) = inputs.find_lock()? {
        return Ok(found.lock);
    }
    let mut named: Vec<String> = settings.inputs.iter().map(|input| crate::redact::redact_url(input).into()).collect();
    named.extend(settings.requirement_files.iter().map(|file| file.display().to_string()));
    let named = if named.is_empty() { vec![".".to_owned()] } else { named };
    Err(Box::new(LockError::NoLock(format!("`{}`", named.join("`, `")))).into())
}

fn nix_path(settings: &NixSettings, lock: &Lock, inputs: &Inputs) -> PathBuf {
    let path = match &settings.output {
        Some(output) => settings.build.directory.join(output),
        None => lock.nix_path(inputs.locked_directory()),
    };
    match (path.parent(), path.file_name()) {
        (Some(directory), Some(name)) => canonical(directory).join(name),
        _ => path,
    }
}

/// Writes the document beside its name, then gives it that name.
fn write(path: &Path, text: &str) -> Result<(), Error> {
    let io_error = |error| OutputError::Io { path: path.display().to_string(), error };
    PendingFile::remove_abandoned(path);
    let mut pending = PendingFile::create(path).map_err(io_error)?;
    pending.write_all(text.as_bytes()).map_err(io_error)?;
    pending.set_readable().map_err(io_error)?;
    pending.persist().map_err(io_error)?;
    Ok(())
}

/// The search for files of which the lock does not say where they are.
struct Search<'a> {
    settings: &'a BuildSettings,
    world: &'a Surroundings,
    observer: &'a dyn Observer,
    lock: &'a Lock,
    workshop: &'a Workshop<'a>,
}

impl Search<'_> {
    /// Where the directories of `--find-links` and the indexes have them. What lies outside of the project is not found
    /// in a directory: no other machine has it there.
    fn find_places(&self) -> Result<Places, Error> {
        let open = self.lock.without_places();
        let index = self.workshop.index;
        let is_asked = !self.settings.offline && !index.no_index;
        let mut places = Places::new(if is_asked { Absence::NotListed } else { Absence::NotAsked });
        if open.is_empty() {
            return Ok(places);
        }
        let names: BTreeSet<&PackageName> = open.iter().map(|package| &package.name).collect();
        self.observer.begin(
            Stage::Fetch,
            &format!("asking where the files of {} are", crate::shown::count(names.len(), "distribution")),
        );
        let root = canonical(self.lock.path.parent().unwrap_or(Path::new(".")));
        let own: Vec<PathBuf> = index
            .find_links
            .iter()
            .map(|directory| canonical(directory))
            .filter(|directory| directory.starts_with(&root))
            .collect();
        for package in &open {
            let listed = list_directories(&own, &package.name).map_err(CollectError::from)?;
            self.take(package, listed, &mut places)?;
        }
        if is_asked {
            let pages = self.pages(&open)?;
            let borrowed: Vec<(&str, &PackageName)> =
                pages.iter().map(|(index, package)| (index.as_str(), &package.name)).collect();
            let listed = self.workshop.client.list_all(&borrowed).map_err(CollectError::from)?;
            for ((_, package), files) in pages.iter().zip(listed) {
                self.take(package, files.unwrap_or_default(), &mut places)?;
            }
        }
        Ok(places)
    }

    /// The indexes to ask, and for what: the lock's own, else those of a build.
    fn pages<'p>(&self, open: &[&'p LockedPackage]) -> Result<Vec<(String, &'p LockedPackage)>, Error> {
        let own = |package: &LockedPackage| match &package.source {
            LockedSource::Files { index, .. } | LockedSource::Digests { index, .. } => index.clone(),
            _ => None,
        };
        let mut default: Option<Vec<String>> = None;
        let mut pages = Vec::new();
        for &package in open {
            if let Some(index) = own(package) {
                pages.push((index, package));
                continue;
            }
            if default.is_none() {
                default = Some(self.indexes()?);
            }
            pages.extend(default.iter().flatten().map(|index| (index.clone(), package)));
        }
        Ok(pages)
    }

    fn indexes(&self) -> Result<Vec<String>, Error> {
        let index = self.workshop.index;
        let first = match &index.index_url {
            Some(url) => url.clone(),
            None => default_index(self.world, self.workshop.interpreter)?,
        };
        Ok(std::iter::once(first).chain(index.extra_index_urls.iter().cloned()).collect())
    }

    /// Takes of what is listed the files that the entry means; one without a sha256 is fetched for that where its name
    /// does not tell.
    fn take(&self, package: &LockedPackage, listed: Vec<IndexFile>, places: &mut Places) -> Result<(), Error> {
        let wanted: BTreeMap<&str, Sha256Digest> = match &package.source {
            LockedSource::Files { files, .. } => {
                let digest = |file: &crate::lock::LockedFile| file.hash.sha256();
                files.iter().filter_map(|file| Some((file.filename.as_str(), digest(file)?))).collect()
            }
            _ => BTreeMap::new(),
        };
        let digests: BTreeSet<Sha256Digest> = package.digests().into_iter().collect();
        let is_meant = |file: &IndexFile| match &package.source {
            LockedSource::Digests { .. } => {
                is_of(&file.filename, package) && file.sha256.is_none_or(|sha256| digests.contains(&sha256))
            }
            _ => wanted
                .get(file.filename.as_str())
                .is_some_and(|sha256| file.sha256.is_none_or(|found| found == *sha256)),
        };
        for file in listed.into_iter().filter(is_meant) {
            let Some(location) = Location::from_url(&file.url) else { continue };
            let sha256 = match file.sha256.or_else(|| wanted.get(file.filename.as_str()).copied()) {
                Some(sha256) => sha256,
                None => self.digest(&file, &location)?,
            };
            let location = match location {
                Location::Url(url) => FileLocation::Url(url),
                Location::Path(path) => FileLocation::Path(canonical(&path)),
            };
            places.add(&package.name, sha256, &file.filename, location);
        }
        Ok(())
    }

    fn digest(&self, file: &IndexFile, location: &Location) -> Result<Sha256Digest, Error> {
        let (filename, location) = (file.filename.clone(), location.clone());
        let remote = RemoteFile { filename, location, sha256: None, size: file.size };
        let fetched = self.workshop.fetch_files(&[remote], &|_, _| {})?;
        Ok(fetched[0].1)
    }
}
