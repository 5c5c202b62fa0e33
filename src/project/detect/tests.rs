//! What directories are detected as, and which could be several things.

use super::*;
use crate::digest::Sha256Digest;

const PROJECT: (&str, &str) = ("pyproject.toml", "[project]\nname = \"a\"\n");

fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let hash = format!("--hash=sha256:{}", Sha256Digest::of(b""));
        std::fs::write(path, text.replace("HASH", &hash)).unwrap();
    }
    place
}

/// What is detected, in lines: kind, lock, what is stated, reasons.
fn show(files: &[(&str, &str)], named: Named<'_>) -> Result<Vec<String>, String> {
    let place = place(files);
    let directory = place.path().display().to_string();
    let bare = |text: String| text.replace(&format!("{directory}/"), "").replace(&directory, "DIR");
    match detect(place.path(), named) {
        Ok(Detected { kind, lock, stated, reasons }) => {
            let kind = match kind {
                Kind::Project => "project".to_owned(),
                Kind::Application { module } => format!("starts {module}"),
            };
            let lock = lock.map(|path| format!("lock {}", path.display()));
            let stated = stated.iter().map(|one| format!("{:?} {}", one.role, one.path.display()));
            Ok([kind].into_iter().chain(lock).chain(stated).chain(reasons).map(bare).collect())
        }
        Err(error) => {
            assert_eq!(error.status(), Status::Usage);
            Err(bare(format!("{error}; {}", error.hint().unwrap_or_default())))
        }
    }
}

fn expect(files: &[(&str, &str)], expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(show(files, Named::default()), Ok(expected), "{files:?}");
}

fn refuse(files: &[(&str, &str)], message: &str) {
    assert_eq!(show(files, Named::default()), Err(message.to_owned()), "{files:?}");
}

#[test]
fn a_project_is_what_has_packaging_metadata() {
    expect(&[PROJECT], &["project", "a project with packaging metadata: pyproject.toml", "there is no lock"]);
    expect(
        &[("setup.py", ""), ("main.py", ""), ("app.py", "")],
        &["project", "a project with packaging metadata: setup.py", "there is no lock"],
    );
    expect(
        &[PROJECT, ("uv.lock", "")],
        &[
            "project",
            "lock uv.lock",
            "a project with packaging metadata: pyproject.toml",
            "the lock is `uv.lock`: the only one in the directory",
        ],
    );
    expect(
        &[PROJECT, ("requirements.txt", "a>=1\n"), ("requirements.lock", "a==1\n"), ("Pipfile", "")],
        &[
            "project",
            "a project with packaging metadata: pyproject.toml",
            "`requirements.txt` is not read: it is no lock, and the project's metadata say what it needs",
            "`requirements.lock` is no lock: rye writes it without hashes; it is not read",
            "`Pipfile` is not read: the project's metadata say what it needs",
            "there is no lock",
        ],
    );
    expect(
        &[PROJECT, ("requirements.txt", "a==1 HASH\n")],
        &[
            "project",
            "lock requirements.txt",
            "a project with packaging metadata: pyproject.toml",
            "the lock is `requirements.txt`: everything in it is pinned and has a hash",
        ],
    );
}

#[test]
fn an_application_is_requirements_and_one_script() {
    expect(
        &[("requirements.txt", "flask\n"), ("main.py", ""), ("other.py", "")],
        &[
            "starts main",
            "Followed requirements.txt",
            "an application without packaging metadata, which starts `main`: `main.py` is there",
            "what is needed is in `requirements.txt`, which does not pin everything with a hash: there is no lock",
        ],
    );
    expect(
        &[("pyproject.toml", "[tool.ruff]\n"), ("requirements.txt", "a==1 HASH\n"), ("bot.py", "")],
        &[
            "starts bot",
            "lock requirements.txt",
            "an application without packaging metadata, which starts `bot`: `bot.py` is there",
            "the lock is `requirements.txt`: everything in it is pinned and has a hash",
        ],
    );
    expect(
        &[("Pipfile", ""), ("Pipfile.lock", ""), ("manage.py", "")],
        &[
            "starts manage",
            "lock Pipfile.lock",
            "an application without packaging metadata, which starts `manage`: `manage.py` is there",
            "the lock is `Pipfile.lock`: the only one in the directory",
        ],
    );
    expect(
        &[("Pipfile", ""), ("pylock.toml", ""), ("requirements.txt", "a==1 HASH\n"), ("app.py", "")],
        &[
            "starts app",
            "lock pylock.toml",
            "Compared requirements.txt",
            "Compared Pipfile",
            "an application without packaging metadata, which starts `app`: `app.py` is there",
            "the lock is `pylock.toml`: the only one in the directory",
            "`requirements.txt` is not followed, and has to agree: `pylock.toml` is the lock",
            "`Pipfile` is not followed, and has to agree: `pylock.toml` is the lock",
        ],
    );
    expect(
        &[("requirements.lock", "a==1\n"), ("app.py", "")],
        &[
            "starts app",
            "Followed requirements.lock",
            "an application without packaging metadata, which starts `app`: `app.py` is there",
            "`requirements.lock` is no lock: rye writes it without hashes; it is followed as requirements",
            "what is needed is in `requirements.lock`, which does not pin everything with a hash: there is no lock",
        ],
    );
}

#[test]
fn what_could_be_several_things_is_listed() {
    let requirements = ("requirements.txt", "a\n");
    refuse(
        &[requirements, ("main.py", ""), ("app.py", ""), ("x.py", "")],
        "several scripts in `DIR` could be started: main.py, app.py; choose one with `-e MODULE`, as in `-e main`",
    );
    refuse(
        &[PROJECT, ("uv.lock", ""), ("poetry.lock", "")],
        "several locks: uv.lock, poetry.lock; choose one with `--lock FILE`, as in `--lock uv.lock`, or for good as `lock` in [tool.pyzpack]",
    );
    let both = [requirements, ("main.py", ""), ("app.py", "")];
    let named = Named { module: Some("x"), ..Named::default() };
    let found = show(&both, named).unwrap();
    assert_eq!(found[2], "an application without packaging metadata, which starts `x`: it is named");
    let locks = [PROJECT, ("uv.lock", ""), ("poetry.lock", ""), ("requirements.txt", "a\n")];
    let named = Named { lock: Some(Path::new("poetry.lock")), ..Named::default() };
    let expected = [
        "project",
        "lock poetry.lock",
        "a project with packaging metadata: pyproject.toml",
        "the lock is `poetry.lock`: it is named",
        "`requirements.txt` is not read: the lock is named",
    ];
    assert_eq!(show(&locks, named), Ok(expected.map(str::to_owned).to_vec()));
    let files = [PathBuf::from("r.txt")];
    let named = Named { requirements: &files, ..Named::default() };
    let found = show(&[PROJECT, ("uv.lock", ""), requirements], named).unwrap();
    assert_eq!(found[2], "Compared r.txt");
    assert_eq!(show(&[PROJECT, requirements], named).unwrap()[1], "Followed r.txt");
}

#[test]
fn what_is_nothing_is_said_with_what_to_do() {
    let nothing = "`DIR` is not a Python project: it has no pyproject.toml with a project, setup.py, setup.cfg, \
                       requirements.txt, Pipfile or lock";
    refuse(
        &[("main.py", "")],
        &format!("{nothing}; a script is packed by itself when it is named: `pyzpack build main.py`"),
    );
    refuse(
        &[("pyproject.toml", "[tool.ruff]\n")],
        &format!(
            "{nothing}; run it in a project's directory, or name what to pack: `pyzpack build httpie -c http`, \
                 `pyzpack build -r requirements.txt -e app:main`"
        ),
    );
    refuse(
        &[("Pipfile", ""), ("main.py", "")],
        "`Pipfile` has no Pipfile.lock beside it; run `pipenv lock`, or name requirements with `-r FILE`",
    );
    refuse(
        &[("requirements.txt", "a\n"), ("x.py", "")],
        "nothing to start: `DIR` has no packaging metadata, and none of main.py, app.py, start.py, run.py, bot.py, \
             hello.py, server.py, manage.py, __main__.py; name the module to start, as in `-e app:main`, and run it in \
             the directory that holds it",
    );
    refuse(
        &[("requirements.txt", "a\n"), ("__main__.py", "")],
        "`__main__.py` cannot be packed under its name: a .pyz has a `__main__.py` of its own; give it another \
             name, `main.py` for one",
    );
    refuse(
        &[("requirements.txt", "--frobnicate\n"), ("main.py", "")],
        "`requirements.txt`, line 1: the option is not understood: `--frobnicate`; ",
    );
}

#[test]
fn a_member_has_the_lock_of_its_workspace() {
    let place = place(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"packages/*\"]\n"),
        ("uv.lock", ""),
        ("packages/a/pyproject.toml", PROJECT.1),
        ("other/b/pyproject.toml", PROJECT.1),
    ]);
    let root = place.path().canonicalize().unwrap();
    let found = detect(&root.join("packages/a"), Named::default()).unwrap();
    assert_eq!(found.lock, Some(root.join("uv.lock")));
    let lock = root.join("uv.lock").display().to_string();
    let why = format!("the lock is `{lock}`: its workspace's");
    assert!(found.reasons.contains(&why), "{:?}", found.reasons);
    assert_eq!(detect(&root.join("other/b"), Named::default()).unwrap().lock, None);
    std::fs::write(root.join("packages/a/poetry.lock"), "").unwrap();
    let refused = detect(&root.join("packages/a"), Named::default()).unwrap_err();
    let own = root.join("packages/a/poetry.lock");
    assert_eq!(refused.to_string(), format!("several locks: {}, {lock}", own.display()));
}

#[test]
fn a_script_has_the_lock_beside_it() {
    let place =
        place(&[("a.py", ""), ("a.py.lock", ""), ("b.py", ""), ("c.py", ""), ("c.py.lock", ""), ("pylock.c.toml", "")]);
    let found = |name: &str| script_locks(&place.path().join(name));
    let paths = |names: &[&str]| names.iter().map(|name| place.path().join(name)).collect::<Vec<_>>();
    assert_eq!(found("a.py"), paths(&["a.py.lock"]));
    assert_eq!(found("b.py"), paths(&[]));
    assert_eq!(found("c.py"), paths(&["c.py.lock", "pylock.c.toml"]));
    assert_eq!(found("d.e.py"), paths(&[]));
}
