//! Closing requirements over given wheels, the Pythons that a selection fits, and the line that says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pep440_rs::VersionSpecifiers;
use proptest::prelude::*;
use pyzpack::names::PackageName;
use pyzpack::status::Explain;
use pyzpack::target::{
    Closure, DistributionFacts, MarkerEnvironment, Platform, PythonAbi, PythonMinor, Pythons, Requirement, Target,
    WheelTag, close, platform_of, runs_on, supported_pythons,
};

const NATIVE: &str = "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64";

/// A wheel, by its name and version, its tags, its `Requires-Python` and its `Requires-Dist`.
fn wheel(id: &str, tags: &str, requires_python: &str, requires_dist: &[&str]) -> DistributionFacts {
    let (name, version) = id.split_once(' ').unwrap();
    DistributionFacts {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        requires_python: (!requires_python.is_empty()).then(|| requires_python.parse().unwrap()),
        requires_dist: requirements(requires_dist),
        provides_extra: ["x", "y"].map(|extra| extra.parse().unwrap()).into(),
        tags: WheelTag::parse_set(tags).unwrap(),
        build: None,
        filename: format!("{name}-{version}-{tags}.whl"),
    }
}

fn pure(id: &str, requires_dist: &[&str]) -> DistributionFacts {
    wheel(id, "py3-none-any", "", requires_dist)
}

fn requirements(texts: &[&str]) -> Vec<Requirement> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn candidates(wheels: &[DistributionFacts]) -> BTreeMap<PackageName, Vec<DistributionFacts>> {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for wheel in wheels {
        by_name.entry(wheel.name.clone()).or_default().push(wheel.clone());
    }
    by_name
}

/// `CPython` 3.11.7 on a Linux with glibc 2.28.
fn target() -> Target {
    let environment = MarkerEnvironment {
        implementation_name: "cpython".into(),
        implementation_version: "3.11.7".into(),
        os_name: "posix".into(),
        platform_machine: "x86_64".into(),
        platform_python_implementation: "CPython".into(),
        platform_release: "6.1".into(),
        platform_system: "Linux".into(),
        platform_version: "#1".into(),
        python_full_version: "3.11.7".into(),
        python_version: "3.11".into(),
        sys_platform: "linux".into(),
    };
    let platform = "manylinux_2_28_x86_64".parse().unwrap();
    Target::new(PythonMinor::new(3, 11), PythonAbi::default(), environment, platform)
}

/// The names and versions that are selected, or the error's message.
fn closed(roots: &[&str], wheels: &[DistributionFacts]) -> Result<Vec<String>, String> {
    let candidates = candidates(wheels);
    let show = |closure: Closure<'_>| {
        closure.selected.values().map(|one| format!("{} {}", one.facts.name, one.facts.version)).collect()
    };
    close(&requirements(roots), &candidates, &target()).map(show).map_err(|error| error.to_string())
}

fn texts(expected: &[&str]) -> Vec<String> {
    expected.iter().map(ToString::to_string).collect()
}

#[test]
fn follows_requirements_markers_extras_and_cycles() {
    let wheels = [
        pure("a 1", &["b[x]>=2", "old; python_version < '3.9'", "c; extra == 'x'"]),
        pure("b 2.1", &["d; extra == 'x'", "c; extra == 'y'", "a", "b[z]; extra == 'never'"]),
        pure("c 3", &[]),
        pure("d 4", &["b[y]; extra == 'x'", "e[x]"]),
        pure("e 5", &["e[y]; extra == 'x'", "f; extra == 'y'"]),
        pure("f 6", &["f"]),
        pure("unused 7", &["missing"]),
    ];
    assert_eq!(closed(&["a"], &wheels), Ok(texts(&["a 1", "b 2.1", "d 4", "e 5", "f 6"])));
    assert_eq!(closed(&["a[X]"], &wheels), Ok(texts(&["a 1", "b 2.1", "c 3", "d 4", "e 5", "f 6"])));
    assert_eq!(closed(&[], &wheels), Ok(texts(&[])));
    assert_eq!(closed(&["nothing; os_name == 'nt'"], &wheels), Ok(texts(&[])));
}

#[test]
fn of_wheels_with_equal_tags_the_highest_build_tag_is_taken_in_every_order() {
    let chosen = |names: &[(Option<&str>, &str)]| {
        let wheels = names.iter().map(|(build, filename)| DistributionFacts {
            build: build.map(str::to_owned),
            filename: (*filename).to_owned(),
            ..pure("a 1", &[])
        });
        let candidates = candidates(&wheels.collect::<Vec<_>>());
        let closure = close(&requirements(&["a"]), &candidates, &target()).unwrap();
        closure.selected[&"a".parse().unwrap()].facts.filename.clone()
    };
    for (names, expected) in [
        ([(None, "a"), (Some("1"), "b")], "b"),
        ([(Some("2"), "b"), (Some("10"), "c")], "c"),
        ([(Some("2"), "b"), (Some("02a"), "c")], "c"),
        ([(None, "A-1"), (None, "a-1")], "A-1"),
    ] {
        assert_eq!(chosen(&names), expected);
        assert_eq!(chosen(&[names[1], names[0]]), expected);
    }
}

#[test]
fn an_extra_that_comes_late_is_followed_too() {
    let wheels = [pure("a 1", &["c; extra == 'x'"]), pure("b 1", &["a[x]"]), pure("c 1", &[])];
    assert_eq!(closed(&["a", "b"], &wheels), Ok(texts(&["a 1", "b 1", "c 1"])));
    assert_eq!(closed(&["b", "a"], &wheels), Ok(texts(&["a 1", "b 1", "c 1"])));
}

#[test]
fn reports_extras_that_do_not_exist() {
    let wheels = candidates(&[pure("a 1", &[])]);
    let closure = close(&requirements(&["a[x,zz]"]), &wheels, &target()).unwrap();
    assert_eq!(closure.unknown_extras, BTreeSet::from([("a".parse().unwrap(), "zz".parse().unwrap())]));
    assert_eq!(closure.selected[&"a".parse().unwrap()].extras.len(), 2);
}

#[test]
fn takes_the_wheel_with_the_best_tag_of_the_only_version_left() {
    let wheels = [
        pure("a 1", &[]),
        wheel("a 1", "cp311-cp311-manylinux_2_28_x86_64", "", &["b"]),
        wheel("a 1", "cp311-cp311-manylinux_2_31_x86_64", "", &["unfit"]),
        wheel("a 2", "cp312-cp312-manylinux_2_17_x86_64", "", &["other"]),
        wheel("a 3", "py3-none-any", ">=3.12", &["newer"]),
        pure("b 1", &[]),
    ];
    assert_eq!(closed(&["a"], &wheels), Ok(texts(&["a 1", "b 1"])));
}

#[test]
fn a_requirement_may_leave_one_of_several_versions() {
    let wheels = [pure("a 1", &[]), pure("a 2", &[]), pure("b 1", &["a<2"])];
    assert_eq!(closed(&["a==2"], &wheels), Ok(texts(&["a 2"])));
    assert_eq!(closed(&["a", "b"], &wheels), Ok(texts(&["a 1", "b 1"])), "a later requirement decides");
    assert_eq!(closed(&["a"], &wheels), Err("several versions of `a` fit: 1, 2".into()));
    assert_eq!(
        closed(&["a==2", "b"], &wheels),
        Err("several versions of `a` fit: 1, 2".into()),
        "another choice might avoid the conflict: a resolver's task"
    );
}

#[test]
fn prefers_final_versions_as_pep_440_says() {
    let wheels = [pure("a 1.0", &[]), pure("a 2.0rc1", &[])];
    assert_eq!(closed(&["a"], &wheels), Ok(texts(&["a 1.0"])));
    assert_eq!(closed(&["a>=2.0rc1"], &wheels), Ok(texts(&["a 2.0rc1"])));
    assert_eq!(closed(&["a>=1.0rc1"], &wheels), Err("several versions of `a` fit: 1.0, 2.0rc1".into()));
    assert_eq!(closed(&["b"], &[pure("b 1.0a1", &[])]), Ok(texts(&["b 1.0a1"])), "there is no other");
}

#[test]
fn a_url_is_satisfied_by_the_wheel_that_was_given() {
    let wheels = [pure("a 1", &[])];
    assert_eq!(closed(&["a @ https://example.org/a-1-py3-none-any.whl"], &wheels), Ok(texts(&["a 1"])));
}

#[test]
fn errors_name_the_requirement_who_has_it_and_what_was_found() {
    let wheels = [
        pure("a 1", &["b[x]>=2,<3; python_version >= '3.8'"]),
        pure("b 1.5", &[]),
        pure("c 1", &["gone @ https://user:secret@example.org/gone.whl"]),
        wheel("d 1", NATIVE, "", &[]),
        wheel("e 2", "cp312-cp312-win_amd64", "", &[]),
        wheel("f 1", "py3-none-any", "<3.11", &[]),
        pure("g 1", &["b; os_name ~= 'x'"]),
        pure("h 1", &["b; 'x' in extras"]),
    ];
    for (root, message) in [
        ("a", "requirement `b[x]<3,>=2; python_version >= \"3.8\"` of a 1: found b 1.5"),
        ("b==1", "requirement `b==1` of the application: found b 1.5"),
        ("c", "requirement `gone @ https://****@example.org/gone.whl` of c 1: no wheel of `gone` was found"),
        (
            "e",
            "requirement `e` of the application: no wheel of e 2 fits CPython 3.11 on manylinux_2_28_x86_64; found \
             cp312-cp312-win_amd64",
        ),
        ("f", "requirement `f` of the application: f 1 needs Python <3.11, the target is Python 3.11.7"),
        ("g", "requirement `b; os_name ~= \"x\"` of g 1"),
        ("h", "requirement `b; \"x\" in extras` of h 1"),
    ] {
        assert_eq!(closed(&[root], &wheels), Err(message.to_owned()));
    }
    let candidates = candidates(&wheels);
    let error = |root| close(&requirements(&[root]), &candidates, &target()).unwrap_err();
    let chain = |root| std::error::Error::source(&error(root)).unwrap().to_string();
    assert_eq!(
        chain("g"),
        "marker `os_name ~= \"x\"`: `~=` is not defined for `posix` and `x`, which are not versions"
    );
    assert_eq!(chain("h"), "marker `\"x\" in extras`: `extras` is not defined outside lock files");
    assert_eq!(
        error("c").hint().unwrap(),
        "add a wheel of gone to the inputs, or the directory that holds one with `--find-links DIR`"
    );
}

fn minors(pythons: &Pythons) -> String {
    runs_on(pythons, "any").replace("runs on: CPython ", "").replace(", any platform", "")
}

fn pythons(roots: &[&str], wheels: &[DistributionFacts], requires: &str) -> Pythons {
    let requires: Option<VersionSpecifiers> = (!requires.is_empty()).then(|| requires.parse().unwrap());
    supported_pythons(&requirements(roots), wheels, &target(), requires.as_ref())
}

#[test]
fn pure_wheels_run_on_every_python_that_metadata_allows() {
    let all = pythons(&["a"], &[pure("a 1", &[])], "");
    assert_eq!((minors(&all).as_str(), all.open_ended), ("3.8 to 3.14", true));
    let some = pythons(&["a"], &[wheel("a 1", "py3-none-any", ">=3.8.1,!=3.10.*", &[])], ">=3.7,<3.14");
    assert_eq!((minors(&some).as_str(), some.open_ended), ("3.8 to 3.9, 3.11 to 3.13", false));
    let reasons: Vec<String> = some.refused.iter().map(|(minor, why)| format!("{minor}: {why}")).collect();
    assert_eq!(
        reasons,
        [
            "3.10: requirement `a` of the application: a 1 needs Python >=3.8.1, !=3.10.*, the target is Python 3.10",
            "3.14: the application needs Python >=3.7, <3.14",
        ]
    );
}

#[test]
fn native_wheels_bind_to_their_version_and_abi3_does_not() {
    let wheels = [wheel("a 1", NATIVE, "", &[])];
    assert_eq!(minors(&pythons(&["a"], &wheels, "")), "3.11");
    let stable = [wheel("a 1", "cp39-abi3-manylinux_2_17_x86_64", "", &[])];
    let all = pythons(&["a"], &stable, "");
    assert_eq!((minors(&all).as_str(), all.open_ended), ("3.9 to 3.14", true));
}

#[test]
fn a_marker_that_asks_for_what_is_not_packed_refuses_its_versions() {
    let wheels =
        [pure("a 1", &["tomli; python_version < '3.11'", "spare; python_version >= '3.10'"]), pure("spare 1", &[])];
    let some = pythons(&["a"], &wheels, "");
    assert_eq!(minors(&some), "3.11 to 3.14");
    assert_eq!(
        some.refused[2].1.to_string(),
        "requirement `tomli; python_version < \"3.11\"` of a 1: no wheel of `tomli` was found"
    );
}

#[test]
fn a_wheel_that_is_not_needed_does_no_harm() {
    let wheels = [pure("a 1", &["b; python_version == '3.11'"]), wheel("b 1", NATIVE, "==3.11.*", &[])];
    assert_eq!(minors(&pythons(&["a"], &wheels, "")), "3.8 to 3.14");
}

#[test]
fn a_version_that_another_python_must_not_have_refuses_it() {
    let wheels = [pure("a 1", &["b<2; python_version < '3.10'", "b>=2; python_version >= '3.10'"]), pure("b 2", &[])];
    assert_eq!(minors(&pythons(&["a"], &wheels, "")), "3.10 to 3.14");
}

#[test]
fn every_patch_release_of_another_python_must_find_what_it_needs() {
    // The target is 3.11.7, to which the first does not apply; 3.12.1 is no more known to be there than 3.12.0.
    let wheels = [pure("a 1", &["x; python_full_version < '3.11.3'", "y; python_full_version == '3.12.1'"])];
    assert_eq!(minors(&pythons(&["a"], &wheels, ">=3.11")), "3.11, 3.13 to 3.14");
}

#[test]
fn nothing_known_is_said_so() {
    assert_eq!(minors(&pythons(&["a"], &[wheel("a 1", NATIVE, "", &[])], "<3.9")), "of no known version");
}

#[test]
fn the_platform_is_the_most_demanding_one() {
    let reach = |platform: &str, minor: u8, wheels: &[&str]| {
        let platform: Platform = platform.parse().unwrap();
        let target = target().overridden(Some(PythonMinor::new(3, minor)), Some(&platform));
        let wheels: Vec<_> = wheels.iter().map(|tags| WheelTag::parse_set(tags).unwrap()).collect();
        platform_of(&wheels, &target.tags)
    };
    let linux = "manylinux_2_28_x86_64";
    assert_eq!(reach(linux, 11, &["py3-none-any", "py2.py3-none-any"]), "any");
    assert_eq!(reach(linux, 11, &[]), "any");
    assert_eq!(reach(linux, 11, &[NATIVE, "py3-none-any"]), "manylinux_2_17_x86_64");
    assert_eq!(reach(linux, 11, &["py3-none-manylinux1_x86_64"]), "manylinux_2_5_x86_64");
    assert_eq!(
        reach(linux, 11, &[NATIVE, "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64"]),
        "manylinux_2_27_x86_64"
    );
    assert_eq!(reach("musllinux_1_2_aarch64", 11, &["py3-none-musllinux_1_1_aarch64"]), "musllinux_1_1_aarch64");
    let macos = "macosx_14_0_arm64";
    assert_eq!(reach(macos, 12, &["cp312-cp312-macosx_10_9_universal2"]), "macosx_10_9_universal2");
    assert_eq!(
        reach(macos, 12, &["cp312-cp312-macosx_11_0_arm64", "cp312-cp312-macosx_12_0_universal2"]),
        "macosx_12_0_arm64"
    );
    assert_eq!(reach("win_amd64", 12, &["cp312-cp312-win_amd64.win32"]), "win_amd64");
}

#[test]
fn a_wheel_built_here_is_bound_to_this_machine() {
    let mut platform: Platform = "manylinux_2_28_x86_64".parse().unwrap();
    let built = WheelTag::parse_set("cp311-cp311-linux_x86_64").unwrap();
    let named = target().overridden(None, Some(&platform));
    assert_eq!(named.tags.best_rank(&built), None, "a named platform promises nothing about the builder's libraries");
    if let Platform::Linux { machine, .. } = &mut platform {
        *machine = pyzpack::target::Machine::This;
    }
    let this = target().overridden(None, Some(&platform));
    let fetched = WheelTag::parse_set(NATIVE).unwrap();
    assert_eq!(platform_of([&fetched, &built, &fetched], &this.tags), "linux_x86_64");
}

#[test]
fn the_line_says_where_the_file_runs() {
    let pythons = pythons(&["a"], &[wheel("a 1", "py3-none-any", "!=3.9.*,<3.13", &[])], "");
    for (tag, end) in [
        ("any", "any platform"),
        ("manylinux_2_28_x86_64", "x86_64, glibc >= 2.28"),
        ("manylinux2014_aarch64", "aarch64, glibc >= 2.17"),
        ("musllinux_1_2_x86_64", "x86_64, musl >= 1.2"),
        ("linux_x86_64", "x86_64, Linux with the libraries of the machine that built it"),
        ("macosx_11_0_arm64", "arm64, macOS >= 11.0"),
        ("macosx_10_9_universal2", "arm64 or x86_64, macOS >= 10.9"),
        ("win_amd64", "x86_64, Windows"),
        ("win32", "x86, Windows"),
    ] {
        assert_eq!(runs_on(&pythons, tag), format!("runs on: CPython 3.8, 3.10 to 3.12, {end}"));
    }
}

#[test]
fn an_overridden_target_has_the_values_of_its_platform() {
    let windows = target().overridden(Some(PythonMinor::new(3, 13)), Some(&"win_amd64".parse().unwrap()));
    let expected = MarkerEnvironment {
        implementation_version: "3.13.0".into(),
        os_name: "nt".into(),
        platform_machine: "AMD64".into(),
        platform_release: String::new(),
        platform_system: "Windows".into(),
        platform_version: String::new(),
        python_full_version: "3.13.0".into(),
        python_version: "3.13".into(),
        sys_platform: "win32".into(),
        ..target().environment
    };
    assert_eq!(windows.environment, expected);
    assert_eq!(windows.to_string(), "CPython 3.13 on win_amd64");
    assert_eq!(target().overridden(None, None), target());
    let same = target().overridden(Some(PythonMinor::new(3, 11)), None);
    assert_eq!(same.environment.python_full_version, "3.11.0", "a request means the same for every interpreter");
    for text in ["manylinux_2_28", "linux", "macosx_11_0_ppc", "win_x86", "manylinux_2_28_z80", "any", "", "linux_x/y"]
    {
        assert_eq!(text.parse::<Platform>().unwrap_err().to_string(), format!("unknown platform tag `{text}`"));
    }
}

#[test]
fn reads_every_requirement_of_widely_used_wheels() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/target/requires-dist.txt");
    let text = fs::read_to_string(path).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let requirement: Requirement = line.parse().unwrap_or_else(|error| panic!("{error}"));
        if let Some(marker) = &requirement.marker {
            assert!(target().applies(marker, &BTreeSet::new()).is_ok(), "{line}");
        }
    }
}

#[test]
fn errors_of_texts_name_text_place_and_what_was_expected() {
    for (text, message) in [
        (
            "foo bar",
            "invalid requirement `foo bar`: expected `@`, a version specifier, `,`, `;` or the end at character 5",
        ),
        ("foo>=1.*", "invalid requirement `foo>=1.*`: expected a version specifier (PEP 440) at character 4"),
        ("foo[a", "invalid requirement `foo[a`: expected `,` or `]` after the name of an extra at character 6"),
        (
            "foo; os_name",
            "invalid requirement `foo; os_name`: expected one of <=, <, !=, ==, >=, >, ~=, ===, in, not in at character 13",
        ),
        ("-r x", "invalid requirement `-r x`: expected the name of a distribution at character 1"),
        (
            "a @ https://u:p@h/x y",
            "invalid requirement `a @ https://****@h/x y`: expected a blank and `;`, or the end, after the URL at character 21",
        ),
    ] {
        assert_eq!(text.parse::<Requirement>().unwrap_err().to_string(), message);
    }
    for (text, message) in [
        ("os_name == os_name", "invalid marker `os_name == os_name`: expected a quoted text at character 12"),
        ("'é' == 'x'", "invalid marker `'é' == 'x'`: expected a marker variable at character 8"),
        ("(os_name == 'x'", "invalid marker `(os_name == 'x'`: expected `and`, `or` or `)` at character 16"),
        ("os_name == 'x", "invalid marker `os_name == 'x`: expected a quoted text that ends at character 12"),
        (
            r"os_name == '\x'",
            r"invalid marker `os_name == '\x'`: expected a quoted text without backslash, line break and NUL at character 12",
        ),
    ] {
        assert_eq!(text.parse::<pyzpack::target::Marker>().unwrap_err().to_string(), message);
    }
    let deep = "(".repeat(100_000);
    assert!(deep.parse::<pyzpack::target::Marker>().is_err(), "no depth exhausts the stack");
}

#[test]
fn a_credential_is_shown_nowhere() {
    let requirement: Requirement =
        "a[x] @ git+https://user:secret@example.org/a.git@v1 ; os_name == 'nt'".parse().unwrap();
    assert_eq!(requirement.to_string(), "a[x] @ git+https://****@example.org/a.git@v1 ; os_name == \"nt\"");
    for shown in [format!("{requirement:?}"), format!("{:?}", requirement.source), format!("{requirement:#?}")] {
        assert!(!shown.contains("secret"), "{shown}");
    }
    assert!(requirement.text_with_credentials().contains("user:secret@"));
    let error = "a @ https://user:secret@h/ x".parse::<Requirement>().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}

proptest! {
    /// Whatever the text: an answer, no panic; what is taken survives its canonical form.
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9.,;@<>=!~()\\[\\]'\" \t_é*+-]{0,60}") {
        if let Ok(requirement) = text.parse::<Requirement>() {
            let shown = requirement.to_string();
            prop_assert_eq!(shown.parse::<Requirement>().map(|again| again.to_string()), Ok(shown));
        }
        let _ = WheelTag::parse_set(&text);
        let _ = text.parse::<Platform>();
        let _ = text.parse::<PythonMinor>();
    }

    /// The order in which requirements and wheels are given decides nothing.
    #[test]
    fn order_decides_nothing(
        edges in prop::collection::vec((0_usize..6, 0_usize..6, 0_u8..3), 0..14),
        versions in prop::collection::vec((0_usize..6, 1_u8..4), 0..9),
    ) {
        let mut wheels = Vec::new();
        for (index, version) in versions.iter().copied().chain((0..6).map(|index| (index, 1))) {
            let requires: Vec<String> = edges
                .iter()
                .filter(|(from, _, _)| *from == index)
                .map(|(_, to, least)| format!("n{to}>={least}"))
                .collect();
            let requires: Vec<&str> = requires.iter().map(String::as_str).collect();
            wheels.push(pure(&format!("n{index} {version}"), &requires));
        }
        let straight = closed(&["n0", "n1"], &wheels);
        wheels.reverse();
        let reversed = closed(&["n1", "n0"], &wheels);
        prop_assert_eq!(straight.is_ok(), reversed.is_ok());
        if let (Ok(straight), Ok(reversed)) = (straight, reversed) {
            prop_assert_eq!(straight, reversed);
        }
    }
}
