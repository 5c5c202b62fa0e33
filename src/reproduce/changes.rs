//! What a build is changed by: environment, arguments, the programs around it, and where its sources are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::condition::Condition;
use crate::archive::Epoch;
use crate::surroundings::Surroundings;

/// The time that sources are given, for those that were last written at another one.
const MTIMES: [u32; 3] = [1_000_000_000, 1_900_000_000, 1_234_567_890];

/// Other clocks. Where nothing can be built under one, certificates of indexes not being valid then, a nearer one is tried.
const CLOCKS: [&str; 3] = ["@2041-03-01 11:22:33", "@1999-12-31 23:59:58", "@2029-08-17 05:06:07"];

/// One day, and some hours, minutes and seconds.
pub(super) const NEAR_CLOCK: &str = "+112233s";

/// A clock that stands still.
const FROZEN_CLOCK: &str = "2020-02-29 12:34:56";

/// Variables by which tools find below `HOME` what they are configured by, where they are not set themselves.
const CONFIGURATION: [(&str, &str); 6] = [
    ("XDG_CONFIG_HOME", ".config"),
    ("GIT_CONFIG_GLOBAL", ".gitconfig"),
    ("NETRC", ".netrc"),
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("PYENV_ROOT", ".pyenv"),
];

/// What is changed for one build; nothing of it for the first.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// To what, in words, by condition.
    pub(super) values: BTreeMap<Condition, String>,
    /// Variables that are set, or taken away.
    pub(super) environment: BTreeMap<OsString, Option<OsString>>,
    /// Further options.
    pub(super) options: Vec<String>,
    /// Commands that the build is an argument of, the innermost first.
    pub(super) wrappers: Vec<Vec<OsString>>,
    /// Where the sources are, below the stage's directory.
    pub(super) sources: Option<PathBuf>,
    /// Where scratch directories are, likewise.
    pub(super) temporary: Option<PathBuf>,
    /// Whether directories are listed backwards, by this program.
    pub(super) backwards: Option<PathBuf>,
    /// When the sources were last written, in seconds since 1970.
    pub(super) mtimes: Option<i64>,
    /// What is cached.
    pub(super) cache: Cached,
    /// The clock's value, to be exchanged for a nearer one.
    pub(super) clock: Option<usize>,
}

/// What a build finds in its cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Cached {
    /// What was fetched, and nothing that was built.
    #[default]
    Fetched,
    /// Nothing.
    Nothing,
    /// All that builds before it left.
    All,
}

/// What a machine has, of what changes are made with.
#[derive(Debug)]
pub(super) struct Means<'a> {
    pub(super) world: &'a Surroundings,
    /// The stage's directory.
    pub(super) stage: &'a Path,
    /// The umask of this process, as `sh` writes it.
    pub(super) umask: String,
    /// What `--jobs` says.
    pub(super) jobs: Option<usize>,
}

impl Means<'_> {
    /// Adds a condition in its `turn`th value to the changes.
    pub(super) fn add(&self, condition: Condition, turn: usize, changes: &mut Changes) {
        let mut value = String::new();
        let mut set = |name: &str, value: &str| {
            changes.environment.insert(name.into(), Some(value.into()));
        };
        match condition {
            Condition::Directory => {
                // As long as `sources`.
                let name = ["another", "further", "besides"][turn % 3];
                changes.sources.get_or_insert_with(|| name.into());
            }
            Condition::DirectoryLength => {
                let depth = [1, 4, 2][turn % 3];
                changes.sources = Some((0..depth).map(|_| "a directory of löng name").collect());
            }
            Condition::TemporaryDirectory => {
                let name = ["another-temporary-directory", "t", "temp"][turn % 3];
                changes.temporary = Some(name.into());
            }
            Condition::DirectoryOrder => changes.backwards = self.world.find_program("disorderfs"),
            Condition::Mtimes => {
                let time = MTIMES[turn % MTIMES.len()];
                changes.mtimes = Some(time.into());
                value = Epoch::clamped(time.into()).to_string().replace('T', " ").replace('Z', " UTC");
            }
            Condition::TimeZone => {
                let zone = other_than(self.world.text("TZ"), &["PYZ-13:30", "PYZ11", "UTC"], turn);
                set("TZ", zone);
                value = format!("TZ={zone}");
            }
            Condition::Locale => {
                let locale = other_than(self.world.text("LC_ALL"), &["POSIX", "C.UTF-8", "tr_TR.UTF-8"], turn);
                set("LC_ALL", locale);
                let language = other_than(self.world.text("LANG"), &["tr_TR.UTF-8", "ja_JP.UTF-8", "de_DE"], turn);
                set("LANG", language);
                set("LANGUAGE", &language[..2]);
                value = format!("LC_ALL={locale}, LANG={language}");
            }
            Condition::Umask => {
                let mask = other_than(Some(&self.umask), &["0077", "0000", "0027"], turn);
                changes.wrap(["/bin/sh", "-c", "umask \"$0\" && exec \"$@\"", mask]);
                mask.clone_into(&mut value);
            }
            Condition::Home => {
                set("HOME", &self.stage.join("home").to_string_lossy());
                if let Some(home) = self.world.home() {
                    for (name, path) in CONFIGURATION {
                        let path = home.join(path);
                        if self.world.variable(name).is_none() && path.exists() {
                            set(name, &path.to_string_lossy());
                        }
                    }
                }
            }
            Condition::User => {
                let user = other_than(self.world.text("USER"), &["somebody", "nobody-else", "u"], turn);
                for name in ["USER", "LOGNAME", "USERNAME"] {
                    set(name, user);
                }
                value = format!("USER={user}");
            }
            Condition::UserId => changes.wrap(["unshare", "--user"]),
            Condition::HashSeed => {
                let seed = other_than(self.world.text("PYTHONHASHSEED"), &["1", "2", "4294967295"], turn);
                set("PYTHONHASHSEED", seed);
                value = format!("PYTHONHASHSEED={seed}");
            }
            Condition::Clock => {
                changes.clock = Some(changes.wrappers.len());
                let clock = CLOCKS[turn % CLOCKS.len()];
                changes.wrap(["faketime", "--exclude-monotonic", "-f", clock]);
                clock.trim_start_matches('@').clone_into(&mut value);
            }
            Condition::Threads => {
                let jobs = [1, 8, 3, 2].into_iter().filter(|jobs| Some(*jobs) != self.jobs).nth(turn % 3).unwrap_or(1);
                changes.options.push(format!("--jobs={jobs}"));
                value = format!("--jobs {jobs}");
            }
            Condition::Processors => {
                let script =
                    "first=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//') && exec taskset -c \"$first\" \"$@\"";
                changes.wrap(["/bin/sh", "-c", script, "sh"]);
            }
            Condition::ColdCache => changes.cache = Cached::Nothing,
            Condition::WarmCache => changes.cache = Cached::All,
            // Which one is known when they were looked for.
            Condition::Python => {}
        }
        changes.values.insert(condition, value);
    }
}

impl Changes {
    /// What tells chance from the clock: it stands still, for all that `program` starts, but not for itself.
    pub(super) fn freeze(program: &Path) -> Self {
        let mut changes = Self::default();
        let name = program.file_name().unwrap_or_default().to_owned();
        changes.environment.insert("FAKETIME_SKIP_CMDS".into(), Some(name));
        changes.wrap(["faketime", "--exclude-monotonic", "-f", FROZEN_CLOCK]);
        changes
    }

    /// Whether it gives programs another clock.
    pub(super) fn fake_the_clock(&self) -> bool {
        self.wrappers.iter().any(|command| command[0] == "faketime")
    }

    fn wrap<const N: usize>(&mut self, command: [&str; N]) {
        self.wrappers.push(command.map(OsString::from).to_vec());
    }

    /// The same with a clock that is a day ahead, where another one was set, under which nothing is built, and why.
    pub(super) fn with_near_clock(&self, reason: &str) -> Option<Self> {
        let mut near = self.clone();
        let at = near.clock.take()?;
        *near.wrappers[at].last_mut()? = NEAR_CLOCK.into();
        let far = self.values.get(&Condition::Clock).map_or("", String::as_str);
        near.values.insert(Condition::Clock, format!("a day ahead; nothing is built at {far}: {reason}"));
        Some(near)
    }
}

/// One of `values`, the `turn`th, but not the one that is there anyway.
fn other_than<'a>(current: Option<&str>, values: &[&'a str], turn: usize) -> &'a str {
    let chosen = values[turn % values.len()];
    if current == Some(chosen) { values[(turn + 1) % values.len()] } else { chosen }
}
