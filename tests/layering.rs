//! The import directions of the house: `cli -> pipeline -> stages -> primitives`, and only the command line looks at the
//! environment, the clock and the terminal. Read from the text of `src/`.

use std::collections::BTreeMap;
use std::path::Path;

/// For what the stages use: none of them, nor what comes after.
const NO_STAGES: &[&str] = &[
    "lock",
    "wheel",
    "application",
    "pipeline",
    "cli",
    "archive",
    "project",
    "resolve",
    "evidence",
    "output",
    "cache",
];

/// A module and what it may not import.
const FORBIDDEN: [(&str, &[&str]); 26] = [
    ("runtime", &["*"]),
    ("digest", &["*"]),
    ("epoch", &["*"]),
    ("json", &["*"]),
    ("names", &["*"]),
    ("status", &["*"]),
    ("shown", &["*"]),
    // It takes URLs apart, and so stands on `urls` alone.
    (
        "redact",
        &[
            "archive",
            "wheel",
            "application",
            "pipeline",
            "cli",
            "target",
            "project",
            "resolve",
            "python",
            "process",
            "evidence",
            "output",
            "runtime",
        ],
    ),
    ("urls", &["*"]),
    ("surroundings", &["*"]),
    // Stages: none knows those that come after it.
    (
        "archive",
        &["wheel", "application", "pipeline", "cli", "project", "resolve", "python", "process", "evidence", "output"],
    ),
    (
        "target",
        &["wheel", "application", "pipeline", "cli", "archive", "project", "resolve", "python", "evidence", "output"],
    ),
    // What is packed, before anything is chosen.
    ("project", &["wheel", "pipeline", "cli", "lock", "resolve", "python", "evidence", "output", "cache"]),
    // Data alone: of the project it reads files, what it says is fetched and built elsewhere.
    (
        "lock",
        &[
            "wheel",
            "application",
            "pipeline",
            "cli",
            "archive",
            "resolve",
            "python",
            "process",
            "evidence",
            "output",
            "cache",
        ],
    ),
    // A resolver chooses where no lock does.
    ("resolve", &["lock", "application", "pipeline", "cli", "evidence", "output", "cache"]),
    ("python", NO_STAGES),
    // It is given sources, and gives bytes.
    ("bytecode", NO_STAGES),
    // It knows the directories of those that fill them, and what of these is in use.
    (
        "cache",
        &["lock", "application", "pipeline", "cli", "archive", "project", "resolve", "python", "evidence", "output"],
    ),
    ("wheel", &["application", "pipeline", "cli", "evidence", "output", "runtime"]),
    ("evidence", &["wheel", "application", "pipeline", "cli", "archive", "project", "resolve", "python", "output"]),
    ("application", &["pipeline", "cli", "resolve", "python", "process", "output"]),
    // What makes files cannot excuse itself where they are judged.
    ("verify", &["application", "pipeline", "cli", "project", "resolve", "python", "process", "output", "cache"]),
    // It takes files as they are, and nobody's word for what they should be.
    (
        "diff",
        &[
            "wheel",
            "application",
            "pipeline",
            "cli",
            "project",
            "resolve",
            "python",
            "process",
            "evidence",
            "output",
            "cache",
            "verify",
            "runtime",
        ],
    ),
    // It packs files anew, whatever made them.
    (
        "normalize",
        &[
            "wheel",
            "application",
            "pipeline",
            "cli",
            "project",
            "resolve",
            "python",
            "lock",
            "cache",
            "verify",
            "runtime",
        ],
    ),
    ("pipeline", &["cli", "reproduce"]),
    // It runs builds and reads what they wrote.
    ("reproduce", &["cli", "wheel", "lock", "verify"]),
];

/// What none but the command line may import.
const FOR_NOBODY: [(&str, &[&str]); 2] = [("cli", &["main"]), ("pipeline", &["cli", "reproduce"])];

/// What only some modules may write: the text, who may, and why nobody else.
const RESERVED: [(&str, &[&str], &str); 14] = [
    ("env::var", &["cli"], "reads the environment"),
    ("env::vars", &["cli"], "reads the environment"),
    ("env::args", &["cli", "main"], "reads the arguments"),
    ("env::current_dir", &["cli"], "reads the working directory"),
    ("env::home_dir", &["cli"], "reads the environment"),
    ("env::temp_dir", &["cli"], "reads the environment"),
    ("SystemTime::now", &["cli"], "reads the clock"),
    ("Instant::now", &["cli", "process"], "reads the clock"),
    ("eprintln!", &["cli"], "writes to the terminal"),
    ("eprint!", &["cli"], "writes to the terminal"),
    ("println!", &["cli"], "writes to the terminal"),
    ("io::stdout", &["cli"], "writes to the terminal"),
    ("io::stderr", &["cli"], "writes to the terminal"),
    ("is_terminal", &["cli"], "looks at the terminal"),
];

/// The code of a file: without comments, and without the tests at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    // Not the slashes of a URL.
    let is_comment = |at: &usize, line: &str| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let bare = |line: &str| {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|at| is_comment(at, line));
        line[..comment.unwrap_or(line.len())].to_owned() + "\n"
    };
    code.lines().map(bare).collect()
}

/// The modules of this crate that `text` names: `crate::name`, and the names of `crate::{name, ...}`.
fn imports(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|next| next.is_alphanumeric() || *next == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, prefix) in text.match_indices("crate::") {
        let rest = &text[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(list) => {
                let mut depth = 0_usize;
                let mut item = true;
                for (at, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => item = true,
                        _ if item && !character.is_whitespace() => {
                            found.push(word(&list[at..]));
                            item = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// What breaks the rules in the file of `module` at `path`, a line each.
fn violations(module: &str, path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let mut found = Vec::new();
    for import in imports(&code) {
        let forbidden = FORBIDDEN.iter().find(|(name, _)| *name == module).is_some_and(|(_, forbidden)| {
            forbidden.contains(&import.as_str()) || (forbidden == &["*"] && import != module)
        });
        let reserved =
            FOR_NOBODY.iter().any(|(name, allowed)| *name == import && module != import && !allowed.contains(&module));
        if forbidden || reserved {
            found.push(format!("{path}: `{module}` imports `{import}`"));
        }
    }
    for (text, allowed, does) in RESERVED {
        let whole = |at: usize| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !allowed.contains(&module) && code.match_indices(text).any(|(at, _)| whole(at)) {
            found.push(format!("{path}: `{text}` {does}"));
        }
    }
    found
}

/// The sources by path, each with the top-level module that it belongs to.
fn sources() -> BTreeMap<String, (String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = walkdir::WalkDir::new(&root).into_iter().map(|entry| entry.expect("src/ is readable").into_path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let relative =
                path.strip_prefix(&root).expect("a file of src/").to_str().expect("a name in UTF-8").to_owned();
            let module = relative.split('/').next().expect("a first segment").trim_end_matches(".rs").to_owned();
            (relative, (module, std::fs::read_to_string(&path).expect("a source")))
        })
        .collect()
}

#[test]
fn arrows_point_one_way() {
    let sources = sources();
    let found: Vec<String> = sources.iter().flat_map(|(path, (module, text))| violations(module, path, text)).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_module_that_the_rules_name_is_there() {
    let modules: Vec<String> = sources().into_values().map(|(module, _)| module).collect();
    let named = FORBIDDEN.iter().flat_map(|(module, others)| std::iter::once(module).chain(others.iter()));
    let named =
        named.chain(FOR_NOBODY.iter().flat_map(|(module, others)| std::iter::once(module).chain(others.iter())));
    let named = named.chain(RESERVED.iter().flat_map(|(_, allowed, _)| allowed.iter()));
    let missing: Vec<_> = named.filter(|name| **name != "*" && !modules.iter().any(|module| module == *name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn sees_planted_violations() {
    for (module, text, message) in [
        ("archive", "use crate::wheel::VerifiedWheel;", "planted.rs: `archive` imports `wheel`"),
        ("archive", "fn f() { crate::cli::run(); }", "planted.rs: `archive` imports `cli`"),
        ("runtime", "use crate::digest::Sha256Digest;", "planted.rs: `runtime` imports `digest`"),
        (
            "wheel",
            "use crate::{\n    archive::{Epoch, Mode},\n    application::Layout,\n};",
            "planted.rs: `wheel` imports `application`",
        ),
        ("wheel", "use crate::pipeline::Stage;", "planted.rs: `wheel` imports `pipeline`"),
        ("pipeline", "use crate::cli::observer;", "planted.rs: `pipeline` imports `cli`"),
        ("resolve", "use crate::cli::settings;", "planted.rs: `resolve` imports `cli`"),
        ("names", "use crate::urls::scheme;", "planted.rs: `names` imports `urls`"),
        ("output", "let home = std::env::var_os(\"HOME\");", "planted.rs: `env::var` reads the environment"),
        ("archive", "let now = SystemTime::now();", "planted.rs: `SystemTime::now` reads the clock"),
        ("wheel", "let now = std::time::Instant::now();", "planted.rs: `Instant::now` reads the clock"),
        ("process", "println!(\"{line}\");", "planted.rs: `println!` writes to the terminal"),
        ("wheel", "eprintln!(\"{line}\");", "planted.rs: `eprintln!` writes to the terminal"),
    ] {
        assert_eq!(violations(module, "planted.rs", text), [message], "{text}");
    }
}

#[test]
fn passes_over_comments_tests_and_what_is_allowed() {
    for (module, text) in [
        ("archive", "// crate::wheel says more\nuse crate::digest::Sha256Digest;"),
        ("archive", "fn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() { println!(\"{}\", crate::wheel::x()); }\n}"),
        ("cli", "eprintln!(\"{}\", std::env::var(\"X\")); use crate::pipeline::build;"),
        ("process", "let started = Instant::now();"),
        ("archive", "use std::time::SystemTime; // a file's time is data, not the clock"),
        ("runtime", "let text = Bootstrap::default();"),
    ] {
        assert_eq!(violations(module, "harmless.rs", text), Vec::<String>::new(), "{text}");
    }
}
