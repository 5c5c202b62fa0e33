//! Resolving for a lock: every file of every version that was chosen, and where each is needed.

use std::fmt::Write as _;
use std::path::Path;

use super::{Artifact, RemoteFile, Request, ResolveError, Resolved, Session, closed, pip, uv, write_lines};
use crate::names::PackageName;
use crate::surroundings::Surroundings;
use crate::target::Marker;

/// What a lock is resolved for.
#[derive(Debug, Clone, Copy)]
pub struct PinRequest<'a> {
    /// The requirements, and what they are resolved with.
    pub request: Request<'a>,
    /// For which platforms and Pythons.
    pub extent: Extent<'a>,
    /// Versions that are taken where nothing speaks against them.
    pub preferred: &'a [Preferred],
    /// Versions that a wider resolution chose, which this one has to keep to.
    pub settled: &'a [Pinned],
}

/// For which platforms and Pythons versions are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent<'a> {
    /// For the request's target alone.
    Target,
    /// For every platform, and every Python from `lowest` on.
    Everywhere {
        /// The lowest version of Python: `3.9`.
        lowest: &'a str,
        /// Whether one version for all Pythons is better than the newest for each.
        fewest: bool,
    },
}

/// A version that an earlier lock chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferred {
    /// The distribution.
    pub name: PackageName,
    /// Its version.
    pub version: String,
    /// Where it was chosen for.
    pub marker: Option<Marker>,
}

/// A distribution in a version that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Its name.
    pub name: PackageName,
    /// Its version; a directory's may be unknown until it is built.
    pub version: Option<String>,
    /// Where it is needed; none for everywhere.
    pub marker: Option<Marker>,
    /// What it can be had from.
    pub source: PinnedSource,
}

/// What a distribution can be had from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinnedSource {
    /// Files of an index or of a directory of wheels, for whichever targets the extent has.
    Files(Vec<RemoteFile>),
    /// What a requirement names itself.
    Direct(Artifact),
}

/// What requirements come to, for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinning {
    /// The distributions, by name and version.
    pub packages: Vec<Pinned>,
    /// What resolved them: `uv`, `pip`, or what was at hand.
    pub resolver: &'static str,
}

/// Resolves requirements for a lock; files that the resolver needs are made below `scratch`.
///
/// # Errors
/// [`ResolveError`]; [`ResolveError::Everywhere`] where there is no uv and one target is not enough.
pub fn pin(wanted: &PinRequest<'_>, surroundings: &Surroundings, scratch: &Path) -> Result<Pinning, ResolveError> {
    let request = &wanted.request;
    if wanted.extent == Extent::Target
        && let Some(packages) = closed::resolve(request, &request.full_target()).map_err(Box::new)?
    {
        return Ok(Pinning { packages: one_file_each(packages, |_| false), resolver: "the wheels at hand" });
    }
    let place = tempfile::Builder::new().prefix("pin-").tempdir_in(scratch).map_err(ResolveError::Prepare)?.keep();
    let mut session = Session::open(request, surroundings, &place).map_err(ResolveError::Prepare)?;
    session.constrain(&settled_lines(wanted.settled)).map_err(ResolveError::Prepare)?;
    let program = surroundings.find_program("uv");
    let answer = program.map(|uv| uv::pin(&uv, &session, wanted)).transpose()?.flatten();
    let (mut packages, resolver) = match (answer, wanted.extent) {
        (Some(packages), _) => (packages, "uv"),
        (None, Extent::Everywhere { .. }) => {
            return Err(ResolveError::Everywhere { target: request.full_target().to_string() });
        }
        (None, Extent::Target) => {
            let lines = settled_lines(wanted.preferred.iter());
            // A preference that cannot be had gives way, all of them at once: pip knows no softer constraint.
            let preferring = Session::open(request, surroundings, &session.place.join("preferring"));
            let mut preferring = preferring.map_err(ResolveError::Prepare)?;
            preferring.constrain(&settled_lines(wanted.settled)).map_err(ResolveError::Prepare)?;
            preferring.constrain(&lines).map_err(ResolveError::Prepare)?;
            let found = match pip::pin(&preferring) {
                Err(ResolveError::Unsatisfied { .. }) if !lines.is_empty() => pip::pin(&session)?,
                found => found?,
            };
            (found, "pip")
        }
    };
    packages.sort_by(|left, right| {
        (&left.name, &left.version, &left.marker).cmp(&(&right.name, &right.version, &right.marker))
    });
    Ok(Pinning { packages, resolver })
}

impl Session<'_> {
    /// Adds constraints to those of the request.
    fn constrain(&mut self, lines: &[String]) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.place.join("constraints.in");
        let known = fs_err::read_to_string(&path)?;
        fs_err::remove_file(&path)?;
        let lines: Vec<String> = known.lines().map(str::to_owned).chain(lines.iter().cloned()).collect();
        write_lines(&path, &lines)
    }
}

/// A name and a version, and where they belong together.
trait Settles {
    fn parts(&self) -> Option<(&PackageName, &str, Option<&Marker>)>;
}

impl Settles for Pinned {
    fn parts(&self) -> Option<(&PackageName, &str, Option<&Marker>)> {
        // What is named by URL or path is itself the only choice.
        let chosen = matches!(self.source, PinnedSource::Files(_));
        chosen.then_some(()).and(self.version.as_deref()).map(|version| (&self.name, version, self.marker.as_ref()))
    }
}

impl Settles for Preferred {
    fn parts(&self) -> Option<(&PackageName, &str, Option<&Marker>)> {
        Some((&self.name, &self.version, self.marker.as_ref()))
    }
}

/// Constraints that leave these versions alone.
fn settled_lines<'a, T: Settles + 'a>(settled: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    let line = |(name, version, marker): (&PackageName, &str, Option<&Marker>)| {
        let marker = marker.map(|marker| format!(" ; {marker}")).unwrap_or_default();
        format!("{name}=={version}{marker}")
    };
    settled.into_iter().filter_map(Settles::parts).map(line).collect()
}

/// A lock as uv reads it for versions to prefer: names, versions and markers, without any file.
pub(super) fn preferences(preferred: &[Preferred]) -> String {
    let mut text = "lock-version = \"1.0\"\ncreated-by = \"pyzpack\"\n".to_owned();
    for Preferred { name, version, marker } in preferred {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let _ = write!(text, "\n[[packages]]\nname = \"{name}\"\nversion = {}\n", quoted(version));
        if let Some(marker) = marker {
            let _ = writeln!(text, "marker = {}", quoted(&marker.to_string()));
        }
    }
    text
}

/// What was resolved for one target, as what is pinned for it. `direct` tells what a requirement named itself.
pub(super) fn one_file_each(packages: Vec<Resolved>, direct: impl Fn(&PackageName) -> bool) -> Vec<Pinned> {
    let pinned = packages.into_iter().map(|Resolved { name, version, artifact }| {
        let source = match artifact {
            Artifact::Wheel(file) | Artifact::Sdist { file, .. } if !direct(&name) => PinnedSource::Files(vec![file]),
            artifact => PinnedSource::Direct(artifact),
        };
        Pinned { name, version, marker: None, source }
    });
    pinned.collect()
}
