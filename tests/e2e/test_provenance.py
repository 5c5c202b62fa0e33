"""Provenance, told by in-toto's own protocol buffers; what a build wrote and what is written of the file later."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from attestations import BUILD_TYPE, LOCAL, commits, dependencies, read_provenance, read_statement
from conftest import Pyzpack, needs
from locks import World
from repositories import commit, git, make_repository
from test_determinism import make_sdist
from wheels import make_project, make_wheel
from zipformat import read_archive, rewrite

APP = {"app.py": "def main():\n    print('app')\n"}
USAGE, REFUSED = 2, 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", "app", files=APP, scripts={"app": "app:main"})


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "out/app.pyz"
    path.parent.mkdir()
    return path


def build(pyzpack: Pyzpack, *arguments: str | Path, output: Path, cwd: Path, **options) -> tuple[dict, str]:
    """The provenance that a build writes, and its messages."""
    done = pyzpack.run(
        "build", *arguments, "--evidence", "provenance", "--python", pyzpack.python, "-o", output, cwd=cwd, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return read_statement(beside(output)), done.stderr


def beside(output: Path) -> Path:
    return output.with_name(f"{output.name}.intoto.json")


def later(pyzpack: Pyzpack, output: Path, *arguments: str | Path, **options) -> str:
    done = pyzpack.run("provenance", output, *arguments, **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def parameters(predicate: dict) -> dict:
    return predicate["buildDefinition"]["externalParameters"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_says_what_is_known_of_a_project(pyzpack: Pyzpack, project: Path, output: Path):
    predicate, _ = build(pyzpack, ".", "--offline", "--no-index", output=output, cwd=project)
    (built,) = predicate["buildDefinition"].pop("resolvedDependencies")
    assert built.pop("digest").keys() == {"sha256"}
    assert built == {"name": "app-1.0-py3-none-any.whl", "annotations": {"roles": ["built-wheel"]}}
    byproducts = predicate["runDetails"].pop("byproducts")
    version = predicate["runDetails"]["builder"]["version"].pop("pyzpack")
    assert version == pyzpack.run("--version").stdout.split()[1]
    assert predicate == {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"inputs": ["."]},
            "internalParameters": {
                "entry_point": "app:main",
                "epoch": "315532800",
                "layout": "zip",
                "platform": "any",
                "pythons": [f"3.{minor}" for minor in range(8, 15)],
            },
        },
        "runDetails": {"builder": {"id": LOCAL, "version": {}}},
    }
    for byproduct, (suffix, form) in zip(byproducts, [("cdx", "cyclonedx"), ("spdx", "spdx")], strict=True):
        sbom = pyzpack.run("sbom", output, "--format", form).stdout
        assert byproduct.pop("digest") == {"sha256": hashlib.sha256(sbom.encode()).hexdigest()}
        kind = {"cdx": "application/vnd.cyclonedx+json", "spdx": "application/spdx+json"}[suffix]
        assert byproduct == {"name": f"app.pyz.{suffix}.json", "mediaType": kind}
    statement = json.loads(beside(output).read_text())
    assert statement["subject"] == [{"name": "app.pyz", "digest": {"sha256": sha256(output)}}]


def test_what_is_written_later_is_what_the_build_wrote(pyzpack: Pyzpack, project: Path, output: Path, tmp_path: Path):
    build(pyzpack, ".", "--offline", "--no-index", output=output, cwd=project)
    text = beside(output).read_text()
    assert later(pyzpack, output) == text
    written = tmp_path / "written.json"
    assert later(pyzpack, output, "-o", written) == ""
    assert written.read_text() == text
    alone = later(pyzpack, output, "--predicate-only")
    assert rfc8785.dumps(json.loads(text)["predicate"]) == alone.encode()
    read_provenance(json.loads(alone))
    # Somebody else who built it says the same, under another name.
    builder = "https://example.org/ci@refs/tags/v1"
    build(pyzpack, ".", "--offline", "--no-index", "--builder-id", builder, output=output, cwd=project)
    assert beside(output).read_text() == text.replace(LOCAL, builder)
    assert later(pyzpack, output, "--builder-id", builder) == text.replace(LOCAL, builder)


def test_settings_come_from_every_layer(pyzpack: Pyzpack, project: Path, output: Path):
    configuration = project / "pyproject.toml"
    table = '\n[tool.pyzpack]\nevidence = ["spdx", "provenance"]\nbuilder-id = "https://example.org/table"\n'
    configuration.write_text(configuration.read_text() + table)
    arguments = ["build", "--offline", "--no-index", "--python", pyzpack.python, "-o", output]

    def built(*more: str, **environment: str) -> tuple[list[str], str]:
        done = pyzpack.run(*arguments, *more, cwd=project, **environment)
        assert done.returncode == 0, done.stderr
        files = sorted(path.name.removeprefix("app.pyz") for path in output.parent.iterdir())
        builder = beside(output).exists() and read_statement(beside(output))["runDetails"]["builder"]["id"]
        return files, builder or ""

    assert built() == (["", ".intoto.json", ".spdx.json", "SHA256SUMS"], "https://example.org/table")
    variable = {"PYZPACK_EVIDENCE": "provenance", "PYZPACK_BUILDER_ID": "urn:example:variable"}
    assert built(**variable) == (["", ".intoto.json", "SHA256SUMS"], "urn:example:variable")
    line = ["--evidence", "provenance, sha256", "--builder-id", "urn:example:line"]
    assert built(*line, **variable) == (["", ".intoto.json", ".sha256", "SHA256SUMS"], "urn:example:line")
    configuration.write_text(configuration.read_text().replace('["spdx", "provenance"]', "1"))
    done = pyzpack.run(*arguments, cwd=project)
    message = (
        f"error: `{project}/pyproject.toml`, key `evidence` in [tool.pyzpack]: expected a string or a list of "
        "strings, found integer\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", message)


def test_parameters_are_the_options_that_were_given(pyzpack: Pyzpack, tmp_path: Path, output: Path):
    first = make_wheel(tmp_path / "w", "first", files={"a.py": "", "first.py": APP["app.py"]}, requires=["second"])
    second = make_wheel(tmp_path / "w", "second", files={"a.py": "1\n"})
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"second @ {second.as_uri()}\n")
    options = [
        "--on-conflict=first", "--layout=extract", "--shebang=/usr/bin/python3", "--recompress", "-e", "first:main",
        "--target-python=3.11", "-r", requirements, "--offline", "--no-index",
    ]  # fmt: skip
    predicate, _ = build(
        pyzpack, first, *options, output=output, cwd=tmp_path, SOURCE_DATE_EPOCH="1700000000", PYZPACK_JOBS="1"
    )
    assert parameters(predicate) == {
        "entry-point": "first:main",
        "inputs": ["first-1.0-py3-none-any.whl", "requirements.txt"],
        "layout": "extract",
        "on-conflict": "first",
        "recompress": "true",
        "shebang": "/usr/bin/python3",
        "target-python": "3.11",
    }
    assert predicate["buildDefinition"]["internalParameters"]["epoch"] == "1700000000"
    assert dependencies(predicate) == {
        "first-1.0-py3-none-any.whl": ["input", "wheel"],
        "requirements.txt": ["input"],
        "second-1.0-py3-none-any.whl": ["wheel"],
    }
    assert later(pyzpack, output) == beside(output).read_text()


def test_an_sdist_is_a_source(pyzpack: Pyzpack, tmp_path: Path, output: Path):
    make_sdist(tmp_path)
    sdist = tmp_path / "from_source-1.0.tar.gz"
    arguments = [sdist, "-e", "from_source:SOURCE", "--offline", "--no-index"]
    predicate, _ = build(pyzpack, *arguments, output=output, cwd=tmp_path)
    assert dependencies(predicate) == {
        "from_source-1.0-py3-none-any.whl": ["built-wheel"],
        sdist.name: ["input", "source"],
    }
    (source,) = [one for one in predicate["buildDefinition"]["resolvedDependencies"] if one["name"] == sdist.name]
    assert source["digest"] == {"sha256": sha256(sdist)}
    assert source["uri"] == f"pkg:generic/from-source@1.0?file_name={sdist.name}"
    assert later(pyzpack, output) == beside(output).read_text()


def test_a_git_input_is_its_commit(pyzpack: Pyzpack, project: Path, tmp_path: Path, output: Path):
    made = make_repository(project)
    arguments = [f"git+{project.as_uri()}@main", "--offline", "--no-index"]
    predicate, _ = build(pyzpack, *arguments, output=output, cwd=tmp_path)
    pinned = f"git+file:project@{made}"
    assert parameters(predicate) == {"inputs": [pinned]}
    assert dependencies(predicate) == {"app-1.0-py3-none-any.whl": ["built-wheel"], "project": ["source"]}
    (source,) = [one for one in predicate["buildDefinition"]["resolvedDependencies"] if one["name"] == "project"]
    assert (source["digest"], source["uri"]) == ({"gitCommit": made}, pinned)
    assert str(tmp_path) not in beside(output).read_text()
    assert later(pyzpack, output) == beside(output).read_text()


def test_a_locked_build_names_its_lock(pyzpack: Pyzpack, world: World, output: Path):
    lock = world.write("pylock.toml")
    predicate, _ = build(pyzpack, "--lock", lock, output=output, cwd=world.project)
    assert parameters(predicate)["lock"] == "pylock.toml"
    assert dependencies(predicate) == {
        "fast-2.0-py3-none-any.whl": ["wheel"],
        "lib-1.5-py3-none-any.whl": ["wheel"],
        "pylock.toml": ["lock"],
        "tool-1.0-py3-none-any.whl": ["built-wheel"],
    }
    (named,) = [one for one in predicate["buildDefinition"]["resolvedDependencies"] if one["name"] == "pylock.toml"]
    assert named["digest"] == {"sha256": sha256(lock)}
    assert later(pyzpack, output) == beside(output).read_text()


def test_an_index_is_a_parameter_where_it_served_something(pyzpack: Pyzpack, world: World, tmp_path: Path):
    arguments = ["lib", "-e", "lib:name", "--index-url", f"{world.index.url}"]
    output = tmp_path / "lib.pyz"
    predicate, _ = build(pyzpack, *arguments, output=output, cwd=tmp_path)
    url = world.index.url.rstrip("/")
    assert parameters(predicate)["index-url"] == url
    uris = [one["uri"] for one in predicate["buildDefinition"]["resolvedDependencies"]]
    assert all(uri.endswith(f"&repository_url={url}") for uri in uris), uris
    text = beside(output).read_text()
    assert later(pyzpack, output, "--index-url", world.index.url) == text
    assert later(pyzpack, output) != text
    several = [*arguments, "--extra-index-url", world.index.url]
    predicate, _ = build(pyzpack, *several, output=output, cwd=tmp_path)
    assert parameters(predicate)["index-url"] == "unsaid"
    # One that served nothing is none.
    wheel = make_wheel(tmp_path / "wheels", "app", files=APP, scripts={"app": "app:main"})
    predicate, _ = build(
        pyzpack, wheel, "--index-url", "https://host.example/simple", output=tmp_path / "app.pyz", cwd=tmp_path
    )
    assert parameters(predicate) == {"inputs": [wheel.name]}
    assert later(pyzpack, tmp_path / "app.pyz") == beside(tmp_path / "app.pyz").read_text()


OFFLINE = ["--offline", "--no-index"]


def unclaimed(project: Path, reason: str) -> str:
    return f"note: the provenance claims no commit for `{project}`: {reason}\n"


def test_the_commit_of_a_checkout_is_claimed_and_stays_out_of_the_file(
    pyzpack: Pyzpack, project: Path, tmp_path: Path, output: Path
):
    build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    of_no_repository = output.read_bytes()
    made = make_repository(project)
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == [made]
    assert "note" not in messages
    assert output.read_bytes() == of_no_repository
    text = beside(output).read_text()
    assert later(pyzpack, output, "--source", ".", cwd=project) == text
    assert later(pyzpack, output, "--source", project) == text
    # A subdirectory, and another checkout of the same commit, say the same.
    clone = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", project, clone)
    assert later(pyzpack, output, "--source", clone, "--source", project) == text
    build(pyzpack, clone, *OFFLINE, output=output, cwd=tmp_path)
    assert beside(output).read_text() == text


def test_what_a_build_wrote_is_no_change(pyzpack: Pyzpack, project: Path):
    made = make_repository(project)
    arguments = ["build", *OFFLINE, "--python", pyzpack.python, "--evidence", "all", "--layout", "extract"]
    written = []
    for _ in range(3):
        assert pyzpack.run(*arguments, cwd=project).returncode == 0
        files = sorted((project / "dist").iterdir())
        written.append([(path.name, path.read_bytes()) for path in files])
        assert commits(read_statement(project / "dist/app.pyz.intoto.json")) == [made]
    # This backend packs whatever it finds.
    assert written[0] == written[1] == written[2]
    assert len(written[0]) == 6


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("echo '#' >>app.py", "app.py"),
        ("chmod +x app.py", "app.py"),
        ("rm notes.txt", "notes.txt"),
        ("touch new.py", "new.py"),
        ("touch a b c d e", "a, b, c and 2 more"),
        ("touch a b c d", "a, b, c, d"),
        ("echo hidden >>.git/info/exclude; touch hidden", "hidden"),
        ("echo '#' >>app.py; git add app.py", "app.py"),
        ("git update-index --assume-unchanged app.py; echo '#' >>app.py", "app.py"),
        ("git update-index --skip-worktree app.py", "app.py"),
        ("git init -q inner", "inner/"),
        ("git init -q inner; git -C inner commit -q --allow-empty -m x; git add inner 2>/dev/null", "inner"),
        ("touch ../sibling", None),
    ],
)
def test_no_commit_is_claimed_for_what_differs_from_it(
    pyzpack: Pyzpack, project: Path, output: Path, change: str, named: str | None
):
    (project / "notes.txt").write_text("notes\n")
    made = make_repository(project)
    identity = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["sh", "-ec", change], cwd=project, check=True, env={"PATH": "/usr/bin:/bin", **identity})
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    done = pyzpack.run("provenance", output, "--source", project)
    if named is None:
        assert commits(predicate) == [made]
        assert done.returncode == 0
        return
    assert commits(predicate) == []
    assert unclaimed(project, f"it differs from its commit: {named}") in messages
    assert (done.returncode, done.stdout, done.stderr) == (
        REFUSED,
        "",
        f"error: `{project}` differs from its commit: {named}\n"
        "hint: commit it, or name what no build needs in `.gitignore`\n",
    )


def test_a_change_above_or_beside_the_project_counts(pyzpack: Pyzpack, project: Path, output: Path):
    """A project may take files from above itself, in its repository."""
    root = project.parent
    (root / ".gitignore").write_text("/out/\n/cache/\n/temporary/\n")
    (root / "README").write_text("x\n")
    made = make_repository(root)
    predicate, _ = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == [made]
    (root / "README").write_text("y\n")
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == []
    assert unclaimed(project, "it differs from its commit: README") in messages


def test_a_directory_that_its_repository_ignores_has_no_commit(pyzpack: Pyzpack, project: Path, output: Path):
    (project.parent / ".gitignore").write_text("*\n")
    git(project.parent, "init", "-q")
    git(project.parent, "add", "-f", ".gitignore")
    commit(project.parent)
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert (commits(predicate), "note" in messages) == ([], False)
    done = pyzpack.run("provenance", output, "--source", project)
    assert (done.returncode, done.stderr) == (USAGE, f"error: no commit has `{project}`\n")


def test_a_commit_that_changes_during_the_build_is_not_claimed(pyzpack: Pyzpack, project: Path, output: Path):
    """The project is committed anew, by its own backend here, between what was built and what is claimed."""
    make_repository(project)
    backend = project / "committing_backend.py"
    backend.write_text(
        "import subprocess\nfrom plain_backend import *\n"
        "from plain_backend import build_wheel as build\n"
        "def build_wheel(*arguments):\n"
        f"    command = ['git', '-C', {str(project)!r}, '-c', 'user.name=x', '-c', 'user.email=x', 'commit', '-q',\n"
        "               '--allow-empty', '-m', 'y']\n"
        "    subprocess.run(command, check=True)\n"
        "    return build(*arguments)\n"
    )
    configuration = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(configuration.replace("plain_backend", "committing_backend"))
    commit(project)
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == []
    assert unclaimed(project, "it changed during the build") in messages


def test_nothing_of_the_repository_is_run(pyzpack: Pyzpack, project: Path, tmp_path: Path, output: Path):
    make_repository(project)
    witness = tmp_path / "witness"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    program.chmod(0o755)
    for hook in ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(program, project / ".git/hooks" / hook)
    (project / ".gitattributes").write_text("*.py filter=mine diff=mine\n")
    made = commit(project)
    for key, value in {
        "core.fsmonitor": str(program), "core.hooksPath": str(project / ".git/hooks"), "core.pager": str(program),
        "filter.mine.clean": str(program), "filter.mine.smudge": str(program), "filter.mine.required": "true",
        "diff.external": str(program), "diff.mine.textconv": str(program), "diff.mine.command": str(program),
        "core.sshCommand": str(program), "core.editor": str(program), "credential.helper": str(program),
        "gpg.program": str(program), "uploadpack.packObjectsHook": str(program),
    }.items():  # fmt: skip
        git(project, "config", key, value)
    # git has to look at the contents.
    (project / "app.py").write_text(APP["app.py"])
    witness.unlink(missing_ok=True)
    predicate, _ = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == [made]
    assert not witness.exists()


def test_another_repository_of_the_environment_does_not_count(pyzpack: Pyzpack, project: Path, tmp_path: Path):
    """As in a hook of git's, which sets them."""
    other = make_project(tmp_path / "other", "other", files=APP)
    make_repository(other)
    made = make_repository(project)
    (project / "app.py").write_text(APP["app.py"] + "#\n")
    changed = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": str(other / ".git/index")}
    predicate, _ = build(pyzpack, ".", *OFFLINE, output=tmp_path / "app.pyz", cwd=project, **changed)
    assert commits(predicate) == []
    git(project, "checkout", "-q", "app.py")
    predicate, _ = build(pyzpack, ".", *OFFLINE, output=tmp_path / "app.pyz", cwd=project, **changed)
    assert commits(predicate) == [made]


def test_a_replaced_commit_is_not_claimed_for_another(pyzpack: Pyzpack, project: Path, output: Path):
    first = make_repository(project)
    (project / "app.py").write_text("def main(): ...\n")
    second = commit(project)
    # To git, the tree of the second commit is now that of the first.
    git(project, "checkout", "-q", "--detach", first)
    git(project, "replace", first, second)
    git(project, "reset", "-q", "--hard")
    assert (project / "app.py").read_text() == "def main(): ...\n"
    predicate, messages = build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    assert commits(predicate) == []
    assert unclaimed(project, "it differs from its commit: app.py") in messages


def test_git_is_not_asked_without_provenance(pyzpack: Pyzpack, tmp_path: Path):
    script = tmp_path / "repository/script.py"
    script.parent.mkdir()
    script.write_text("print(1)\n")
    made = make_repository(script.parent)
    programs = tmp_path / "programs"
    programs.mkdir()
    witness = tmp_path / "witness"
    (programs / "git").write_text(f'#!/bin/sh\ntouch {witness}\nexec {needs("git")} "$@"\n')
    (programs / "git").chmod(0o755)
    path = f"{programs}:/usr/bin:/bin"
    output = tmp_path / "script.pyz"
    for evidence, asked in (("none", False), ("sha256", False), ("cyclonedx,spdx", False), ("provenance", True)):
        done = pyzpack.run(
            "build", script, "--offline", "--python", pyzpack.python, "-o", output, "--evidence", evidence, PATH=path
        )
        assert done.returncode == 0, done.stderr
        assert witness.exists() == asked
    assert commits(read_statement(beside(output))) == [made]
    # A git that fails fails no build.
    (programs / "git").write_text("#!/bin/sh\necho broken >&2\nexit 128\n")
    done = pyzpack.run(
        "build", script, "--offline", "--python", pyzpack.python, "-o", output, "--evidence", "provenance", PATH=path
    )
    assert done.returncode == 0, done.stderr
    assert commits(read_statement(beside(output))) == []


def test_refuses_what_is_no_finished_file(pyzpack: Pyzpack, project: Path, tmp_path: Path, output: Path):
    build(pyzpack, ".", *OFFLINE, output=output, cwd=project)
    archive = read_archive(output.read_bytes())
    archive.entries["app.py"] = replace(archive.entries["app.py"], data=b"def main(): pass\n")
    changed = tmp_path / "changed.pyz"
    changed.write_bytes(rewrite(archive))
    done = pyzpack.run("provenance", changed)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert "`app.py`" in done.stderr
    for path, status in [(tmp_path / "none.pyz", USAGE), (project, USAGE), (project / "app.py", REFUSED)]:
        done = pyzpack.run("provenance", path)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
    for builder in ("me", "https:", "../x", "a b:c", "https://u:secret@host.example/"):
        done = pyzpack.run("provenance", output, "--builder-id", builder)
        assert (done.returncode, done.stdout) == (USAGE, "")
        assert "--builder-id" in done.stderr
        assert "secret" not in done.stderr
    done = pyzpack.run("provenance", output, "-o", output)
    assert done.returncode == USAGE
    assert done.stderr.startswith(f"error: the output `{output}` is one of the inputs\n")
