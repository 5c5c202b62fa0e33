"""Git inputs from the command line: which commit is packed, what is recorded of it, and that no credential is."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import HELLO, ROOT, Pyzpack, manifest_of, needs
from repositories import COMMITTED, commit, git, make_repository
from wheels import make_project

SCRIPTS = {"hello": "hello:main"}
SECRET = "pass/word"  # the login that tests/support/https_git.py takes


@dataclass
class Place:
    """A repository with three commits: `one` (tag v1.0), `two` (main), `three` (branch feature/x)."""

    pyzpack: Pyzpack
    root: Path
    commits: dict[str, str]

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    def run(self, url: str, *arguments: str | Path, **options) -> tuple[Path, subprocess.CompletedProcess[str]]:
        output = self.root / "out.pyz"
        output.unlink(missing_ok=True)
        command = ["build", url, "--no-index", "--python", self.pyzpack.python, "-o", output, *arguments]
        return output, self.pyzpack.run(*command, HOME=str(self.root / "home"), **options)

    def build(self, url: str, *arguments: str | Path, **options) -> Path:
        output, done = self.run(url, *arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        return output

    def start(self, output: Path) -> str:
        return subprocess.check_output([self.pyzpack.python, output], text=True, env=self.pyzpack.environment())


def say(directory: Path, text: str) -> None:
    (directory / "hello.py").write_text(HELLO["hello.py"].replace("hello')", f"{text}')"))


@pytest.fixture
def place(pyzpack: Pyzpack, tmp_path: Path) -> Place:
    repository, home = tmp_path / "repository", tmp_path / "home"
    home.mkdir()
    make_project(repository, "hello", files=HELLO, scripts=SCRIPTS)
    make_project(repository / "inner", "hello", files=HELLO, scripts=SCRIPTS)
    say(repository / "inner", "inner")
    commits = {}
    for number, name in enumerate(["one", "two", "three"]):
        say(repository, name)
        if name == "one":
            commits[name] = make_repository(repository)
            git(repository, "tag", "-a", "-m", "x", "v1.0")
            continue
        if name == "three":
            git(repository, "checkout", "-q", "-b", "feature/x")
        commits[name] = commit(repository, COMMITTED + 2 * number)
    git(repository, "checkout", "-q", "main")
    git(repository, "config", "uploadpack.allowFilter", "true")
    return Place(pyzpack, tmp_path, commits)


@pytest.fixture
def ssh(place: Place) -> dict[str, str]:
    """A program that stands for ssh: it runs the command here."""
    program = place.root / "ssh"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {place.root}/ssh-note\nwhile [ "$#" -gt 1 ]; do shift; done\nexec sh -c "$1"\n'
    )
    program.chmod(0o755)
    return {"GIT_SSH_COMMAND": str(program)}


@pytest.fixture
def https(place: Place) -> Iterator[tuple[str, dict[str, str]]]:
    """A server for the repositories, to one user: its address, and the variable with its certificate."""
    certificate, key = place.root / "certificate.pem", place.root / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [needs("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    command = [place.pyzpack.python, ROOT / "tests/support/https_git.py", place.root, certificate, key]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    try:
        yield f"localhost:{port}", {"GIT_SSL_CAINFO": str(certificate)}
    finally:
        server.kill()
        server.wait()


REVISIONS: dict[str, tuple[Callable[[dict[str, str]], str], str]] = {
    "default branch": (lambda commits: "", "two"),
    "branch": (lambda commits: "@feature/x", "three"),
    "tag": (lambda commits: "@v1.0", "one"),
    "commit": (lambda commits: f"@{commits['one']}", "one"),
    "short commit": (lambda commits: f"@{commits['one'][:10]}", "one"),
}


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_is_packed_and_its_commit_recorded(place: Place, revision: str) -> None:
    text, name = REVISIONS[revision]
    output = place.build(f"git+file://{place.repository}{text(place.commits)}", "--offline")
    assert place.start(output) == f"{name}\n"
    manifest = manifest_of(output)
    recorded = {"uri": "file:repository", "commit": place.commits[name]}
    assert manifest["recipe"]["inputs"] == [recorded]
    assert str(place.root) not in str(manifest)
    assert manifest["wheels"][0]["source"]["uri"] == f"git+file:repository@{place.commits[name]}"


def test_only_a_whole_commit_pins(place: Place) -> None:
    url = f"git+file://{place.repository}"
    _, done = place.run(f"{url}@v1.0", "--locked")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: --locked needs a whole commit of `file://{place.repository}`")
    place.build(f"{url}@{place.commits['one']}", "--locked")


def test_every_way_to_a_commit_gives_the_same_bytes(
    place: Place, ssh: dict[str, str], https: tuple[str, dict[str, str]]
) -> None:
    """What is recorded differs by where it came from, and nothing else does."""
    address, certificate = https
    by_file = place.build(f"git+file://{place.repository}@v1.0").read_bytes()
    again = place.build(f"git+file://{place.repository}@{place.commits['one']}").read_bytes()
    assert by_file == again
    output = place.build(f"git+https://user:pass%2Fword@{address}/repository@v1.0", **certificate)
    by_https = manifest_of(output)
    output = place.build(f"git+ssh://git@host.example{place.repository}@v1.0", **ssh)
    by_ssh = manifest_of(output)
    assert by_https["files"] == by_ssh["files"]
    assert by_https["wheels"][0]["sha256"] == by_ssh["wheels"][0]["sha256"]
    assert by_https["wheels"][0]["source"]["uri"] == f"git+https://{address}/repository@{place.commits['one']}"
    assert "git@host.example" in (place.root / "ssh-note").read_text()


def test_the_time_of_the_commit_is_taken(place: Place) -> None:
    for revision, time in (("v1.0", COMMITTED), ("main", COMMITTED + 2)):
        url = f"git+file://{place.repository}@{revision}"
        output = place.build(url, "--source-date-epoch", "commit")
        assert manifest_of(output)["epoch"] == time


def test_a_subdirectory_is_packed(place: Place) -> None:
    output = place.build(f"git+file://{place.repository}@v1.0#subdirectory=inner")
    assert place.start(output) == "inner\n"
    uri = f"git+file:repository@{place.commits['one']}#subdirectory=inner"
    assert manifest_of(output)["wheels"][0]["source"]["uri"] == uri


def test_submodules_come_along(place: Place) -> None:
    module = place.root / "module"
    module.mkdir()
    (module / "hello.py").write_text("def main():\n    print('of a submodule')\n")
    make_repository(module)
    outer = make_project(place.root / "outer", "hello", files={}, scripts={"hello": "sub.hello:main"})
    git(outer, "init", "-q", "-b", "main")
    git(outer, "submodule", "--quiet", "add", f"file://{module}", "sub")
    commit(outer)
    output = place.build(f"git+file://{outer}")
    assert place.start(output) == "of a submodule\n"


def test_a_missing_revision_is_refused(place: Place) -> None:
    output, done = place.run(f"git+file://{place.repository}@no-such")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: repository `file://{place.repository}` has no revision `no-such`",
    ]
    assert not output.exists()
    assert list(place.pyzpack.temporary.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "git+file://REPOSITORY@--upload-pack=touch NOTE",
        "git+file://REPOSITORY@--upload-pack=NOTE",
        "git+ssh://-oProxyCommand=NOTE/x",
        "git+ssh://%2doProxyCommand=NOTE/x",
        "git+ext::NOTE",
        "git+file://REPOSITORY#subdirectory=../../etc",
    ],
)
def test_nothing_passes_for_an_option(place: Place, url: str) -> None:
    note, program = place.root / "note", place.root / "program"
    program.write_text(f"#!/bin/sh\ntouch {note}\n")
    program.chmod(0o755)
    url = url.replace("REPOSITORY", str(place.repository)).replace("NOTE", str(program))
    _, done = place.run(url)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: not a git input: `git+"), done.stderr
    assert not note.exists()


@pytest.mark.parametrize("backend", ["plain_backend", "failing_backend"])
def test_credentials_are_nowhere(place: Place, https: tuple[str, dict[str, str]], backend: str) -> None:
    address, certificate = https
    make_project(place.repository, "hello", files=HELLO, scripts=SCRIPTS, backend=backend)
    commit(place.repository)
    url = f"git+https://user:pass%2Fword@{address}/repository"
    output, done = place.run(url, "-v", "--json", **certificate)
    assert done.returncode == (0 if backend == "plain_backend" else 1), done.stderr
    secret = re.compile(rb"pass(/|%2[Ff])word")
    assert not secret.search((done.stdout + done.stderr).encode())
    kept = [
        output,
        *place.pyzpack.cache.rglob("*"),
        *place.pyzpack.temporary.rglob("*"),
        *(place.root / "home").rglob("*"),
    ]
    for path in kept:
        if path.is_file():
            assert not secret.search(path.read_bytes()), path
    assert backend == "plain_backend" or list((place.pyzpack.cache / "logs").iterdir())


def test_a_wrong_login_is_refused_and_not_shown(place: Place, https: tuple[str, dict[str, str]]) -> None:
    address, certificate = https
    _, done = place.run(f"git+https://user:hunter22@{address}/repository", **certificate)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: git cannot clone `https://{address}/repository` (exit status 128): ")
    assert "hunter22" not in done.stderr


def test_offline_takes_no_server(place: Place) -> None:
    _, done = place.run("git+https://user:secret@host.example/x", "--offline")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: cannot fetch `https://host.example/x` with --offline",
        "hint: name a clone on this machine: git+file:///PATH@REV",
    ]


def make_scm_project(directory: Path, root: str | None) -> Path:
    """A project of which setuptools-scm takes the version from the tags of the repository around it."""
    directory.mkdir(parents=True)
    (directory / "scm.py").write_text(
        "def main():\n    from importlib.metadata import version\n    print(version('scm'))\n"
    )
    table = f'root = "{root}"\n' if root else ""
    (directory / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools", "setuptools-scm"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "scm"\ndynamic = ["version"]\nrequires-python = ">=3.8"\n'
        '[project.scripts]\nscm = "scm:main"\n'
        f'[tool.setuptools]\npy-modules = ["scm"]\n[tool.setuptools_scm]\n{table}'
    )
    return directory


@pytest.mark.parametrize("inside", ["", "packages/scm"], ids=["a repository", "a member of one"])
def test_setuptools_scm_finds_the_tag(place: Place, wheelhouse: Callable[[str], Path], inside: str) -> None:
    repository = place.root / "tagged"
    project = make_scm_project(repository / inside, "../.." if inside else None)
    (repository / "unrelated.txt").write_text("")
    make_repository(repository)
    git(repository, "tag", "v3.4.5")
    shelf = ["--offline", "--find-links", wheelhouse("build-tools")]
    fragment = f"#subdirectory={inside}" if inside else ""
    output = place.build(f"git+file://{repository}@v3.4.5{fragment}", *shelf)
    assert place.start(output) == "3.4.5\n"
    # The same from a directory, of which the repository around it is copied.
    output = place.build(str(project), *shelf)
    assert place.start(output) == "3.4.5\n"
    assert not os.path.exists(project / "scm.egg-info")
