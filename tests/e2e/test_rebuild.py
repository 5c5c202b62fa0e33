"""`pyzpack reproduce --against`: a finished file is built again from its own manifest, by somebody else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Pyzpack, manifest_of
from index import serve
from repositories import commit, git, make_repository
from test_reproduce import make_leaky, plain
from wheels import make_project, make_sdist, make_wheel

ME = "https://example.org/rebuilder"
MODULES = {"app.py": "import part\n\ndef main():\n    print(part.NAME)\n"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def elsewhere(pyzpack: Pyzpack, tmp_path: Path) -> Pyzpack:
    """Another machine: nothing is cached there."""
    cache = tmp_path / "another-cache"
    cache.mkdir(mode=0o700)
    return Pyzpack(cache, pyzpack.temporary, pyzpack.python)


def rebuild(machine: Pyzpack, file: Path, *arguments: str | Path, status: int = 0, **options) -> str:
    done = machine.run("reproduce", "--against", file, *arguments, **options)
    assert done.returncode == status, f"{done.args}\n{done.stdout}{done.stderr}"
    assert list(machine.temporary.iterdir()) == []
    return done.stdout


def refusal(machine: Pyzpack, file: Path, *arguments: str | Path, status: int = 1, **options) -> str:
    done = machine.run("reproduce", "--against", file, *arguments, **options)
    assert (done.returncode, done.stdout) == (status, ""), f"{done.stdout}{done.stderr}"
    return done.stderr


def same(file: Path) -> str:
    return f"{file}: rebuilt, the same bytes, sha256 {sha256(file)}, N s\n"


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A project with a lock, both in a repository, with what the lock names."""
    root = tmp_path / "repository"
    project = make_project(root, "app", files=MODULES, scripts={"app": "app:main"}, requires=["part"])
    part = make_wheel(root / "wheels", "part", files={"part.py": "NAME = 'part'\n"})
    (project / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "part"\nversion = "1.0"\n'
        f'wheels = [{{ path = "wheels/{part.name}", hashes = {{ sha256 = "{sha256(part)}" }} }}]\n'
    )
    make_repository(root)
    (tmp_path / "released").mkdir()
    return project


def test_another_machine_makes_the_same_of_the_commit(pyzpack: Pyzpack, elsewhere: Pyzpack, locked: Path, tmp_path):
    released = pyzpack.build(locked, output=tmp_path / "released/app.pyz")
    git(locked, "tag", "v1.0")
    head = git(locked, "rev-parse", "HEAD")
    (locked / "app.py").write_text("changed since\n")
    commit(locked)
    answer = rebuild(elsewhere, released, "--source", f"git+file://{locked}@v1.0")
    assert plain(answer) == plain(same(released)) + f"from commit {head}\n"


def test_two_signers_vouch_for_one_digest(pyzpack: Pyzpack, elsewhere: Pyzpack, locked: Path, tmp_path: Path):
    released = tmp_path / "released/app.pyz"
    pyzpack.build(locked, "--evidence=provenance", "--builder-id=https://example.org/builder", output=released)
    for name in ("builder", "rebuilder"):
        assert pyzpack.run("keygen", tmp_path / name).returncode == 0
    assert pyzpack.run("sign", released, "--key", tmp_path / "builder").returncode == 0
    bundle = released.with_name("app.pyz.sigstore.json")
    attest = ["--attest", "--key", tmp_path / "rebuilder", "--builder-id", ME]
    answer = rebuild(elsewhere, released, "--source", locked, "--bundle", bundle, *attest)
    written = released.with_name("app.pyz.rebuilt.sigstore.json")
    key = re.search(r"key (\S+)$", answer, re.M).group(1)
    head = git(locked, "rev-parse", "HEAD")
    lines = [f"from commit {head}", f"{written}: provenance by {ME}, signed with ECDSA P-256 key {key}"]
    assert plain(answer) == plain(same(released)) + "\n".join(lines) + "\n"
    for file, name, builder in ((bundle, "builder", "https://example.org/builder"), (written, "rebuilder", ME)):
        expected = ["--expect-builder", builder, "--bundle", file, "--lock", locked / "pylock.toml"]
        done = elsewhere.run("verify", released, "--key", tmp_path / f"{name}.pub", *expected)
        assert done.stdout.endswith("PASSED\n"), done.stdout
    other = elsewhere.run("verify", released, "--key", tmp_path / "builder.pub", "--bundle", written)
    assert other.returncode == 1
    # Whoever built it is no other one; and what is signed says where it was from.
    itself = [*attest[:-1], "https://example.org/builder"]
    message = refusal(elsewhere, released, "--source", locked, "--bundle", bundle, *itself, status=2)
    assert message == (
        "error: `https://example.org/builder` is the builder of the file itself, and no other one\n"
        "hint: name yourself with --builder-id\n"
    )


def test_a_commit_that_the_builder_does_not_claim(pyzpack: Pyzpack, elsewhere: Pyzpack, locked: Path, tmp_path: Path):
    released = tmp_path / "released/app.pyz"
    pyzpack.build(locked, "--evidence=provenance", output=released)
    statement = released.with_name("app.pyz.intoto.json")
    claimed = git(locked, "rev-parse", "HEAD")
    rebuild(elsewhere, released, "--source", locked, "--bundle", statement)
    (locked / "README").write_text("no source of the wheel\n")
    head = commit(locked)
    message = refusal(elsewhere, released, "--source", locked, "--bundle", statement)
    assert message == (
        f"error: `{statement}` says that it was built from commit {claimed}, and `{locked}` is at {head}\n"
        f"hint: check out {claimed}, and nothing else\n"
    )
    other = tmp_path / "other.intoto.json"
    other.write_text(statement.read_text().replace(sha256(released), "0" * 64))
    message = refusal(elsewhere, released, "--source", locked, "--bundle", other)
    assert message.startswith(f"error: `{other}` says nothing of this file: ")


def test_other_sources_are_told_from_these(pyzpack: Pyzpack, elsewhere: Pyzpack, locked: Path, tmp_path: Path):
    released = pyzpack.build(locked, output=tmp_path / "released/app.pyz")
    (locked / "app.py").write_text("def main():\n    print('changed')\n")
    kept = tmp_path / "kept"
    answer = rebuild(elsewhere, released, "--source", locked, "--keep", kept, status=1)
    (other,) = kept.iterdir()
    head = f"{released}: rebuilt, DIFFERS: expected sha256 {sha256(released)}, found {sha256(other)}, N s"
    line = (
        "  _pyzpack/payload.zip / app.py: text, -3 +1\n    @@ -1,4 +1,2 @@\n    -import part\n    -\n     def main():\n"
    )
    line += "    -    print(part.NAME)\n    +    print('changed')"
    assert re.sub(r"\d+\.\d s$", "N s", answer, flags=re.M) == f"{head}\n{line}\nkept: {other}\n"
    # Nothing is signed then.
    assert pyzpack.run("keygen", tmp_path / "key").returncode == 0
    attest = ["--attest", "--key", tmp_path / "key", "--builder-id", ME]
    rebuild(elsewhere, released, "--source", locked, "--keep", tmp_path / "more", *attest, status=1)
    assert [path.name for path in released.parent.iterdir() if "rebuilt" in path.name] == []


def test_what_was_chosen_is_not_chosen_again(pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    """Without a lock: an index that has newer versions since, of what is packed and of what a source is built with."""
    served = tmp_path / "served"
    make_wheel(served, "part", "1.0", files={"part.py": "NAME = 'part 1.0'\n"})
    make_wheel(served, "maker", "1.0", files={"maker.py": "VERSION = 1\nfrom plain_backend import *\n"})
    make_sdist(served, "source", "1.0")
    project = make_project(
        tmp_path / "project", "app", files=MODULES, scripts={"app": "app:main"}, requires=["part", "source"]
    )
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace("requires = []", 'requires = ["maker"]', 1))
    with serve(served) as index:
        options = ["--index-url", index.url, "--python", pyzpack.python]
        done = pyzpack.run("build", project, *options, "-o", tmp_path / "app.pyz")
        assert done.returncode == 0, done.stderr
        released = tmp_path / "app.pyz"
        for name in ("part", "maker", "source"):
            make_wheel(served, name, "2.0", files={f"{name}.py": "raise SystemExit('newer')\n"})
        index.requests.clear()
        answer = rebuild(elsewhere, released, "--source", project, *options)
        assert plain(answer) == plain(same(released))
        assert not [path for path in index.requests if "2.0" in path or path.endswith(".metadata")]
        # What is cached by now needs no index.
        answer = rebuild(elsewhere, released, "--source", project, "--offline", "--python", pyzpack.python)
        assert plain(answer) == plain(same(released))
        origins = {wheel["name"]: wheel["origin"] for wheel in manifest_of(released)["wheels"]}
        assert origins == {"app": "built", "part": "index", "source": "built"}
        # An index that took a file back.
        (served / "part-1.0-py3-none-any.whl").unlink()
        shutil.rmtree(elsewhere.cache / "wheels")
        digest = next(wheel["sha256"] for wheel in manifest_of(released)["wheels"] if wheel["name"] == "part")
        assert refusal(elsewhere, released, "--source", project, *options).splitlines()[-2:] == [
            f"error: neither --find-links, the cache nor an index that was asked has `part-1.0-py3-none-any.whl` "
            f"(sha256 {digest})",
            "hint: name a directory that holds them with --find-links",
        ]


def test_what_was_at_hand_has_to_be_at_hand(pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    shelf = tmp_path / "shelf"
    part = make_wheel(shelf, "part", files={"part.py": "NAME = 'part'\n"})
    tool = make_wheel(tmp_path / "inputs", "tool", files={"tool.py": "def main(): pass\n"}, requires=["part"])
    released = pyzpack.build(tool, "-e", "tool:main", "--find-links", shelf, output=tmp_path / "tool.pyz")
    answer = rebuild(elsewhere, released, "--source", tmp_path / "inputs", "--find-links", shelf, "--no-index")
    assert plain(answer) == plain(same(released))
    # Wherever it lies, it is known by its digest.
    answer = rebuild(elsewhere, released, "--source", tmp_path, "--find-links", "shelf", "--no-index", cwd=tmp_path)
    assert plain(answer) == plain(same(released))
    message = refusal(elsewhere, released, "--source", tmp_path / "inputs", "--no-index")
    assert f"has `{part.name}` (sha256 {sha256(part)})\n" in message
    (tmp_path / "empty").mkdir()
    message = refusal(elsewhere, released, "--source", tmp_path / "empty", "--find-links", shelf)
    assert message == (
        f"error: `{tool.name}` with sha256 {sha256(tool)} is not in `{tmp_path}/empty`\n"
        "hint: name the directory that holds it with --source, or with --find-links\n"
    )


def test_a_project_within_a_repository(pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    root = tmp_path / "monorepo"
    project = make_project(root / "packages", "app", files={"app.py": "def main(): 0\n"}, scripts={"app": "app:main"})
    (root / "requirements.txt").write_text("")
    revision = make_repository(root)
    inside = str(project.relative_to(root))
    clone = tmp_path / "a-clone"
    shutil.copytree(root, clone, symlinks=True)
    # A directory: nothing but whoever rebuilds can say which one of a repository.
    released = pyzpack.build(project, output=tmp_path / "app.pyz")
    error = "is not the project that was packed: the recipe has a directory, and does not say which of a repository"
    url = f"git+file://{clone}@{revision}"
    for source, found in ((str(clone), f"{clone}/{inside}"), (url, f"{url}#subdirectory={inside}")):
        message = refusal(elsewhere, released, "--source", source, status=2)
        assert message == f"error: `{source}` {error}\nhint: name the project's own directory: --source {found}\n"
        answer = rebuild(elsewhere, released, "--source", found)
        assert plain(answer) == plain(same(released)) + f"from commit {revision}\n"
    shutil.copytree(clone / inside, clone / "another")
    message = refusal(elsewhere, released, "--source", clone, status=2)
    assert message.endswith("directory: --source DIR or git+URL@REV#subdirectory=DIR\n")
    # A commit of the builder's own repository: it is that commit, whatever a clone is called.
    released = pyzpack.build(f"git+file://{root}@{revision}#subdirectory={inside}", output=tmp_path / "git.pyz")
    for source in (clone, clone / inside, url, f"{url}#subdirectory={inside}"):
        answer = rebuild(elsewhere, released, "--source", source)
        assert plain(answer).startswith(plain(same(released)))


def test_a_project_within_an_archive_of_a_url(pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    files = {"app.py": "def main(): 0\n"}
    make_project(tmp_path / "tree-1/part", "app", files=files, scripts={"app": "app:main"})
    (tmp_path / "served").mkdir()
    shutil.make_archive(str(tmp_path / "served/tree-1"), "gztar", tmp_path, "tree-1")
    with serve(tmp_path / "served") as index:
        url = f"{index.url.removesuffix('simple/')}files/tree-1.tar.gz"
        released = tmp_path / "app.pyz"
        done = pyzpack.run("build", f"app @ {url}#subdirectory=part", "-c", "app", "-o", released)
        assert done.returncode == 0, done.stderr
        assert plain(rebuild(elsewhere, released)) == plain(same(released))


OPTIONS = [
    ["-c", "other"],
    ["-e", "app:main", "--layout=zip"],
    ["-e", "app", "--compression=store", "--shebang=/usr/bin/python3 -I"],
    ["-c", "app", "--recompress", "--on-conflict=last"],
    ["-c", "app", "--bytecode=3.11", "--source-date-epoch=1700000000"],
    ["-c", "app", "--target-python=3.12", "--extra=more"],
    ["-c", "app", "--platform=manylinux_2_17_x86_64"],
    ["-c", "app", "-r", "requirements.txt"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_every_option_is_the_recipes(options: list[str], pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    shelf = tmp_path / "shelf"
    make_wheel(shelf, "part", files={"part.py": "NAME = 'part'\n"})
    make_wheel(shelf, "more", files={"more.py": ""})
    scripts = {"app": "app:main", "other": "app:main"}
    tool = '\n[project.optional-dependencies]\nmore = ["more"]\n\n[tool.pyzpack]\nexport-path = true\n'
    project = make_project(tmp_path / "app", "app", files=MODULES, scripts=scripts, requires=["part"], tool=tool)
    (project / "requirements.txt").write_text("more\n")
    released = tmp_path / "app.pyz"
    pyzpack.build(".", *options, "--find-links", shelf, output=released, cwd=project)
    variables = {"PYZPACK_LAYOUT": "extract", "PYZPACK_COMPRESSION": "deflate", "SOURCE_DATE_EPOCH": "1600000000"}
    answer = rebuild(
        elsewhere, released, "--source", project, "--find-links", shelf, "--no-index", "--offline",
        "--python", elsewhere.python, **variables,
    )  # fmt: skip
    assert plain(answer) == plain(same(released))


def test_an_earlier_builds_wheel_proves_nothing(pyzpack: Pyzpack, tmp_path: Path):
    """The same machine, and its cache: what was built is built again."""
    project = make_leaky(tmp_path / "project", ["chance"])
    released = pyzpack.build(project, output=tmp_path / "leaky.pyz")
    again = pyzpack.build(project, output=tmp_path / "again.pyz")
    assert sha256(again) == sha256(released)
    answer = rebuild(pyzpack, released, "--source", project, "--keep", tmp_path / "kept", status=1)
    assert "\n  _pyzpack/payload.zip / leaked/chance.txt: text, -1 +1\n" in answer


def test_scripts_and_modules(pyzpack: Pyzpack, elsewhere: Pyzpack, tmp_path: Path):
    script = tmp_path / "scripts/job.py"
    script.parent.mkdir()
    script.write_text("# /// script\n# dependencies = []\n# ///\nprint('job')\n")
    released = pyzpack.build(script, output=tmp_path / "job.pyz")
    assert plain(rebuild(elsewhere, released, "--source", script.parent)) == plain(same(released))
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "main.py").write_text("print('modules')\n")
    (modules / "requirements.txt").write_text("")
    released = pyzpack.build(output=tmp_path / "main.pyz", cwd=modules)
    assert plain(rebuild(elsewhere, released, cwd=modules)) == plain(same(released))
    message = refusal(elsewhere, released, status=2)
    assert message.endswith("hint: name the directory of its sources with --source\n")


def test_what_the_file_says_cannot_be_said_otherwise(pyzpack: Pyzpack, tmp_path: Path):
    for arguments, words in (
        (["--layout", "zip"], "'--against <APP.pyz>' cannot be used with '--layout <LAYOUT>'"),
        (["hello"], "'--against <APP.pyz>' cannot be used with '[INPUT]...'"),
        (["--attest"], "the following required arguments were not provided:"),
    ):
        done = pyzpack.run("reproduce", "--against", "a.pyz", *arguments)
        assert done.returncode == 2
        assert words in done.stderr
    done = pyzpack.run("reproduce", "--source", ".")
    assert done.returncode == 2
    assert "--against <APP.pyz>" in done.stderr


def test_a_json_report(pyzpack: Pyzpack, elsewhere: Pyzpack, locked: Path, tmp_path: Path):
    released = pyzpack.build(locked, output=tmp_path / "released/app.pyz")
    found = json.loads(rebuild(elsewhere, released, "--source", locked, "--json"))
    assert found.pop("seconds") > 0
    assert found == {
        "name": str(released),
        "expected": sha256(released),
        "sha256": sha256(released),
        "same": True,
        "difference": None,
        "kept": None,
        "commit": git(locked, "rev-parse", "HEAD"),
        "attestation": None,
        "warnings": [],
    }
