//! Markers, specifiers, requirements and wheel tags against what Python's `packaging` says of the same texts.
//!
//! The cases are made by scripts/check-markers, which names the release that made them in each file.

use std::collections::BTreeSet;
use std::fs;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};
use pyzpack::digest::Sha256Digest;
use pyzpack::target::{
    Activation, Libc, Machine, Marker, MarkerEnvironment, Platform, PythonAbi, PythonBuild, PythonMinor, Requirement,
    RequirementSource, Threading, WheelTag, specifier_contains, supported_tags,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/testdata/target/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with every difference, each on its line.
fn expect_none(what: &str, compared: usize, differences: &[String]) {
    println!("{what}: {compared} compared, {} differences", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[derive(Deserialize)]
struct MarkerCases {
    contexts: Vec<Context>,
    markers: Vec<(String, Option<String>)>,
}

#[derive(Deserialize)]
struct Context {
    environment: MarkerEnvironment,
    extras: BTreeSet<pyzpack::names::ExtraName>,
    groups: Option<BTreeSet<pyzpack::names::GroupName>>,
}

impl Context {
    fn verdict(&self, marker: &Marker) -> char {
        let extras = &self.extras;
        let activation = match &self.groups {
            None => Activation::Metadata { extras },
            Some(groups) => Activation::LockFile { extras, groups },
        };
        match marker.evaluate(&self.environment, activation) {
            Ok(true) => '1',
            Ok(false) => '0',
            Err(_) => 'E',
        }
    }
}

#[test]
fn markers_mean_what_packaging_says() {
    let cases: MarkerCases = read("markers");
    let mut differences = Vec::new();
    let mut compared = 0;
    for (text, expected) in &cases.markers {
        let found = text.parse::<Marker>();
        compared += expected.as_ref().map_or(1, String::len);
        match (&found, expected) {
            (Err(_), None) => {}
            (Ok(marker), Some(expected)) => {
                let verdicts: String = cases.contexts.iter().map(|context| context.verdict(marker)).collect();
                if verdicts != *expected {
                    differences.push(format!("{text}: expected {expected}, found {verdicts}"));
                }
                assert_eq!(marker.to_string().parse().as_ref(), Ok(marker), "the canonical text of {text}");
            }
            (Ok(_), None) => differences.push(format!("{text}: taken")),
            (Err(error), Some(_)) => differences.push(format!("refused: {error}")),
        }
    }
    expect_none("markers x environments", compared, &differences);
}

#[derive(Deserialize)]
struct SpecifierCases {
    versions: Vec<String>,
    specifiers: Vec<(String, Option<String>)>,
}

#[test]
fn specifiers_contain_what_packaging_says() {
    let cases: SpecifierCases = read("specifiers");
    let versions: Vec<Version> = cases.versions.iter().map(|version| version.parse().unwrap()).collect();
    let mut differences = Vec::new();
    for (text, expected) in &cases.specifiers {
        match (VersionSpecifier::from_str(text), expected) {
            (Err(_), None) => {}
            (Ok(specifier), Some(expected)) => {
                for ((version, wanted), name) in versions.iter().zip(expected.chars()).zip(&cases.versions) {
                    if specifier_contains(&specifier, version) != (wanted == '1') {
                        differences.push(format!("{name} in {text}: expected {wanted}"));
                    }
                }
            }
            (found, expected) => differences.push(format!("{text}: expected {expected:?}, found {found:?}")),
        }
    }
    expect_none("specifiers x versions", cases.specifiers.len() * versions.len(), &differences);
}

#[derive(Deserialize)]
struct RequirementCases {
    requirements: Vec<(String, Option<RequirementFacts>)>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct RequirementFacts {
    name: String,
    extras: Vec<String>,
    specifiers: Vec<String>,
    url: Option<String>,
    marker: Option<String>,
}

impl RequirementFacts {
    fn of(requirement: &Requirement) -> Self {
        let specifiers: BTreeSet<String> =
            requirement.specifiers().into_iter().flat_map(|all| all.iter().map(ToString::to_string)).collect();
        Self {
            name: requirement.name.to_string(),
            extras: requirement.extras.iter().map(ToString::to_string).collect(),
            specifiers: specifiers.into_iter().collect(),
            url: match &requirement.source {
                RequirementSource::Url(url) => Some(url.with_credentials().to_owned()),
                RequirementSource::Versions(_) => None,
            },
            marker: requirement.marker.as_ref().map(ToString::to_string),
        }
    }
}

#[test]
fn requirements_read_as_packaging_reads_them() {
    let cases: RequirementCases = read("requirements");
    let mut differences = Vec::new();
    for (text, expected) in &cases.requirements {
        match (text.parse::<Requirement>(), expected) {
            (Err(_), None) => {}
            (Ok(requirement), Some(expected)) => {
                let found = RequirementFacts::of(&requirement);
                let marker = expected.marker.as_ref().map(|marker| marker.parse::<Marker>().unwrap().to_string());
                let expected = RequirementFacts {
                    marker,
                    name: expected.name.clone(),
                    extras: expected.extras.clone(),
                    specifiers: expected.specifiers.clone(),
                    url: expected.url.clone(),
                };
                if found != expected {
                    differences.push(format!("{text:?}: expected {expected:?}, found {found:?}"));
                }
                if found.url.is_none() {
                    let again: Requirement = requirement.to_string().parse().unwrap();
                    assert_eq!(RequirementFacts::of(&again), found, "the canonical text of {text:?}");
                }
            }
            (Ok(requirement), None) => differences.push(format!("{text:?}: taken as {requirement}")),
            (Err(error), Some(_)) => differences.push(format!("refused: {error}")),
        }
    }
    expect_none("requirements", cases.requirements.len(), &differences);
}

#[derive(Deserialize)]
struct TagCases {
    wheels: Vec<String>,
    supported: Vec<SupportedCase>,
    sets: Vec<(String, Option<Vec<String>>)>,
}

#[derive(Deserialize)]
struct SupportedCase {
    platform: String,
    machine: String,
    python: PythonMinor,
    flags: String,
    count: usize,
    sha256: Sha256Digest,
    ranks: Vec<Option<usize>>,
}

#[test]
fn tags_and_their_order_are_packagings() {
    let cases: TagCases = read("tags");
    let mut differences = Vec::new();
    let wheels: Vec<_> = cases.wheels.iter().map(|text| WheelTag::parse_set(text).unwrap()).collect();
    for case in &cases.supported {
        let mut platform: Platform = case.platform.parse().unwrap();
        if let Platform::Linux { machine, .. } = &mut platform
            && case.machine == "this"
        {
            *machine = Machine::This;
        }
        let abi = PythonAbi {
            threading: if case.flags.contains('t') { Threading::Free } else { Threading::Locked },
            build: if case.flags.contains('d') { PythonBuild::Debug } else { PythonBuild::Release },
        };
        let supported = supported_tags(&platform, case.python, abi);
        let texts: Vec<String> = supported.iter().map(|tag| tag.to_string()).collect();
        let name = format!("{} {} {}{}", case.platform, case.machine, case.python, case.flags);
        if Sha256Digest::of(texts.join("\n").as_bytes()) != case.sha256 {
            differences.push(format!("{name}: expected {} tags, found {}: {texts:?}", case.count, texts.len()));
        }
        for ((wheel, expected), text) in wheels.iter().zip(&case.ranks).zip(&cases.wheels) {
            let found = supported.best_rank(wheel);
            if found != *expected {
                differences.push(format!("{name}: {text}: expected rank {expected:?}, found {found:?}"));
            }
        }
    }
    for (text, expected) in &cases.sets {
        let found = WheelTag::parse_set(text).ok().map(|tags| tags.iter().map(ToString::to_string).collect::<Vec<_>>());
        if found != *expected {
            differences.push(format!("{text}: expected {expected:?}, found {found:?}"));
        }
    }
    let compared = cases.supported.len() * (1 + wheels.len()) + cases.sets.len();
    expect_none("tag lists, ranks and sets", compared, &differences);
}

#[test]
fn reads_a_legacy_platform_as_its_numbered_one() {
    let platform = Platform::Linux { architecture: "x86_64".into(), libc: Libc::Glibc(2, 17), machine: Machine::Any };
    assert_eq!("manylinux2014_x86_64".parse(), Ok(platform));
}

#[test]
fn errors_of_evaluation_name_the_comparison() {
    let cases: MarkerCases = read("markers");
    let sets = cases.contexts.iter().find(|context| context.groups.is_some()).unwrap();
    let message = |text: &str| {
        let marker: Marker = text.parse().unwrap();
        let groups = sets.groups.as_ref().unwrap();
        let activation = Activation::LockFile { extras: &sets.extras, groups };
        marker.evaluate(&sets.environment, activation).unwrap_err().to_string()
    };
    assert_eq!(message("extra == 'A_b'"), "marker `extra == \"a-b\"`: `extra` is not defined in lock files");
    assert_eq!(
        message("os_name == 'nt' or extras == 'x'"),
        "marker `extras == \"x\"`: `extras` is a set, usable only as in `\"name\" in extras`"
    );
    assert_eq!(
        message("'x' ~= platform_machine"),
        "marker `\"x\" ~= platform_machine`: `~=` is not defined for `x` and `x86_64`, which are not versions"
    );
}

#[test]
fn errors_of_tags_name_the_text() {
    let many = format!("{}-none-any", vec!["py3"; 5000].join("."));
    for (text, message) in [
        ("py3-none", "invalid wheel tag `py3-none`: expected python-abi-platform"),
        ("py3-none-", "invalid wheel tag `py3-none-`: an empty part"),
        ("3py-none-any", "invalid wheel tag `3py-none-any`: `3py` is not a Python tag"),
        (&many, &format!("invalid wheel tag `{many}`: 5000 tags, at most 4096 are taken")),
    ] {
        assert_eq!(WheelTag::parse_set(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn canonical_markers_are_written_one_way() {
    for (text, canonical) in [
        ("( python_implementation=='CPython' )", "platform_python_implementation == \"CPython\""),
        (
            "(os.name=='nt' and 'x'in sys.platform)and extra=='A.b'",
            "os_name == \"nt\" and \"x\" in sys_platform and extra == \"a-b\"",
        ),
        (
            "os_name=='a' and(os_name=='b'or os_name=='c')",
            "os_name == \"a\" and (os_name == \"b\" or os_name == \"c\")",
        ),
        (
            "(os_name=='a' and os_name=='b')or os_name  not  in'c'",
            "os_name == \"a\" and os_name == \"b\" or os_name not in \"c\"",
        ),
        ("os_name == 'say \"x\"'", "os_name == 'say \"x\"'"),
    ] {
        assert_eq!(text.parse::<Marker>().unwrap().to_string(), canonical);
    }
}
