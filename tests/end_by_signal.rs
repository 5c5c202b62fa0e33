//! SIGINT and SIGTERM leave nothing: no child, no scratch directory, no pending file; and the exit status tells which.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pyzpack::process::{Child, PendingFile, ScratchDir, interrupt};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const INNER: &str = "PYZPACK_TEST_INNER";

/// What runs in the process that gets the signal: a scratch directory that a stubborn child keeps writing to, and a
/// pending file.
fn inner(directory: &Path) {
    interrupt::install(|| {}).unwrap();
    let scratch = ScratchDir::create(directory).unwrap();
    let mut pending = PendingFile::create(&directory.join("out.pyz")).unwrap();
    pending.write_all(b"half").unwrap();
    let environment = std::env::vars_os().collect();
    let script = "trap '' TERM INT; (trap '' TERM; while :; do date > \"$0/file-$$\"; date > \"$0/other\"; done) & \
                  echo $! > \"$1\"; wait";
    let note = directory.join("note");
    let run = Child::new(Path::new("/bin/sh"), &environment, directory, Duration::from_mins(1))
        .args(["-c", script])
        .args([scratch.path(), &note])
        .run();
    panic!("the child ended: {run:?}");
}

#[test]
fn leaves_nothing_after_a_signal() {
    if let Some(directory) = std::env::var_os(INNER) {
        inner(Path::new(&directory));
    }
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "leaves_nothing_after_a_signal", "--nocapture"])
            .env(INNER, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let note = directory.path().join("note");
        let started = Instant::now();
        while !std::fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n')) {
            assert!(started.elapsed() < Duration::from_secs(20), "the child did not begin");
            std::thread::sleep(Duration::from_millis(10));
        }
        let text = BufReader::new(std::fs::File::open(&note).unwrap()).lines().next().unwrap().unwrap();
        let grandchild = Pid::from_raw(text.parse().unwrap()).unwrap();
        assert!(test_kill_process(grandchild).is_ok());
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(status));
        let left: Vec<_> =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["note"]);
        let gone = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            test_kill_process(grandchild).is_err() || is_zombie(grandchild)
        });
        assert!(gone, "a grandchild outlived the signal");
    }
}

/// A killed orphan that nobody reaps, as in a container without an init process.
fn is_zombie(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
    status.is_ok_and(|text| text.contains("State:\tZ"))
}
