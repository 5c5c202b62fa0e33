//! The table of codes has every code that there is, and README has the table.

use std::collections::BTreeSet;
use std::path::Path;

use pyzpack::verify::{CODES, explain};

/// The codes that the sources give to faults: what stands in `fn code` behind an arrow.
fn codes_in_sources() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = ["archive", "evidence", "verify"].map(|directory| walkdir::WalkDir::new(root.join(directory)));
    let mut codes = BTreeSet::new();
    for entry in files.into_iter().flatten() {
        let path = entry.expect("src/ is readable").into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        for (at, start) in text.match_indices("fn code(&self) -> &'static str {") {
            let body = &text[at + start.len()..];
            let body = &body[..body.find("\n    }\n").expect("the function's end")];
            codes.extend(body.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    codes
}

#[test]
fn the_table_has_every_code_that_there_is() {
    let codes = codes_in_sources();
    assert!(codes.contains("zip-crc") && codes.contains("signature-raw") && codes.contains("untrusted"));
    let known: BTreeSet<String> = CODES.iter().map(|known| known.code.to_owned()).collect();
    assert_eq!(known, codes);
    assert_eq!(known.len(), CODES.len(), "each once");
}

#[test]
fn every_code_is_explained() {
    for known in CODES {
        let text = format!("{}: {}\nhint: {}\n", known.code, known.meaning, known.advice);
        assert_eq!(explain(Some(known.code)), Some(text));
    }
    assert_eq!(explain(Some("zip")), None);
    assert_eq!(explain(None).unwrap().lines().count(), CODES.len());
}

#[test]
fn readme_has_the_table() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let section = readme.split("<summary>Every code, in its order</summary>\n\n```text\n").nth(1).expect("the table");
    assert_eq!(section.split("```\n").next(), explain(None).as_deref());
}
