//! `pyzpack cache`: what it counts, what it removes, and what it leaves alone.

#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use assert_cmd::Command;
use pyzpack::cache::{Age, Amount, Freed, clear, measure, prune};
use pyzpack::status::{Explain, Status};
use pyzpack::surroundings::Surroundings;
use rustix::fs::{AtFlags, CWD, OFlags, Timespec, Timestamps, utimensat};

const DAY: Duration = Duration::from_hours(24);

struct Cache {
    directory: tempfile::TempDir,
}

impl Cache {
    /// A cache as pyzpack makes it.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("cache");
        let world = Surroundings { environment: [].into(), temporary: PathBuf::new(), cache };
        world.make_cache_directory("wheels").unwrap();
        Self { directory }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    /// Writes a file of so many bytes, which was made and read so many days ago, as its directory was.
    fn add(&self, name: &str, bytes: usize, days: u32) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        let then = SystemTime::now() - DAY * days;
        let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
        File::open(&path).unwrap().set_times(times).unwrap();
        File::open(path.parent().unwrap()).unwrap().set_times(times).unwrap();
        path
    }

    fn files(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.root()).sort_by_file_name().into_iter().flatten();
        let files = entries.filter(|entry| !entry.file_type().is_dir());
        files.map(|file| file.path().strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::cargo_bin("pyzpack").unwrap();
        command.arg("cache").args(arguments).env("PYZPACK_CACHE", self.root()).output().unwrap()
    }

    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn age(days: u32) -> Age {
    Age { now: SystemTime::now(), unused: DAY * days, logs: DAY * 30 }
}

/// A cache with something of everything, old and new.
fn full() -> Cache {
    let cache = Cache::new();
    cache.add("wheels/aa/aa11/old-1-py3-none-any.whl", 1000, 40);
    cache.add("wheels/aa/aa22/new-1-py3-none-any.whl", 2000, 2);
    cache.add("wheels/bb/bb33/cut-1-py3-none-any.whl.part", 500, 0);
    cache.add("wheels/bb/bb44/.x-1-py3-none-any.whl.Abc123.tmp", 50, 0);
    cache.add("built/cc/cc55/wheel.json", 10, 31);
    cache.add("logs/old.log", 5, 31);
    cache.add("logs/new.log", 5, 29);
    cache.add("apps/dd66/a.py", 100, 99);
    cache.add("apps/.unpacking-1-ab/a.py", 30, 0);
    cache.add("apps/.dd66.lock", 0, 0);
    cache.add("uv/x", 7, 99);
    cache
}

#[test]
fn says_where_it_is_and_what_it_takes() {
    let cache = full();
    assert_eq!(cache.says(&["dir"]), format!("{}\n", cache.root().display()));
    let table = "wheels          3 kB  2 files\n\
                 built           10 B  1 file\n\
                 apps           100 B  1 file\n\
                 logs            10 B  2 files\n\
                 uv               7 B  1 file\n\
                 pip              0 B  0 files\n\
                 unfinished     580 B  4 files\n\
                 total           4 kB  11 files\n";
    assert_eq!(cache.says(&["size"]), table);
    let document: serde_json::Value = serde_json::from_str(&cache.says(&["size", "--json"])).unwrap();
    assert_eq!(document["wheels"], serde_json::json!({ "files": 2, "bytes": 3000 }));
    assert_eq!(document["total"], serde_json::json!({ "files": 11, "bytes": 3707 }));
    assert_eq!(document["directory"], cache.root().to_str().unwrap());
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(measure(&empty.path().join("none")).unwrap().total(), Amount::default());
}

#[test]
fn prunes_what_is_unfinished_old_or_unused() {
    let cache = full();
    assert_eq!(cache.says(&["prune"]), "freed 2 kB in 7 files\n");
    let left = ["CACHEDIR.TAG", "apps/dd66/a.py", "logs/new.log", "uv/x", "wheels/aa/aa22/new-1-py3-none-any.whl"];
    assert_eq!(cache.files(), left);
    assert!(!cache.root().join("wheels/bb").exists());
    assert_eq!(cache.says(&["prune", "--older-than", "47h"]), "freed 2 kB in 1 file\n");
    assert_eq!(cache.files().len(), 4);
    let refused = cache.run(&["prune", "--older-than", "1w"]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn leaves_what_another_process_is_working_on() {
    let cache = full();
    let held: Vec<File> = [
        "wheels/bb/bb33/cut-1-py3-none-any.whl.part",
        "wheels/bb/bb44/.x-1-py3-none-any.whl.Abc123.tmp",
        "apps/.unpacking-1-ab",
        "apps/.dd66.lock",
    ]
    .map(|name| File::open(cache.root().join(name)).unwrap())
    .into();
    for file in &held {
        file.try_lock().unwrap();
    }
    prune(&cache.root(), &age(30)).unwrap();
    assert_eq!(measure(&cache.root()).unwrap().unfinished, Amount { files: 4, bytes: 580 });
    clear(&cache.root()).unwrap();
    let left = measure(&cache.root()).unwrap();
    assert_eq!((left.unfinished, left.total()), (Amount { files: 4, bytes: 580 }, Amount { files: 4, bytes: 580 }));
    drop(held);
    // A process that another test just starts has the locks until it runs its program.
    let mut freed = Amount::default();
    for _ in 0..100 {
        freed += clear(&cache.root()).unwrap().amount;
        std::thread::sleep(Duration::from_millis(if freed.files < 4 { 20 } else { 0 }));
    }
    assert_eq!(freed, Amount { files: 4, bytes: 580 });
    assert_eq!(cache.files(), ["CACHEDIR.TAG"]);
}

/// What the runtime leaves of an application: the tree, and beside it the pipe with the time of the last start.
fn unpack(cache: &Cache, letter: &str, days: u32) -> PathBuf {
    let name = letter.repeat(64);
    cache.add(&format!("apps/{name}/pkg/a.py"), 100, 99);
    let pipe = cache.root().join(format!("apps/.{name}.used"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let then = (SystemTime::now() - DAY * days).duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let then = Timespec { tv_sec: i64::try_from(then.as_secs()).unwrap(), tv_nsec: 0 };
    utimensat(CWD, &pipe, &Timestamps { last_access: then, last_modification: then }, AtFlags::empty()).unwrap();
    pipe
}

/// What a start does.
fn open_pipe(pipe: &Path) -> File {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    File::options().read(true).custom_flags(nonblocking).open(pipe).unwrap()
}

#[test]
fn prunes_applications_by_their_last_start_and_none_that_runs() {
    let cache = Cache::new();
    unpack(&cache, "a", 31);
    unpack(&cache, "b", 29);
    let running = open_pipe(&unpack(&cache, "c", 31));
    unpack(&cache, "d", 31);
    let lock = File::create(cache.root().join(format!("apps/.{}.lock", "d".repeat(64)))).unwrap();
    lock.try_lock().unwrap();
    // What never had a pipe, a link with one, a pipe without a tree, and what another removal left.
    cache.add(&format!("apps/{}/a.py", "e".repeat(64)), 100, 99);
    let link = cache.root().join("apps").join("f".repeat(64));
    unpack(&cache, "f", 99);
    fs::rename(&link, cache.directory.path().join("elsewhere")).unwrap();
    symlink(cache.directory.path().join("elsewhere"), &link).unwrap();
    unpack(&cache, "0", 31);
    fs::remove_dir_all(cache.root().join("apps").join("0".repeat(64))).unwrap();
    cache.add("apps/.removing-0011/a.py", 10, 0);
    let tree = |letter: &str| cache.root().join("apps").join(letter.repeat(64));
    let time = || tree("c").metadata().unwrap().modified().unwrap();
    let before = time();

    assert_eq!(measure(&cache.root()).unwrap().parts["apps"].files, 6);
    let said = "freed 110 B in 2 files, 1 unpacked application among them\nleft 2 unpacked applications, in use\n";
    assert_eq!(cache.says(&["prune"]), said);
    let kept = ["b", "c", "d", "e", "f"].map(|letter| letter.repeat(64));
    let pipes = ["b", "c", "d", "f"].map(|letter| format!(".{}.used", letter.repeat(64)));
    let mut expected: Vec<_> = kept.into_iter().chain(pipes).chain([format!(".{}.lock", "d".repeat(64))]).collect();
    expected.sort();
    let mut names: Vec<_> = fs::read_dir(cache.root().join("apps"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, expected);
    assert_eq!(time(), before);

    let cleared = clear(&cache.root()).unwrap();
    assert_eq!((cleared.applications, cleared.held), (1, 2));
    assert_eq!(cache.files().len(), 6);
    assert!(cache.directory.path().join("elsewhere/pkg/a.py").exists());
    drop((running, lock));
    // A process that another test just starts has the lock until it runs its program.
    let mut freed = Freed::default();
    for _ in 0..100 {
        freed.applications += clear(&cache.root()).unwrap().applications;
        std::thread::sleep(Duration::from_millis(if freed.applications < 2 { 20 } else { 0 }));
    }
    assert_eq!((freed.applications, cache.files()), (2, vec!["CACHEDIR.TAG".to_owned()]));
}

#[test]
fn clears_everything_and_follows_no_link() {
    let cache = full();
    let outside = cache.directory.path().join("outside");
    fs::create_dir_all(outside.join("aa/aa11")).unwrap();
    fs::write(outside.join("aa/aa11/kept"), "x").unwrap();
    symlink(&outside, cache.root().join("pip")).unwrap();
    symlink(&outside, cache.root().join("wheels/linked")).unwrap();
    symlink(outside.join("aa/aa11/kept"), cache.root().join("logs/linked.log")).unwrap();
    let closed = cache.root().join("uv/closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("x"), "x").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o500)).unwrap();
    prune(&cache.root(), &age(0)).unwrap();
    assert!(outside.join("aa/aa11/kept").exists());
    let freed = cache.says(&["clear"]);
    assert!(freed.starts_with("freed "), "{freed}");
    assert_eq!(cache.files(), ["CACHEDIR.TAG"]);
    assert!(outside.join("aa/aa11/kept").exists());
    assert_eq!(cache.says(&["clear"]), "freed 0 B in 0 files\n");
}

#[test]
fn prunes_nothing_behind_a_linked_part() {
    let cache = Cache::new();
    let outside = cache.directory.path().join("outside");
    fs::create_dir_all(outside.join("aa/aa11")).unwrap();
    fs::write(outside.join("aa/aa11/x.part"), "x").unwrap();
    symlink(&outside, cache.root().join("built")).unwrap();
    assert_eq!(prune(&cache.root(), &age(0)).unwrap(), Freed::default());
    assert!(outside.join("aa/aa11/x.part").exists());
}

#[test]
fn refuses_what_is_not_only_a_cache() {
    let refused = |root: &Path, message: &str| {
        for error in [clear(root).unwrap_err(), prune(root, &age(0)).unwrap_err()] {
            assert_eq!((error.to_string(), error.status()), (message.to_owned(), Status::Usage));
        }
    };
    let cache = full();
    let shown = cache.root().display().to_string();
    cache.add("Documents/letter", 1, 99);
    refused(&cache.root(), &format!("`{shown}` is not only a cache of pyzpack: it has `Documents` in it"));
    fs::remove_dir_all(cache.root().join("Documents")).unwrap();
    let other = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of something else\n";
    fs::write(cache.root().join("CACHEDIR.TAG"), other).unwrap();
    let message = format!("`{shown}` is not a cache of pyzpack: it has no CACHEDIR.TAG that says so");
    refused(&cache.root(), &message);
    fs::remove_file(cache.root().join("CACHEDIR.TAG")).unwrap();
    refused(&cache.root(), &message);
    let output = cache.run(&["clear"]);
    let hint = "hint: name the cache with PYZPACK_CACHE, or remove it yourself";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("error: {message}\n{hint}\n"));
    assert_eq!((output.status.code(), cache.files().len()), (Some(2), 11));
    // The runtime's tag counts as well as the tool's.
    let runtime = include_str!("../src/runtime/python/cache.py");
    let tag = runtime.lines().find_map(|line| line.strip_prefix("CACHEDIR_TAG = b\"")).unwrap();
    fs::write(cache.root().join("CACHEDIR.TAG"), tag.trim_end_matches('"').replace("\\n", "\n")).unwrap();
    clear(&cache.root()).unwrap();
    assert_eq!(cache.files(), ["CACHEDIR.TAG"]);
}
