//! The Python that starts inside a `.pyz`, and its rendering.
//!
//! `find.py` becomes the archive's [`FIND_PATH`]: every line as it stands in `python/`, but for the one that ends in
//! [`MARKER`], which becomes a dictionary of constants. The others, [`support_files`], go in unchanged: `main.py` as the
//! root `__main__.py`, which runs it, the rest under `_pyzpack/`, to be read only when they are needed. Nothing here reads
//! a file or the environment, and nothing fails: what a [`Bootstrap`] holds is rendered as safe ASCII literals, whatever
//! its text.
//!
//! What the Python leaves in the cache's `apps` directory:
//! - `SHA256`, a tree: named by the payload's digest, or for several payloads by the digest of their digests' bytes. It is
//!   whole where its modification time is 2000-01-01 00:00:00 UTC; adding or removing a name at its root resets that.
//!   It holds the payload's files, a marker `.pyzpack`, and a `__pycache__` made beforehand for Python to write to; there
//!   lies what the files of an ordinary start compiled to.
//! - `.unpacking-PID-RANDOM`, a tree in the making: a living process holds the flock of the directory.
//! - `.SHA256.lock`, there while one process unpacks that tree, mends it or takes it out of use, and others wait.
//! - `.SHA256.used`, a pipe that each process started from the tree has open; its time is that of the last start.
//! - `.removing-RANDOM`, a tree that nobody uses any more.

mod constants;
mod literal;
mod platform;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use constants::read_find;
use literal::{push_str, push_tuple};

/// The name at an unpacked tree's root that says whose it is.
pub const MARKER_OF_TREE: &str = ".pyzpack";

/// The file that holds the constants.
pub const FIND_PATH: &str = "_pyzpack/find.py";

/// How the line of `find.py` ends that is replaced by the constants; the Python tests replace the same line.
pub const MARKER: &str = "# pyzpack: constants";

const FIND: &str = include_str!("python/find.py");
const BOOT: &str = include_str!("python/boot.py");
const PTH: &str = include_str!("python/pth.py");
const RUN: &str = include_str!("python/run.py");
const TREE: &str = include_str!("python/tree.py");

/// Tells what these files compile to from that of another version of pyzpack in the same tree.
/// Whoever can write to the tree can change what runs, so it need not withstand anybody.
const BOOT_KEY: u64 = {
    let key = fold(0xcbf2_9ce4_8422_2325, BOOT.as_bytes());
    fold(fold(fold(key, PTH.as_bytes()), RUN.as_bytes()), TREE.as_bytes())
};

/// FNV-1a.
const fn fold(mut key: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        key = (key ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    key
}

/// Everything that the start of one `.pyz` has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The application's name, for messages.
    pub name: String,
    /// The application's version, for messages.
    pub version: String,
    /// `requires-python` as its author wrote it, for messages.
    pub requires_python: Option<String>,
    /// The minor versions of Python that the file runs on.
    pub pythons: Vec<(u8, u8)>,
    /// The patch releases of those minor versions that some `requires-python` refuses.
    pub refused_patches: BTreeMap<(u8, u8), RefusedPatches>,
    /// Whether minor versions after `newest_known` are taken too.
    pub open_ended: bool,
    /// The newest minor version that was known when the file was built.
    pub newest_known: (u8, u8),
    /// `any`, or the one platform tag (PEP 425) whose wheels are inside; checked at the start. A tag that is none of
    /// Linux, macOS or Windows fits no machine.
    pub platform: String,
    /// Where the application's files are.
    pub layout: Layout,
    /// What is started.
    pub entry: Entry,
    /// The console scripts that can be started instead, by name.
    pub console_scripts: BTreeMap<String, Entry>,
    /// Names of the `.pth` files at the tree's root, in the order in which they are run.
    pub pth: Vec<String>,
    /// Who finds the packages.
    pub reach: Reach,
}

/// Who finds the packages of an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// The program, and what it starts with `multiprocessing`.
    #[default]
    Program,
    /// Every Python that it starts, by `PYTHONPATH`.
    Children,
}

/// The patch releases of one minor version that the application does not run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPatches {
    /// The releases, at least one.
    pub patches: Vec<u8>,
    /// The specifiers that refuse them, such as `>=3.10.14`, for messages.
    pub needs: String,
}

/// Where the application's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// At the archive's root, imported in place.
    Zip,
    /// In payloads that are unpacked into the cache at the first start.
    Extract {
        /// The payloads, at least one, in the order in which they are unpacked.
        payloads: Vec<Payload>,
        /// What the unpacked tree is named ([`name_tree`]).
        tree: [u8; 32],
    },
}

/// A zip stored inside the `.pyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The name of its entry, such as `_pyzpack/payload.zip`.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// What the tree of these payloads is named; `sha256` makes the SHA-256 of bytes.
pub fn name_tree(payloads: &[Payload], sha256: impl Fn(&[u8]) -> [u8; 32]) -> [u8; 32] {
    match payloads {
        [only] => only.sha256,
        all => sha256(&all.iter().flat_map(|payload| payload.sha256).collect::<Vec<_>>()),
    }
}

/// Something that can be started.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// A call without arguments, whose result is the exit status.
    Object {
        /// The module that holds it.
        module: String,
        /// Its name in the module, dotted for an attribute of an attribute.
        attr: String,
    },
    /// A module run as `python -m` runs it.
    Module {
        /// Its name.
        module: String,
    },
    /// A Python script of the tree, run as `__main__`.
    PythonScript {
        /// Its path in the tree, such as `bin/tool`.
        path: String,
    },
    /// An executable of the tree, which takes the process over; needs [`Layout::Extract`].
    Executable {
        /// Its path in the tree, such as `bin/tool`.
        path: String,
    },
}

impl Entry {
    fn parts(&self) -> Vec<&str> {
        match self {
            Self::Object { module, attr } => vec!["object", module, attr],
            Self::Module { module } => vec!["module", module],
            Self::PythonScript { path } => vec!["script", path],
            Self::Executable { path } => vec!["executable", path],
        }
    }
}

/// The text of the archive's [`FIND_PATH`].
///
/// It is ASCII, the same for equal arguments, and of a length that does not depend on the values of the payloads' digests:
/// it can be written in front of a payload with zeros and patched when the digest is known.
pub fn render_find(bootstrap: &Bootstrap) -> Vec<u8> {
    let mut text = String::with_capacity(FIND.len() + 512);
    for line in FIND.lines() {
        if line.ends_with(MARKER) {
            push_constants(&mut text, bootstrap);
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text.into_bytes()
}

/// Whether a name at the archive's root, in lower case, is one of the archive's own, or is started in place of its
/// `__main__.py`: zipimport looks for a package `__main__` first, then for a `__main__.pyc`, which has to match no source.
pub fn is_own_root(name: &str) -> bool {
    matches!(name, "__main__.py" | "__main__.pyc" | "__main__" | "_pyzpack")
}

/// The files that are the same in every archive, sorted by path.
pub fn support_files() -> [(&'static str, &'static str); 13] {
    [
        ("__main__.py", include_str!("python/main.py")),
        ("_pyzpack/ahead.py", include_str!("python/ahead.py")),
        ("_pyzpack/boot.py", BOOT),
        ("_pyzpack/cache.py", include_str!("python/cache.py")),
        ("_pyzpack/commands.py", include_str!("python/commands.py")),
        ("_pyzpack/extract.py", include_str!("python/extract.py")),
        ("_pyzpack/pth.py", PTH),
        ("_pyzpack/reader.py", include_str!("python/reader.py")),
        ("_pyzpack/refuse.py", include_str!("python/refuse.py")),
        ("_pyzpack/repair.py", include_str!("python/repair.py")),
        ("_pyzpack/run.py", RUN),
        ("_pyzpack/tree.py", TREE),
        ("_pyzpack/verify.py", include_str!("python/verify.py")),
    ]
}

/// Writes the constants as one line of Python that 2.7 parses too.
fn push_constants(text: &mut String, bootstrap: &Bootstrap) {
    text.push_str("APP = {\"name\": ");
    push_str(text, &bootstrap.name);
    text.push_str(", \"version\": ");
    push_str(text, &bootstrap.version);
    text.push_str(", \"requires_python\": ");
    match &bootstrap.requires_python {
        Some(specifier) => push_str(text, specifier),
        None => text.push_str("None"),
    }
    let mut pythons = bootstrap.pythons.clone();
    pythons.sort_unstable();
    text.push_str(", \"pythons\": ");
    push_tuple(text, &pythons, |text, version| push_version(text, *version));
    // Most archives refuse none and have nothing to compare at their start.
    for (index, (version, refused)) in bootstrap.refused_patches.iter().enumerate() {
        text.push_str(if index == 0 { ", \"refused\": {" } else { ", " });
        push_version(text, *version);
        text.push_str(": (");
        push_tuple(text, &refused.patches, |text, patch| text.push_str(&patch.to_string()));
        text.push_str(", ");
        push_str(text, &refused.needs);
        text.push(')');
    }
    text.push_str(if bootstrap.refused_patches.is_empty() { "" } else { "}" });
    text.push_str(", \"newest\": ");
    if bootstrap.open_ended {
        push_version(text, bootstrap.newest_known);
    } else {
        text.push_str("None");
    }
    text.push_str(", \"platform\": ");
    platform::push_platform(text, &bootstrap.platform);
    text.push_str(", \"payloads\": ");
    let (payloads, tree) = match &bootstrap.layout {
        Layout::Zip => (&[][..], None),
        Layout::Extract { payloads, tree } => (&payloads[..], Some(tree)),
    };
    push_tuple(text, payloads, |text, payload| {
        push_tuple(text, &[&payload.name, &digits(&payload.sha256)], |text, part| push_str(text, part));
    });
    text.push_str(", \"tree\": ");
    match tree {
        Some(tree) => push_str(text, &digits(tree)),
        None => text.push_str("None"),
    }
    text.push_str(", \"boot\": ");
    push_str(text, &format!("{BOOT_KEY:016x}"));
    text.push_str(", \"entry\": ");
    push_tuple(text, &bootstrap.entry.parts(), |text, part| push_str(text, part));
    text.push_str(", \"scripts\": {");
    for (index, (name, entry)) in bootstrap.console_scripts.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { ", " });
        push_str(text, name);
        text.push_str(": ");
        push_tuple(text, &entry.parts(), |text, part| push_str(text, part));
    }
    text.push_str("}, \"pth\": ");
    push_tuple(text, &bootstrap.pth, |text, name| push_str(text, name));
    text.push_str(match bootstrap.reach {
        Reach::Program => "}",
        Reach::Children => ", \"export_path\": 1}",
    });
}

fn digits(digest: &[u8; 32]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn push_version(text: &mut String, (major, minor): (u8, u8)) {
    let _ = write!(text, "({major}, {minor})");
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Bootstrap {
        Bootstrap {
            name: "tool".into(),
            version: "1.0".into(),
            requires_python: Some(">=3.8".into()),
            pythons: vec![(3, 9), (3, 8)],
            refused_patches: BTreeMap::from([
                ((3, 8), RefusedPatches { patches: vec![0, 1], needs: ">=3.8.2".into() }),
                ((3, 9), RefusedPatches { patches: vec![7], needs: "!=3.9.7".into() }),
            ]),
            open_ended: true,
            newest_known: (3, 9),
            platform: "manylinux_2_28_x86_64".into(),
            layout: Layout::Extract {
                payloads: vec![Payload { name: "_pyzpack/payload.zip".into(), sha256: [0xa5; 32] }],
                tree: [0xa5; 32],
            },
            entry: Entry::Object { module: "tool.cli".into(), attr: "App.main".into() },
            console_scripts: BTreeMap::from([
                ("tool".into(), Entry::Object { module: "tool.cli".into(), attr: "App.main".into() }),
                ("\u{e9}\"\\\n".into(), Entry::Executable { path: "bin/\u{1f600}".into() }),
            ]),
            pth: vec!["a.pth".into()],
            reach: Reach::Children,
        }
    }

    fn constants(bootstrap: &Bootstrap) -> String {
        let text = String::from_utf8(render_find(bootstrap)).expect("ASCII");
        text.lines().find(|line| line.starts_with("APP = ")).expect("one line of constants").to_owned()
    }

    #[test]
    fn renders_every_constant_on_one_line() {
        let digest = "a5".repeat(32);
        let expected = format!(
            concat!(
                r#"APP = {{"name": "tool", "version": "1.0", "requires_python": ">=3.8", "#,
                r#""pythons": ((3, 8), (3, 9)), "#,
                r#""refused": {{(3, 8): ((0, 1), ">=3.8.2"), (3, 9): ((7,), "!=3.9.7")}}, "newest": (3, 9), "#,
                r#""platform": ("manylinux_2_28_x86_64", "linux", ("x86_64",), "glibc", (2, 28)), "#,
                r#""payloads": (("_pyzpack/payload.zip", "{0}"),), "tree": "{0}", "boot": "{1:016x}", "#,
                r#""entry": ("object", "tool.cli", "App.main"), "#,
                r#""scripts": {{"tool": ("object", "tool.cli", "App.main"), "#,
                r#""\u00e9\"\\\n": ("executable", "bin/\U0001f600")}}, "pth": ("a.pth",), "export_path": 1}}"#,
            ),
            digest, BOOT_KEY
        );
        assert_eq!(constants(&sample()), expected);
    }

    #[test]
    fn renders_the_absent_as_none_and_empty() {
        let bootstrap = Bootstrap {
            requires_python: None,
            refused_patches: BTreeMap::new(),
            open_ended: false,
            platform: "any".into(),
            layout: Layout::Zip,
            entry: Entry::Module { module: "tool".into() },
            console_scripts: BTreeMap::new(),
            pth: Vec::new(),
            reach: Reach::Program,
            ..sample()
        };
        let expected = concat!(
            r#"APP = {"name": "tool", "version": "1.0", "requires_python": None, "pythons": ((3, 8), (3, 9)), "#,
            r#""newest": None, "platform": None, "payloads": (), "tree": None, "boot": "KEY", "entry": ("module", "tool"), "#,
            r#""scripts": {}, "pth": ()}"#,
        );
        assert_eq!(constants(&bootstrap), expected.replace("KEY", &format!("{BOOT_KEY:016x}")));
    }

    #[test]
    fn replaces_the_marked_line_and_no_other() {
        let rendered = String::from_utf8(render_find(&sample())).expect("ASCII");
        assert!(rendered.is_ascii());
        assert!(!rendered.contains(MARKER));
        let differing: Vec<_> = FIND.lines().zip(rendered.lines()).filter(|(ours, theirs)| ours != theirs).collect();
        assert_eq!(differing, [("APP = {}  # pyzpack: constants", constants(&sample()).as_str())]);
        assert_eq!(FIND.lines().count(), rendered.lines().count());
    }

    #[test]
    fn has_a_length_independent_of_the_digest() {
        let other = Bootstrap {
            layout: Layout::Extract {
                payloads: vec![Payload { name: "_pyzpack/payload.zip".into(), sha256: [0; 32] }],
                tree: [0; 32],
            },
            ..sample()
        };
        let (ours, theirs) = (render_find(&sample()), render_find(&other));
        assert_ne!(ours, theirs);
        assert_eq!(ours.len(), theirs.len());
    }

    #[test]
    fn support_files_are_ascii_and_sorted() {
        let files = support_files();
        assert!(files.iter().all(|(_, text)| text.is_ascii()));
        assert!(files.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn the_check_knows_every_file_of_ours() {
        let (_, check) = support_files().into_iter().find(|(path, _)| path.ends_with("/verify.py")).unwrap();
        for path in support_files().iter().map(|(path, _)| *path).chain([FIND_PATH]) {
            let name = path.strip_prefix("_pyzpack/").and_then(|name| name.strip_suffix(".py")).unwrap_or(path);
            assert!(check.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
