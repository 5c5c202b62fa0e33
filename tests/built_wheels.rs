//! A wheel that was built is not built again from the same; from anything else it is. Where it is built, it is built in
//! the same place each time.

use std::path::{Path, PathBuf};

use pyzpack::digest::Sha256Digest;
use pyzpack::process::ScratchDir;
use pyzpack::wheel::CollectedWheel;
use pyzpack::wheel::build::{Known, Source};
use pyzpack::wheel::collect::{Made, Obtained};

mod support;
use support::wheels::Wheel;
use support::{Bench, interpreters, write_tree};

/// A machine with a project whose backend notes every hook that runs, and packs what it is built with and where.
struct Place {
    root: tempfile::TempDir,
    requires: &'static str,
    asks: &'static str,
    /// Whether it packs the path of its directory.
    tells_path: bool,
}

impl Place {
    fn new() -> Self {
        let place =
            Self { root: tempfile::tempdir().unwrap(), requires: "'helper'", asks: "'later'", tells_path: false };
        place.helper("helper", "1.0");
        place.helper("later", "1.0");
        place.write();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A distribution to build with, the only one of its name.
    fn helper(&self, name: &str, version: &str) {
        let wheels = self.path("wheels");
        std::fs::create_dir_all(&wheels).unwrap();
        for entry in std::fs::read_dir(&wheels).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with(name) {
                std::fs::remove_file(path).unwrap();
            }
        }
        Wheel::new(name, version).file(&format!("{name}.py"), &format!("VERSION = '{version}'\n")).write(&wheels);
    }

    fn write(&self) {
        let toml = format!("[build-system]\nrequires=[{}]\nbuild-backend='hooks'\nbackend-path=['.']\n", self.requires);
        let note = self.path("note");
        let tells = if self.tells_path { "os.getcwd()" } else { "'nowhere'" };
        let hooks = format!(
            "import os, zipfile, sys\n\
             def note(hook): open('{}', 'a').write(hook + '\\n')\n\
             def get_requires_for_build_wheel(settings=None):\n    note('ask')\n    return [{}]\n\
             def build_wheel(directory, settings=None, metadata=None):\n\
             \x20   note('build')\n    import helper\n    found = [helper.VERSION, {tells}, os.environ.get('CFLAGS', '')[:3]]\n\
             \x20   try:\n        import later\n        found.append(later.VERSION)\n    except ImportError: pass\n\
             \x20   with zipfile.ZipFile(directory + '/app-1-py3-none-any.whl', 'w') as z:\n\
             \x20       z.writestr(zipfile.ZipInfo('found.txt'), ' '.join(found))\n\
             \x20       z.writestr(zipfile.ZipInfo('pip.txt'), open('data.txt').read())\n\
             \x20   return 'app-1-py3-none-any.whl'\n",
            note.display(),
            self.asks,
        );
        write_tree(&self.path("app"), &[("pyproject.toml", &toml), ("hooks.py", &hooks), ("data.txt", "1\n")]);
    }

    fn bench(&self, changes: &[(&str, &str)]) -> Bench {
        let python = interpreters().into_iter().next().expect("these tests need a CPython, 3.8 or newer");
        let mut bench = Bench::new(self.root.path(), &python, changes);
        bench.offline = true;
        bench.index.no_index = true;
        bench.index.find_links = vec![self.path("wheels")];
        bench
    }

    /// The hooks that ran, the wheel's bytes, and what is said of it.
    fn build(&self, bench: &Bench) -> (Vec<String>, Vec<u8>, Obtained) {
        let note = self.path("note");
        let _ = std::fs::remove_file(&note);
        let source = Source::Directory { root: &self.path("app"), project: Path::new("") };
        let CollectedWheel { path, obtained, .. } =
            bench.workshop().build(&source, Known::default(), &[]).unwrap_or_else(|error| panic!("{error}"));
        let hooks = std::fs::read_to_string(note).unwrap_or_default();
        (hooks.lines().map(str::to_owned).collect(), std::fs::read(path).unwrap(), obtained)
    }

    fn runs(&self, bench: &Bench) -> bool {
        !self.build(bench).0.is_empty()
    }
}

#[test]
fn builds_the_same_once() {
    let place = Place::new();
    let (hooks, first, obtained) = place.build(&place.bench(&[]));
    assert_eq!(hooks, ["ask", "build"]);
    let Obtained::Built { made: Made::Now, build_requirements, .. } = &obtained else { panic!("{obtained:?}") };
    let names: Vec<String> =
        build_requirements.iter().map(|found| format!("{} {}", found.name, found.version)).collect();
    assert_eq!(names, ["helper 1.0", "later 1.0"]);

    let (hooks, second, again) = place.build(&place.bench(&[]));
    assert_eq!((hooks, second), (vec![], first));
    let Obtained::Built { source, sha256, build_requirements, locked, path_dependent, .. } = obtained else {
        panic!("it was built")
    };
    let made = Made::Before;
    assert_eq!(again, Obtained::Built { source, sha256, build_requirements, locked, made, path_dependent });
    // Where there is no virtual environment to be had, none is needed.
    let mut bench = place.bench(&[]);
    bench.install = Box::new(|_, _, _| panic!("a build requirement was installed"));
    assert!(!place.runs(&bench));
}

#[test]
fn builds_again_from_anything_else() {
    let mut place = Place::new();
    assert!(place.runs(&place.bench(&[])));

    write_tree(&place.path("app"), &[("data.txt", "2\n")]);
    assert!(place.runs(&place.bench(&[])), "another source");
    assert!(!place.runs(&place.bench(&[])));

    place.helper("helper", "1.1");
    assert!(place.runs(&place.bench(&[])), "another build requirement");
    place.helper("later", "1.1");
    let (hooks, _, _) = place.build(&place.bench(&[]));
    assert_eq!(hooks, ["ask", "build"], "another one that the backend asked for");
    assert!(!place.runs(&place.bench(&[])));
    place.helper("later", "1.0");
    assert!(!place.runs(&place.bench(&[])), "with these two it was built before");

    let flags = [("CFLAGS", "-O1")];
    assert!(place.runs(&place.bench(&flags)), "another variable that builds see");
    assert!(!place.runs(&place.bench(&flags)));
    for unseen in [("TZ", "Asia/Tokyo"), ("HOME", "/nowhere"), ("PIP_INDEX_URL", "https://index.example/simple")] {
        assert!(!place.runs(&place.bench(&[unseen])), "{unseen:?}");
    }
    let mut online = place.bench(&[]);
    online.offline = false;
    assert!(!place.runs(&online));

    place.asks = "";
    place.write();
    assert!(place.runs(&place.bench(&[])));
}

#[test]
fn builds_again_with_another_interpreter() {
    let place = Place::new();
    let mut count = 0;
    for python in interpreters() {
        let mut bench = place.bench(&[]);
        bench.interpreter = python;
        assert!(place.runs(&bench), "{:?}", bench.interpreter.executable);
        assert!(!place.runs(&bench));
        count += 1;
    }
    eprintln!("{count} interpreters");
}

#[test]
fn builds_again_what_was_damaged_or_removed() {
    let place = Place::new();
    let bench = place.bench(&[]);
    let (_, first, _) = place.build(&bench);
    let find = |name: &str| {
        let entries = walkdir::WalkDir::new(place.path("cache/built")).into_iter().map(|entry| entry.unwrap());
        entries.map(walkdir::DirEntry::into_path).find(|path| path.file_name().unwrap() == name).unwrap()
    };
    for name in ["app-1-py3-none-any.whl", "wheel.json", "asked.json"] {
        let path = find(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (hooks, second, _) = place.build(&bench);
        assert_eq!((hooks.len(), &second), (2, &first), "{name} is damaged");
        assert!(!place.runs(&bench), "{name} is whole again");
        std::fs::remove_file(&path).unwrap();
        assert!(place.runs(&bench), "{name} is gone");
    }
    let left = walkdir::WalkDir::new(place.path("cache")).into_iter().map(|entry| entry.unwrap().into_path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|end| end == "tmp")).count(), 0);
}

#[test]
fn shares_the_cache_between_builds_at_once() {
    let place = Place::new();
    let wheels: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| place.build(&place.bench(&[])).1)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wheels.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(!place.runs(&place.bench(&[])));
}

#[test]
fn builds_in_the_same_directory_whatever_the_scratch_directory_is_called() {
    let mut place = Place::new();
    place.tells_path = true;
    place.write();
    let build = |cache: &str| {
        let mut bench = place.bench(&[]);
        bench.surroundings.cache = place.path(cache);
        place.build(&bench)
    };
    let ((first_hooks, first, obtained), (second_hooks, second, _)) = (build("one"), build("two"));
    assert_eq!((first_hooks.len(), second_hooks.len()), (2, 2), "both were built");
    assert_eq!(first, second);
    let Obtained::Built { path_dependent, .. } = obtained else { panic!("it was built") };
    assert_eq!(path_dependent, ["found.txt"]);
    // Nothing is left of the directory.
    let left = std::fs::read_dir(place.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
}

#[test]
fn takes_no_wheel_that_holds_the_path_of_another_directory() {
    let mut place = Place::new();
    place.tells_path = true;
    place.write();
    let bench = place.bench(&[]);
    let (_, first, _) = place.build(&bench);
    assert!(!place.runs(&bench));
    let mut elsewhere = place.bench(&[]);
    elsewhere.surroundings.temporary = place.path("elsewhere");
    std::fs::create_dir(&elsewhere.surroundings.temporary).unwrap();
    elsewhere.scratch = ScratchDir::create(&elsewhere.surroundings.temporary).unwrap();
    let (hooks, other, _) = place.build(&elsewhere);
    assert_eq!(hooks.len(), 2);
    assert_ne!(other, first);
}

#[test]
fn builds_elsewhere_where_the_directory_is_taken() {
    let mut place = Place::new();
    place.tells_path = true;
    place.write();
    let (_, usual, _) = place.build(&place.bench(&[]));
    let room = String::from_utf8_lossy(&usual).into_owned();
    let name = &room[room.find("pyzpack-build-").unwrap()..][.."pyzpack-build-".len() + 16];
    // As another user would have it: not a directory of ours.
    std::os::unix::fs::symlink(place.path("app"), place.path("tmp").join(name)).unwrap();
    let mut bench = place.bench(&[]);
    bench.surroundings.cache = place.path("fresh");
    let (hooks, first, _) = place.build(&bench);
    let (again, second, _) = place.build(&bench);
    assert_eq!((hooks.len(), again.len()), (2, 2), "what has a path of chance in it is not kept");
    assert!(first != usual && second != first);
    assert!(place.path("app/hooks.py").exists(), "what was in the way is as it was");
    assert_ne!(Sha256Digest::of(&first), Sha256Digest::of(&second));
}

#[test]
fn builds_again_with_other_tags_and_not_for_a_refreshed_index() {
    let place = Place::new();
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(place.path("app"))
            .output()
            .expect("this test needs git");
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "x"]);
    assert!(place.runs(&place.bench(&[])));
    // git notes the times of files in the index.
    filetime::set_file_mtime(place.path("app/data.txt"), filetime::FileTime::from_unix_time(1, 0)).unwrap();
    git(&["status"]);
    git(&["remote", "add", "origin", "https://host.example/x"]);
    assert!(!place.runs(&place.bench(&[])));
    git(&["tag", "v1"]);
    assert!(place.runs(&place.bench(&[])), "version tools count from tags");
    write_tree(&place.path("app"), &[("new.py", "")]);
    assert!(place.runs(&place.bench(&[])));
    git(&["add", "new.py"]);
    assert!(place.runs(&place.bench(&[])), "what is in the index is packed by some backends");
}
