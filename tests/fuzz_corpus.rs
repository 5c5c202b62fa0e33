//! The fuzz targets of `fuzz/` without a fuzzer: over every seed, and over seeds changed in ways that are the same each
//! time. `scripts/fuzz` searches on; what it finds becomes a seed.

#[allow(unreachable_pub)]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use targets::{Run, TARGETS};

/// Changed inputs made of each target's seeds.
const CHANGED: usize = 400;

/// Inputs are not made longer than this.
const LONGEST: usize = 64 << 10;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Numbers that look random: xorshift64*, the same at each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % end.max(1)
    }
}

/// One seed changed a few times: a bit, a byte, a stretch taken out, doubled, or put in from another seed.
fn change(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(32)).min(bytes.len());
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 if at < bytes.len() => bytes[at] = [0, 0x7f, 0xff, b'\n', b'"', b'[', b'(', b'0'][numbers.below(8)],
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let stretch = bytes[at.min(end)..end].to_vec();
                let times = 1 << numbers.below(8);
                bytes.splice(at..at, stretch.repeat(times));
            }
            4 => {
                let from = numbers.below(other.len() + 1);
                let stretch = &other[from..(from + numbers.below(200)).min(other.len())];
                bytes.splice(at..at, stretch.to_vec());
            }
            _ => bytes.truncate(at.max(bytes.len() / 2)),
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// Runs a target, and names the input where it panics.
fn run(target: &str, run: Run, input: &[u8], from: &Path) {
    let outcome = std::panic::catch_unwind(|| run(input));
    assert!(outcome.is_ok(), "target {target} panics on a change of {}: {}", from.display(), input.escape_ascii());
}

#[test]
fn no_seed_and_no_changed_seed_panics() {
    std::thread::scope(|scope| {
        for (target, function) in TARGETS {
            scope.spawn(move || {
                let seeds = corpus(target);
                assert!(!seeds.is_empty(), "{target} has no seeds");
                for (path, seed) in &seeds {
                    run(target, function, seed, path);
                }
                let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
                for turn in 0..CHANGED {
                    let (path, seed) = &seeds[turn % seeds.len()];
                    let (_, other) = &seeds[numbers.below(seeds.len())];
                    run(target, function, &change(seed, other, &mut numbers), path);
                }
            });
        }
    });
}

#[test]
fn every_target_has_a_binary_and_a_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |directory: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(root.join(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest: toml::Table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    let binaries = manifest["bin"].as_array().unwrap().iter();
    assert_eq!(binaries.map(|bin| bin["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), targets);
}
