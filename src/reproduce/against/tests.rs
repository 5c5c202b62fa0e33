use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::evidence::{Manifest, Origins, Recipe, RecipeFile, RecipeInput, RecipeTarget, Tool};

fn facts(change: impl FnOnce(&mut Manifest)) -> Facts {
    let recipe = Recipe {
        inputs: vec![RecipeInput::Requirement(".".to_owned())],
        lock: None,
        console_script: None,
        entry_point: None,
        extras: Vec::new(),
        groups: Vec::new(),
        target: RecipeTarget { python: None, platform: None },
        layout: "auto".to_owned(),
        compression: "deflate".to_owned(),
        recompress: false,
        bytecode: Vec::new(),
        on_conflict: "error".to_owned(),
        shebang: "/usr/bin/env python3".to_owned(),
    };
    let mut manifest = Manifest {
        format: 1,
        tool: Tool { name: "pyzpack".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        name: "a".to_owned(),
        version: None,
        epoch: 315_532_800,
        entry_point: "a".to_owned(),
        console_scripts: BTreeMap::new(),
        requires_python: None,
        pythons: vec!["3.8".to_owned()],
        platform: "any".to_owned(),
        layout: "zip".to_owned(),
        wheels: Vec::new(),
        files: Vec::new(),
        recipe,
    };
    change(&mut manifest);
    let (filename, sha256, distributions) = ("a.pyz".to_owned(), Sha256Digest::of(b""), Vec::new());
    Facts { filename, sha256, manifest, origins: Origins::default(), distributions }
}

fn given() -> BuildSettings {
    BuildSettings {
        directory: "/work".into(),
        inputs: Vec::new(),
        lock: None,
        unpinned: crate::settings::UnpinnedPolicy::Refuse,
        requirement_files: Vec::new(),
        output: None,
        entry: crate::application::EntryChoice::OnlyScript,
        extras: Vec::new(),
        groups: Vec::new(),
        index: crate::resolve::IndexOptions::default(),
        offline: true,
        python: None,
        target_python: None,
        platform: None,
        shebang: crate::archive::Shebang::default(),
        layout: crate::application::LayoutChoice::Zip,
        reach: crate::runtime::Reach::Children,
        compression: crate::application::Compression::Store,
        bytecode: crate::bytecode::BytecodeVersions::default(),
        on_conflict: crate::application::ConflictPolicy::Last,
        limits: crate::archive::Limits::default(),
        sources: crate::settings::SourcePolicy::Build,
        build_timeout: std::time::Duration::from_mins(1),
        evidence: BTreeSet::new(),
        builder: BuilderId::default(),
        epoch: crate::settings::EpochChoice::Commit,
        tool_version: String::new(),
        chosen: None,
    }
}

/// Why no build comes of such a manifest, with the hint.
fn refusal(change: impl FnOnce(&mut Manifest)) -> (String, Option<String>) {
    let directory = tempfile::tempdir().unwrap();
    let place = Place { directory: directory.path(), repository: None, links: directory.path() };
    let error = settings_for(&facts(change), &place, &given()).unwrap_err();
    let shown = error.to_string().replace(&directory.path().display().to_string(), "HERE");
    assert_eq!(error.status(), Status::Refused);
    (shown, error.hint())
}

#[test]
fn refuses_another_version_and_names_it() {
    let version = env!("CARGO_PKG_VERSION");
    check_version(&facts(|_| {}), "a.pyz").unwrap();
    let error = check_version(&facts(|manifest| manifest.tool.version = "9.8.7".to_owned()), "a.pyz").unwrap_err();
    let message = format!(
        "`a.pyz` was built by pyzpack 9.8.7, and this is pyzpack {version}: another version may write other bytes"
    );
    assert_eq!((error.to_string(), error.status()), (message, Status::Refused));
    assert_eq!(error.hint().as_deref(), Some("rebuild it with pyzpack 9.8.7"));
    let error = check_version(&facts(|manifest| manifest.tool.name = "zipper".to_owned()), "a.pyz").unwrap_err();
    let message = format!(
        "`a.pyz` was built by zipper {version}, and this is pyzpack {version}: another version may write other bytes"
    );
    assert_eq!(error.to_string(), message);
}

#[test]
fn takes_everything_from_the_recipe() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place { directory: directory.path(), repository: None, links: directory.path() };
    let settings = settings_for(&facts(|_| {}), &place, &given()).unwrap();
    assert_eq!((settings.inputs.len(), settings.directory.as_path()), (0, directory.path()));
    assert_eq!(settings.layout, crate::application::LayoutChoice::Auto);
    assert_eq!(settings.compression, crate::application::Compression::Reuse);
    assert_eq!(settings.on_conflict, crate::application::ConflictPolicy::Error);
    assert_eq!(settings.reach, crate::runtime::Reach::Program);
    assert_eq!(settings.epoch, crate::settings::EpochChoice::default());
    assert_eq!(settings.chosen, Some(crate::settings::Chosen::default()));
    assert!(settings.offline);
}

#[test]
fn guesses_nothing_that_the_recipe_does_not_say() {
    let twice = refusal(|manifest| manifest.recipe.inputs.push(RecipeInput::Requirement(".".to_owned())));
    assert_eq!(twice, ("2 directories were packed, and the recipe does not say which".to_owned(), None));
    let commit = "0123456789012345678901234567890123456789";
    let repository = refusal(|manifest| {
        let (uri, commit) = ("app".to_owned(), commit.to_owned());
        manifest.recipe.inputs = vec![RecipeInput::Git { uri, commit, subdirectory: None }];
    });
    let message = format!("commit {commit} of `app` was packed, a repository on the machine that built");
    assert_eq!(repository, (message, Some("name the repository with --source DIR or git+URL@REV".to_owned())));
    let sha256 = Sha256Digest::of(b"");
    let lock = refusal(|manifest| {
        manifest.recipe.lock = Some(RecipeFile { filename: "pylock.toml".to_owned(), sha256 });
    });
    let hint = "name the directory that holds it with --source, or with --find-links";
    assert_eq!(lock, (format!("`pylock.toml` with sha256 {sha256} is not in `HERE`"), Some(hint.to_owned())));
}

#[test]
fn refuses_what_it_does_not_know() {
    type Change = fn(&mut Recipe);
    let cases: [(Change, &str); 7] = [
        (|recipe| recipe.layout = "flat".to_owned(), "layout that is not known: `flat`"),
        (|recipe| recipe.compression = "xz".to_owned(), "compression that is not known: `xz`"),
        (|recipe| recipe.on_conflict = "ask".to_owned(), "way with conflicts that is not known: `ask`"),
        (|recipe| recipe.entry_point = Some("a b".to_owned()), "entry point that is not known: `a b`"),
        (|recipe| recipe.target.python = Some("three".to_owned()), "version of Python that is not known: `three`"),
        (|recipe| recipe.bytecode = vec!["x.y.z".to_owned()], "version of Python that is not known: `x.y`"),
        (|recipe| recipe.shebang = "a\nb".to_owned(), "first line that is not known: `a\nb`"),
    ];
    for (change, message) in cases {
        let refused = refusal(|manifest| change(&mut manifest.recipe));
        assert_eq!(refused, (format!("the recipe has a {message}"), None));
    }
}
