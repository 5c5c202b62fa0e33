//! Which paths a lock may name: those of the project, and none outside of it.

use std::path::{Component, Path, PathBuf};

use super::EntryFault;

/// Where the relative paths of a lock start, and what none may leave.
///
/// The bound is the git work tree that the lock lies in. Without git it is the lock's directory, or the project's where
/// that one holds the lock. A member of a workspace may so name its neighbours, and nothing can name what lies elsewhere
/// on the machine, be it with `..`, an absolute path or a symbolic link.
pub(super) struct Bounds {
    base: PathBuf,
    root: PathBuf,
}

impl Bounds {
    /// The bounds of the lock at `lock`.
    ///
    /// # Errors
    /// Its directory cannot be looked at.
    pub(super) fn of(lock: &Path, project: Option<&Path>) -> std::io::Result<Self> {
        let directory = lock.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let base = directory.canonicalize()?;
        let work_tree = base.ancestors().find(|ancestor| ancestor.join(".git").symlink_metadata().is_ok());
        let project = project.and_then(|project| project.canonicalize().ok());
        let root = match (work_tree, project) {
            (Some(tree), _) => tree.to_owned(),
            (None, Some(project)) if base.starts_with(&project) => project,
            (None, _) => base.clone(),
        };
        Ok(Self { base, root })
    }

    /// No bounds, for a lock of which no path is followed.
    ///
    /// # Errors
    /// Its directory cannot be looked at.
    pub(super) fn none(lock: &Path) -> std::io::Result<Self> {
        let Self { base, .. } = Self::of(lock, None)?;
        let root = base.ancestors().last().unwrap_or(&base).to_owned();
        Ok(Self { base, root })
    }

    /// Where relative paths start.
    pub(super) fn directory(&self) -> &Path {
        &self.base
    }

    /// The absolute path, without `.` and `..`, that a lock's text stands for.
    ///
    /// # Errors
    /// [`EntryFault::Outside`].
    pub(super) fn resolve(&self, text: &str) -> Result<PathBuf, EntryFault> {
        let outside = || EntryFault::Outside(text.to_owned());
        // A lock made on Windows; PEP 751 has `/` for locks that are to be carried about.
        let separated = if text.contains('/') { text.to_owned() } else { text.replace('\\', "/") };
        let drive = separated.as_bytes().get(1) == Some(&b':');
        if text.is_empty() || text.contains('\0') || drive {
            return Err(outside());
        }
        let mut path = self.base.clone();
        for component in Path::new(&separated).components() {
            match component {
                Component::CurDir => {}
                Component::ParentDir => {
                    path.pop();
                }
                Component::Normal(name) => path.push(name),
                Component::RootDir => path = PathBuf::from("/"),
                Component::Prefix(_) => return Err(outside()),
            }
        }
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if path.starts_with(&self.root) && real.starts_with(&self.root) { Ok(path) } else { Err(outside()) }
    }

    /// A path as the lock's text has it: from the lock's directory, with `/`, its links resolved.
    ///
    /// # Errors
    /// [`EntryFault::Outside`]: it leaves the bounds, or is not UTF-8.
    pub(super) fn relative(&self, path: &Path) -> Result<String, EntryFault> {
        let outside = || EntryFault::Outside(path.display().to_string());
        let real = path.canonicalize().map_err(|_| outside())?;
        self.spell(&real).map_err(|_| outside())
    }

    /// A path that was [resolved](Self::resolve), as a lock's text has it. It need not be there.
    ///
    /// # Errors
    /// [`EntryFault::Outside`]: it leaves the bounds, or is not UTF-8.
    pub(super) fn spell(&self, path: &Path) -> Result<String, EntryFault> {
        let outside = || EntryFault::Outside(path.display().to_string());
        if !path.starts_with(&self.root) {
            return Err(outside());
        }
        let shared = path.components().zip(self.base.components()).take_while(|(one, other)| one == other).count();
        let up = self.base.components().skip(shared).map(|_| Some(".."));
        let down = path.components().skip(shared).map(|part| part.as_os_str().to_str());
        let parts: Vec<&str> = up.chain(down).collect::<Option<_>>().ok_or_else(outside)?;
        Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
    }
}

/// The directory of a project inside of an archive, a repository or a directory.
///
/// # Errors
/// [`EntryFault::Outside`]: it leaves what it is in.
pub(super) fn subdirectory(text: &str) -> Result<Option<PathBuf>, EntryFault> {
    let mut path = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            _ => return Err(EntryFault::Outside(text.to_owned())),
        }
    }
    if text.contains(['\\', '\0']) {
        return Err(EntryFault::Outside(text.to_owned()));
    }
    Ok((!path.as_os_str().is_empty()).then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn nothing_leaves_the_project() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let project = root.join("project");
        std::fs::create_dir_all(project.join("locks/inner")).unwrap();
        std::os::unix::fs::symlink(&root, project.join("link")).unwrap();
        let bounds = Bounds::of(&project.join("pylock.toml"), None).unwrap();
        let inside = project.join("locks").display().to_string();
        for (text, path) in [
            (".", project.clone()),
            ("./a/../b c.whl", project.join("b c.whl")),
            ("dist\\a.whl", project.join("dist/a.whl")),
            ("../project/x", project.join("x")),
            (&inside, project.join("locks")),
        ] {
            assert_eq!(bounds.resolve(text), Ok(path));
        }
        for text in ["..", "../x", "a/../../x", "..\\x", "/etc", "C:\\x", "C:/x", "link", "", "a\0", "../project2"] {
            assert_eq!(bounds.resolve(text), Err(EntryFault::Outside(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_bound_is_the_work_tree_else_the_project() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let member = root.join("tree/member/locks");
        std::fs::create_dir_all(&member).unwrap();
        let lock = member.join("pylock.toml");
        let resolve = |project: Option<&Path>| Bounds::of(&lock, project).unwrap().resolve("../a");
        assert_eq!(resolve(None), Err(EntryFault::Outside("../a".to_owned())));
        assert_eq!(resolve(Some(&root.join("tree/member"))), Ok(root.join("tree/member/a")));
        std::fs::write(root.join("tree/.git"), "").unwrap();
        assert_eq!(resolve(None), Ok(root.join("tree/member/a")));
        let bounds = Bounds::of(&lock, None).unwrap();
        assert_eq!(bounds.resolve("../../../a"), Err(EntryFault::Outside("../../../a".to_owned())));
    }

    #[test]
    fn a_subdirectory_stays_inside() {
        assert_eq!(subdirectory("a/./b"), Ok(Some(PathBuf::from("a/b"))));
        assert_eq!(subdirectory("."), Ok(None));
        for text in ["..", "a/../b", "/a", "a\\b"] {
            assert_eq!(subdirectory(text), Err(EntryFault::Outside(text.to_owned())));
        }
    }
}
