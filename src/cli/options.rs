//! The options of a build: one table makes the command line's arguments, the names of environment variables, and the keys
//! of `[tool.pyzpack]`, so that the three cannot drift apart.

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::evidence::BuilderId;
use crate::references::Directory;

/// One option.
pub(super) struct BuildOption {
    /// Its long name, which is its key in `[tool.pyzpack]` too.
    pub(super) name: &'static str,
    short: Option<char>,
    pub(super) kind: Kind,
    value: &'static str,
    help: &'static str,
}

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: it is there or not.
    Flag,
    /// One text.
    Text,
    /// Any number of texts: the option is repeated, the key is a list.
    List,
    /// Names with commas between them; the key may be a list.
    Names,
}

use Kind::{Flag, List, Names, Text};

/// Every option of `build`.
pub(super) const BUILD_OPTIONS: &[BuildOption] = &[
    option("output", Some('o'), Text, "FILE", "The file to write [default: dist/NAME.pyz]"),
    option("console-script", Some('c'), Text, "NAME", "Start this console script [default: the only one]"),
    option("entry-point", Some('e'), Text, "MOD[:FUNC]", "Start this object; a module alone runs as __main__"),
    option("requirement", Some('r'), List, "FILE", "Pack what this requirements.txt lists; repeatable"),
    option("lock", None, Text, "FILE", "Take the versions of this lock file [default: the project's own]"),
    option("locked", None, Flag, "", "Refuse what no lock, hash or commit pins, build requirements included"),
    option("extra", None, List, "NAME", "Pack this extra of the inputs too; repeatable"),
    option("group", None, List, "NAME", "Pack this dependency group of the project too; repeatable"),
    option("find-links", None, List, "DIR", "Look for distributions in this directory too; repeatable"),
    option("no-index", None, Flag, "", "Ask no index"),
    option("index-url", None, Text, "URL", "Ask this index [default: the resolver's own]"),
    option("extra-index-url", None, List, "URL", "Ask this index too; repeatable"),
    option("offline", None, Flag, "", "Open no internet socket, children included"),
    option("python", None, Text, "VERSION|PATH", "Resolve and build with this interpreter [default: python3]"),
    option("target-python", None, Text, "X.Y", "Pack for this Python [default: the interpreter's]"),
    option("platform", None, Text, "TAG", "Pack for this platform [default: the interpreter's]"),
    option("shebang", None, Text, "LINE", "The first line, without #! [default: /usr/bin/env python3]"),
    option("layout", None, Text, "LAYOUT", "auto, zip (imported in place) or extract (unpacked once) [default: auto]"),
    option("compression", None, Text, "HOW", "deflate or store [default: deflate]"),
    option("recompress", None, Flag, "", "Deflate everything anew instead of keeping the wheels' streams"),
    option("bytecode", None, Names, "X.Y[,X.Y]", "Pack compiled modules for these Pythons too; layout extract only"),
    option("on-conflict", None, Text, "WHAT", "error, first or last, where two wheels bring one file [default: error]"),
    option("max-unpacked", None, Text, "SIZE", "Take wheels that unpack to more than 8G, such as 20G"),
    option("build-timeout", None, Text, "DURATION", "End the build of a wheel after this time [default: 30m]"),
    option(
        "evidence",
        None,
        Names,
        "LIST",
        "What to write beside the file: sha256, cyclonedx, spdx, provenance, all or none [default: sha256]",
    ),
    option("builder-id", None, Text, "URI", "Who builds, for the provenance [default: nobody in particular]"),
    option("source-date-epoch", None, Text, "N", "Seconds since 1970 for every entry, or commit [default: 1980-01-01]"),
    option("jobs", Some('j'), Text, "N", "Use this many threads [default: all processors]"),
];

/// The key of `[tool.pyzpack]` that is no option: a property of the program, not of a build of it.
pub(super) const EXPORT_PATH: &str = "export-path";

const fn option(
    name: &'static str,
    short: Option<char>,
    kind: Kind,
    value: &'static str,
    help: &'static str,
) -> BuildOption {
    BuildOption { name, short, kind, value, help }
}

impl BuildOption {
    /// The option called `name`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        BUILD_OPTIONS.iter().find(|option| option.name == name)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        // The time has a name that all build tools share.
        if self.name == "source-date-epoch" {
            return "SOURCE_DATE_EPOCH".to_owned();
        }
        format!("PYZPACK_{}", self.name.to_ascii_uppercase().replace('-', "_"))
    }

    /// Whether its value is a path.
    pub(super) fn takes_path(&self) -> bool {
        matches!(self.value, "FILE" | "DIR")
    }

    pub(super) fn argument(&self) -> Arg {
        let mut argument = Arg::new(self.name).long(self.name).help(self.help);
        if let Some(short) = self.short {
            argument = argument.short(short);
        }
        let argument = match self.kind {
            Flag => return argument.action(ArgAction::SetTrue),
            Text | Names => argument.action(ArgAction::Set),
            List => argument.action(ArgAction::Append),
        };
        let hint = match self.value {
            "FILE" => ValueHint::FilePath,
            "DIR" => ValueHint::DirPath,
            _ => ValueHint::Other,
        };
        argument.value_name(self.value).value_hint(hint).allow_hyphen_values(false)
    }
}

/// The whole command line.
pub(super) fn command() -> Command {
    Command::new("pyzpack")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Pack a Python program and its wheels into one .pyz file: the same bytes everywhere, verifiable, fast")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(building("build", "Build a .pyz from a project, wheels, source distributions or requirements", &[]))
        .subcommand(building("plan", "Show what build would do; nothing is built", &[]))
        .subcommand(locking())
        .subcommand(wheeling())
        .subcommand(
            Command::new("inspect")
                .about("Show what is in a .pyz, or in a wheel")
                .arg(finished_argument().help("The .pyz, or a wheel"))
                .arg(switch("files", None, "List every file with its size and digest"))
                .arg(referring())
                .arg(switch("json", None, "Write JSON")),
        )
        .subcommand(super::diff::command())
        .subcommand(super::reproduce::command())
        .subcommand(super::normalize::command())
        .subcommand(super::verify::command())
        .subcommand(listing())
        .subcommand(attesting())
        .subcommand(making_keys())
        .subcommand(signing())
        .subcommand(caching())
        .subcommand(
            Command::new("completions").about("Write a completion script for a shell").arg(
                Arg::new("shell")
                    .value_name("SHELL")
                    .required(true)
                    .value_parser(clap::value_parser!(clap_complete::Shell)),
            ),
        )
        .subcommand(Command::new("man").about("Write the manual page, in roff"))
}

/// What `inspect` answers instead.
fn referring() -> Arg {
    Arg::new("references")
        .long("references")
        .value_name("DIR")
        .value_hint(ValueHint::DirPath)
        .value_parser(clap::value_parser!(Directory))
        .conflicts_with("files")
        .help("Show which files in it, or in any zip, refer to a file in DIR, such as /nix/store; exit 1 if any does")
}

/// The options of a build that say what is locked, and with what.
const LOCK_OPTIONS: [&str; 14] = [
    "requirement",
    "lock",
    "extra",
    "group",
    "find-links",
    "no-index",
    "index-url",
    "extra-index-url",
    "offline",
    "python",
    "target-python",
    "platform",
    "max-unpacked",
    "build-timeout",
];

/// The verb that writes a lock.
fn locking() -> Command {
    let shared = BUILD_OPTIONS.iter().filter(|option| LOCK_OPTIONS.contains(&option.name));
    let adapted = shared.map(|option| match option.name {
        "lock" => option.argument().help("With --format nix: the lock to write for Nix [default: the project's own]"),
        "requirement" => option.argument().help("Lock what this requirements.txt lists; repeatable"),
        "extra" => option.argument().help("Lock this extra, and of the extras no other; repeatable [default: all]"),
        "group" => {
            option.argument().help("Lock this dependency group, and of these no other; repeatable [default: all]")
        }
        "target-python" => option.argument().help("Lock for this Python [default: the interpreter's]"),
        "platform" => option.argument().help("Lock for this platform [default: the interpreter's]"),
        _ => option.argument(),
    });
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["pylock", "nix"])
        .hide_possible_values(true)
        .default_value("pylock")
        .help("pylock, or nix: the project's own lock as data for Nix, LOCKNAME.nix.json beside it");
    Command::new("lock")
        .about("Choose versions, build requirements included, and write them to pylock.toml (PEP 751)")
        .arg(inputs_argument())
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_hint(ValueHint::FilePath)
                .help("The file to write [default: pylock.toml beside the project]"),
        )
        .arg(format)
        .args(adapted)
        .arg(switch("universal", None, "Lock for every platform and every Python that the project allows; needs uv"))
        .arg(switch("upgrade", Some('U'), "Choose all versions anew, whatever an older lock has"))
        .arg(switch("check", None, "Tell whether the lock is up to date; nothing is resolved or written"))
        .args(reporting())
}

/// The options of a build that say how a source becomes a wheel.
const WHEEL_OPTIONS: [&str; 11] = [
    "lock",
    "locked",
    "find-links",
    "no-index",
    "index-url",
    "extra-index-url",
    "offline",
    "python",
    "max-unpacked",
    "build-timeout",
    "source-date-epoch",
];

/// The verb that builds wheels.
fn wheeling() -> Command {
    let shared = BUILD_OPTIONS.iter().filter(|option| WHEEL_OPTIONS.contains(&option.name));
    let adapted = shared.map(|option| match option.name {
        "lock" => option.argument().help("Build with what this lock file has for it, whatever it is the lock of"),
        "locked" => option.argument().help("Refuse build requirements that no lock pins, and branches"),
        "python" => option.argument().help("Build with this interpreter [default: python3]"),
        _ => option.argument(),
    });
    let output = Arg::new("output").long("output").short('o').value_name("DIR").value_hint(ValueHint::DirPath);
    let inside = Arg::new("subdirectory").long("subdirectory").value_name("DIR").value_hint(ValueHint::Other);
    Command::new("wheel")
        .about("Build the wheel that build packs of a source distribution, a project or a commit")
        .arg(inputs_argument().value_name("SOURCE").help("Directory, sdist, archive, git+URL@COMMIT [default: .]"))
        .arg(output.help("The directory to write to [default: dist]"))
        .arg(inside.help("The project's directory in the source [default: the lock's, or its root]"))
        .args(adapted)
        .args(reporting())
}

/// The verb that writes an SBOM.
fn listing() -> Command {
    let named = |name| BuildOption::named(name).expect("an option of build").argument();
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["cyclonedx", "spdx"])
        .hide_possible_values(true)
        .default_value("cyclonedx")
        .help("cyclonedx (1.6) or spdx (2.3), in JSON");
    Command::new("sbom")
        .about("Write what is in a .pyz as a software bill of materials (SBOM)")
        .arg(finished_argument())
        .arg(format)
        .arg(named("output").help("The file to write [default: standard output]"))
        .arg(named("index-url").help("Distributions from an index came from this one [default: PyPI]"))
        .arg(named("extra-index-url").help("They may have come from this one too; repeatable"))
}

/// What a provenance says that the file does not hold.
fn claims() -> [Arg; 4] {
    let named = |name| BuildOption::named(name).expect("an option of build").argument();
    let builder = named("builder-id").value_parser(clap::value_parser!(BuilderId));
    let source = Arg::new("source")
        .long("source")
        .value_name("DIR")
        .value_hint(ValueHint::DirPath)
        .action(ArgAction::Append)
        .help("Claim the commit of this checkout, from which it was built; repeatable");
    [
        builder.help("Who built it [default: nobody in particular]"),
        source,
        named("index-url").help("Distributions from an index came from this one [default: PyPI]"),
        named("extra-index-url").help("They may have come from this one too; repeatable"),
    ]
}

/// The verb that writes the provenance.
fn attesting() -> Command {
    let output = BuildOption::named("output").expect("an option of build").argument();
    Command::new("provenance")
        .about("Write from what, and how, a .pyz was made (in-toto statement, SLSA provenance)")
        .arg(finished_argument())
        .arg(output.help("The file to write [default: standard output]"))
        .args(claims())
        .arg(switch("predicate-only", None, "Leave out the statement around it, for tools that write their own"))
}

/// The verb that makes keys.
fn making_keys() -> Command {
    let path = Arg::new("path").value_name("PATH").required(true).value_hint(ValueHint::FilePath);
    let types =
        Arg::new("type").long("type").value_name("TYPE").value_parser(super::keygen::TYPES).hide_possible_values(true);
    Command::new("keygen")
        .about("Make a pair of keys to sign with")
        .arg(path.help("The file for the private key; the public one goes to PATH.pub"))
        .arg(types.default_value(super::keygen::TYPES[0]).help("p256 (ECDSA) or ed25519"))
}

/// The verb that signs.
fn signing() -> Command {
    let output = BuildOption::named("output").expect("an option of build").argument();
    let key = Arg::new("key").long("key").value_name("KEY").required(true).value_hint(ValueHint::FilePath);
    Command::new("sign")
        .about("Sign the provenance of a .pyz, and its SBOM")
        .arg(finished_argument())
        // A key that stands here itself begins with hyphens, and must not be quoted by the parser.
        .arg(key.allow_hyphen_values(true).help("The private key: a file, env:NAME, or - for standard input"))
        .arg(switch("envelope", None, "Write DSSE envelopes (FILE.dsse.json) instead of Sigstore bundles"))
        .arg(switch("sbom", None, "Sign the CycloneDX SBOM too (FILE.cdx.sigstore.json)"))
        .arg(output.conflicts_with("sbom").help("The file to write [default: FILE.sigstore.json]"))
        .args(claims())
}

/// The verb that looks after the cache.
fn caching() -> Command {
    let age = Arg::new("older-than")
        .long("older-than")
        .value_name("AGE")
        .value_parser(super::cache::parse_age)
        .help("Remove what was not used for so long, such as 12h [default: 30d]");
    Command::new("cache")
        .about("Show or clean the cache of wheels, unpacked applications and logs")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("dir").about("Write where the cache is"))
        .subcommand(Command::new("size").about("Show how much room each part takes").arg(switch(
            "json",
            None,
            "Write JSON",
        )))
        .subcommand(
            Command::new("prune")
                .about("Remove unfinished files, old logs, and unused wheels and unpacked applications")
                .arg(age),
        )
        .subcommand(Command::new("clear").about("Remove everything in the cache"))
}

/// A verb that takes the options of a build, but for those of `left_out`.
pub(super) fn building(name: &'static str, about: &'static str, left_out: &[&str]) -> Command {
    Command::new(name)
        .about(about)
        .arg(inputs_argument())
        .args(BUILD_OPTIONS.iter().filter(|option| !left_out.contains(&option.name)).map(BuildOption::argument))
        .args(reporting())
}

fn inputs_argument() -> Arg {
    Arg::new("inputs")
        .value_name("INPUT")
        .num_args(0..)
        .value_hint(ValueHint::AnyPath)
        .help("Project directory, script.py, wheel, sdist, requirement, git+URL@REV [default: .]")
}

/// The file that a verb is about.
pub(super) fn finished_argument() -> Arg {
    Arg::new("file").value_name("FILE").required(true).value_hint(ValueHint::FilePath).help("The .pyz")
}

fn reporting() -> [Arg; 3] {
    [
        switch("quiet", Some('q'), "Say nothing but errors and the result"),
        switch("verbose", Some('v'), "Say more"),
        switch("json", None, "Write the report as JSON on standard output"),
    ]
}

pub(super) fn switch(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    let argument = Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    if let Some(short) = short { argument.short(short) } else { argument }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_option_has_one_variable() {
        let mut names: Vec<String> = BUILD_OPTIONS.iter().map(BuildOption::variable).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), BUILD_OPTIONS.len());
        assert_eq!(BuildOption::named("find-links").unwrap().variable(), "PYZPACK_FIND_LINKS");
    }
}
