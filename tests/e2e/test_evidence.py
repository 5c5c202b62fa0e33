"""What lies beside a `.pyz`: complete, the same on every machine, never that of another file."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import rfc8785
import test_locked_determinism
from attestations import commits, dependencies, read_statement
from conftest import HELLO, OLD, PYZPACK, Pyzpack, clean_environment, needs
from locks import World
from repositories import commit, git
from test_determinism import Condition
from test_locked_determinism import LockedSituation, workspace  # noqa: F401, the fixture
from wheels import make_wheel

USAGE, REFUSED, MACHINE = 2, 1, 3
EVERYTHING = [
    "SHA256SUMS",
    *(f"tool.pyz{suffix}" for suffix in ("", ".cdx.json", ".intoto.json", ".sha256", ".spdx.json")),
]
# What signing leaves beside a file.
SIGNED = [f"tool.pyz{suffix}" for suffix in (".cdx.dsse.json", ".cdx.sigstore.json", ".dsse.json", ".sigstore.json")]


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def checked(directory: Path, name: str = "SHA256SUMS") -> list[str]:
    """The names in a list of digests, which `sha256sum` finds true."""
    done = subprocess.run(["sha256sum", "--strict", "-c", name], cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.removesuffix(": OK") for line in done.stdout.splitlines()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


@pytest.fixture
def make(pyzpack: Pyzpack, hello: Path, out: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Builds out/tool.pyz of a wheel."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
        line = ["build", hello, "--offline", "--python", pyzpack.python, "-o", out / "tool.pyz", *arguments]
        return pyzpack.run(*line, **options)

    return run


@pytest.mark.parametrize(
    ("evidence", "suffixes"),
    [
        (None, [".sha256"]),
        ("none", []),
        ("sha256", [".sha256"]),
        ("cyclonedx", [".cdx.json"]),
        ("spdx,cyclonedx", [".cdx.json", ".spdx.json"]),
        ("provenance", [".intoto.json"]),
        ("all", [".sha256", ".cdx.json", ".spdx.json", ".intoto.json"]),
        ("sha256, all", [".sha256", ".cdx.json", ".spdx.json", ".intoto.json"]),
    ],
)
def test_what_is_asked_for_is_written_and_listed(make: Callable, out: Path, evidence: str | None, suffixes: list[str]):
    done = make("--json", *(["--evidence", evidence] if evidence else []))
    assert done.returncode == 0, done.stderr
    written = [f"tool.pyz{suffix}" for suffix in suffixes] + (["SHA256SUMS"] if suffixes else [])
    assert json.loads(done.stdout)["evidence"] == [str(out / name) for name in written]
    assert listing(out) == sorted(["tool.pyz", *written])
    if suffixes:
        listed = ["tool.pyz", *sorted(name for name in written if name.endswith(".json"))]
        assert checked(out) == listed
    if ".sha256" in suffixes:
        assert checked(out, "tool.pyz.sha256") == ["tool.pyz"]
    assert all(path.stat().st_mode & 0o7777 == (0o755 if path.name == "tool.pyz" else 0o644) for path in out.iterdir())


def test_modes_do_not_depend_on_the_umask(make: Callable, out: Path):
    assert make("--evidence", "all", wrapper=["sh", "-c", 'umask 077; exec "$@"', "sh"]).returncode == 0
    assert {path.name: path.stat().st_mode & 0o7777 for path in out.iterdir()} == {
        name: 0o755 if name == "tool.pyz" else 0o644 for name in EVERYTHING
    }


def test_unknown_evidence_is_refused(make: Callable, out: Path):
    for evidence, reason in {
        "cyclonedx,spdxx": "`spdxx` is none of: sha256, cyclonedx, spdx, provenance, all, none; did you mean `spdx`?",
        "none,all": "`none` stands alone",
    }.items():
        done = make("--evidence", evidence)
        assert (done.returncode, done.stdout, done.stderr) == (USAGE, "", f"error: option --evidence: {reason}\n")
    assert listing(out) == []


def test_the_list_is_everybody_s(make: Callable, pyzpack: Pyzpack, hello: Path, out: Path):
    other = sha256(b"other")
    (out / "a.txt").write_bytes(b"other")
    (out / "z.txt").write_bytes(b"other")
    old = sha256(OLD)
    stale = "".join(f"{old}  {name}\n" for name in ["tool.pyz.cdx.json", "tool.pyz", *SIGNED])
    (out / "SHA256SUMS").write_text(f"{other} *z.txt\n{stale}{other}  a.txt")
    assert make("--evidence", "all").returncode == 0
    names = ["tool.pyz", "tool.pyz.cdx.json", "tool.pyz.intoto.json", "tool.pyz.spdx.json"]
    assert checked(out) == ["a.txt", *names, "z.txt"]
    assert f"{other} *z.txt\n" in (out / "SHA256SUMS").read_text()
    done = pyzpack.run("build", hello, "--offline", "--evidence", "spdx", "-o", out / "other.pyz")
    assert done.returncode == 0, done.stderr
    assert checked(out) == ["a.txt", "other.pyz", "other.pyz.spdx.json", *names, "z.txt"]
    # Another choice leaves nothing of the first.
    assert make().returncode == 0
    assert checked(out) == ["a.txt", "other.pyz", "other.pyz.spdx.json", "tool.pyz", "z.txt"]
    assert make("--evidence", "none").returncode == 0
    assert checked(out) == ["a.txt", "other.pyz", "other.pyz.spdx.json", "z.txt"]
    assert listing(out) == ["SHA256SUMS", "a.txt", "other.pyz", "other.pyz.spdx.json", "tool.pyz", "z.txt"]


@pytest.mark.parametrize(
    "name", ["tool of ours.pyz", "back\\slash.pyz", "new\nline.pyz", "tööl.pyz", "-tool.pyz", "tool"]
)
def test_any_name_is_listed(pyzpack: Pyzpack, hello: Path, out: Path, name: str):
    arguments = ["build", hello, "--offline", "--evidence", "all", "-o", out / name]
    for _ in range(2):
        done = pyzpack.run(*arguments)
        assert done.returncode == 0, done.stderr
    done = subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=out, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len((out / "SHA256SUMS").read_text().splitlines()) == 4
    predicate = read_statement(out / f"{name}.intoto.json")
    assert [one["name"] for one in predicate["runDetails"]["byproducts"]] == [f"{name}.cdx.json", f"{name}.spdx.json"]


def test_nothing_old_stands_beside_a_new_file(make: Callable, out: Path):
    for name in [*EVERYTHING, *SIGNED]:
        (out / name).write_bytes(OLD)
    (out / "tool.pyz.notes").write_bytes(OLD)
    done = make()
    assert done.returncode == 0, done.stderr
    assert listing(out) == ["SHA256SUMS", "tool.pyz", "tool.pyz.notes", "tool.pyz.sha256"]
    assert checked(out, "tool.pyz.sha256") == ["tool.pyz"]


@pytest.mark.parametrize("arguments", [["-e", "hello:missing"], ["--evidence", "all", "-c", "missing"]])
def test_a_build_that_fails_leaves_old_evidence(make: Callable, out: Path, arguments: list[str]):
    for name in [*EVERYTHING, *SIGNED]:
        (out / name).write_bytes(OLD)
    before = contents(out)
    assert make(*arguments).returncode != 0
    assert contents(out) == before


@pytest.mark.parametrize("evidence", ["all", "none"])
def test_the_list_is_no_output(pyzpack: Pyzpack, hello: Path, out: Path, evidence: str):
    (out / "SHA256SUMS").write_bytes(OLD)
    done = pyzpack.run("build", hello, "--offline", "--evidence", evidence, "-o", out / "SHA256SUMS")
    assert (done.returncode, done.stdout, done.stderr) == (
        USAGE,
        "",
        f"error: the output `{out}/SHA256SUMS` has the name of the list of checksums\n"
        "hint: name another file, with `-o FILE`\n",
    )
    assert contents(out) == {"SHA256SUMS": OLD}


@pytest.mark.parametrize("name", ["tool.pyz.cdx.json", "tool.pyz.intoto.json", "tool.pyz.sha256", "SHA256SUMS"])
def test_a_directory_in_the_way_is_told_before_anything_is_lost(make: Callable, out: Path, name: str):
    for old in [*EVERYTHING, *SIGNED]:
        (out / old).write_bytes(OLD)
    (out / name).unlink()
    (out / name / "inner").mkdir(parents=True)
    before = contents(out)
    done = make("--evidence", "all")
    assert (done.returncode, done.stdout, done.stderr) == (
        MACHINE,
        "",
        f"error: the evidence `{out / name}` is a directory\n"
        "hint: remove it, or ask for other evidence with `--evidence LIST`\n",
    )
    assert contents(out) == before
    assert (out / name / "inner").is_dir()
    if name.endswith(".json"):
        # It is in nobody's way where this evidence is not asked for.
        assert make().returncode == 0
        assert listing(out) == sorted(["SHA256SUMS", "tool.pyz", "tool.pyz.sha256", name])


SMALL_DISK = """
mount -t tmpfs -o size=$1 pyzpack-test "$2" || exit 99
cp -a "$3/old/." "$2"
disk=$2; report=$3; shift 3
"$@"; status=$?
mkdir "$report/left" && cp -a "$disk/." "$report/left"
exit $status
"""


def test_a_full_disk_leaves_no_evidence_of_another_file(pyzpack: Pyzpack, make: Callable, hello: Path, tmp_path: Path):
    """From room for nothing to room for everything, a page at a time."""
    unshare = [needs("unshare"), "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow a mount of one's own")
    assert make("--evidence", "all").returncode == 0
    page = 4096
    pages = lambda data: -(-len(data) // page)  # noqa: E731
    size = pages((tmp_path / "out/tool.pyz").read_bytes())
    old_names = ["tool.pyz", "tool.pyz.cdx.json", "tool.pyz.sigstore.json"]
    disk = tmp_path / "disk"
    disk.mkdir()
    outcomes = []
    for room in range(size - 1, size + 10):
        report = tmp_path / f"report-{room}"
        (report / "old").mkdir(parents=True)
        for name in old_names:
            (report / "old" / name).write_bytes(OLD)
        total = f"{(room + len(old_names)) * page}"
        wrapper = [*unshare, "sh", "-c", SMALL_DISK, "sh", total, disk, report]
        line = ["build", hello, "--offline", "--python", pyzpack.python, "--evidence", "all", "-o", disk / "tool.pyz"]
        done = pyzpack.run(*line, wrapper=wrapper)
        left = contents(report / "left")
        if left["tool.pyz"] == OLD:
            assert sorted(left) == old_names
            assert set(left.values()) == {OLD}
            outcomes.append("old")
        else:
            assert OLD not in left.values()
            outcomes.append("new" if sorted(left) == EVERYTHING else "some")
        assert done.returncode == (0 if outcomes[-1] == "new" else MACHINE), done.stderr
        if done.returncode != 0:
            assert "No space left on device" in done.stderr
    assert (outcomes[0], outcomes[-1]) == ("old", "new")
    # Room for what is written last cannot be told apart from what another program takes; all else is told in time.
    assert outcomes == sorted(outcomes, key=["old", "some", "new"].index)
    assert outcomes.count("some") == 0, outcomes


def test_the_file_alone_gives_all_of_it_again(pyzpack: Pyzpack, make: Callable, out: Path, tmp_path: Path):
    assert make("--evidence", "all").returncode == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    pyz = shutil.copy(out / "tool.pyz", alone)
    for name, arguments in {
        "tool.pyz.cdx.json": ["sbom"],
        "tool.pyz.spdx.json": ["sbom", "--format", "spdx"],
        "tool.pyz.intoto.json": ["provenance"],
    }.items():
        done = pyzpack.run(*arguments, pyz)
        assert (done.returncode, done.stdout, done.stderr) == (0, (out / name).read_text(), "")
        assert rfc8785.dumps(json.loads(done.stdout)) == done.stdout.encode()
        assert pyzpack.run(*arguments, "tool.pyz", "-o", name, cwd=alone).returncode == 0
    assert contents(alone) == {name: contents(out)[name] for name in EVERYTHING if name in listing(alone)}


def test_no_credential_is_in_any_evidence(pyzpack: Pyzpack, world: World, tmp_path: Path):
    host = world.index.url.split("//")[1]
    output = tmp_path / "lib.pyz"
    line = ["build", "lib", "-e", "lib:name", "--index-url", f"http://somebody:s3cret@{host}", "--evidence", "all"]
    done = pyzpack.run(*line, "--python", pyzpack.python, "-o", output)
    assert done.returncode == 0, done.stderr
    for path in tmp_path.glob("lib.pyz.*"):
        assert b"s3cret" not in path.read_bytes()
        assert b"somebody" not in path.read_bytes()


@dataclass
class EvidenceSituation(LockedSituation):
    """A build of a checkout with a lock, an sdist, a commit and an extra, that writes all evidence."""

    pyz: bytes = field(default=b"", init=False)

    def build(self) -> bytes:
        """All that is written, in one: a name, a size, the bytes."""
        shutil.rmtree(self.output.parent, ignore_errors=True)
        self.environment["PYZPACK_EVIDENCE"] = "all"
        super().build()
        found = contents(self.output.parent)
        return b"".join(b"%s %d\n%s" % (name.encode(), len(data), data) for name, data in sorted(found.items()))


@pytest.fixture
def situation(workspace: Path, pyzpack: Pyzpack, tmp_path: Path):  # noqa: F811
    place = tmp_path / "workspace"
    shutil.copytree(workspace, place, symlinks=True)
    (place / ".gitignore").write_text("/repository/\n/built-before/\n")
    git(place, "add", "-A")
    commit(place)
    environment = clean_environment(
        HOME=tmp_path,
        LC_ALL="C",
        PYTHONHASHSEED="0",
        PYZPACK_CACHE=pyzpack.cache,
        SOURCE_DATE_EPOCH=test_locked_determinism.EPOCH,
        TMPDIR=pyzpack.temporary,
        TZ="UTC",
        USER="tester-of-pyzpack",
    )
    environment["PATH"] = f"{Path(PYZPACK).parent}:/usr/bin:/bin"
    one = EvidenceSituation(place, pyzpack.python, tmp_path / "output/determined.pyz", environment)
    with one.undo:
        yield one


@pytest.fixture(scope="module")
def reference() -> dict[str, bytes]:
    """Filled by the first build in the reference situation."""
    return {}


# test_locked_determinism.py shows that each of them reaches a process. The output's name is what evidence speaks of.
CONDITIONS = [condition for condition in test_locked_determinism.CONDITIONS if condition.leak != "output"]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_same_evidence_under(condition: Condition, situation: EvidenceSituation, reference: dict[str, bytes]):
    expected = reference.get("all") or reference.setdefault("all", situation.build())
    condition.change(situation)
    assert situation.build() == expected


def test_evidence_says_nothing_of_the_machine(situation: EvidenceSituation, tmp_path: Path):
    situation.build()
    written = b"".join(data for name, data in contents(situation.output.parent).items() if name.endswith(".json"))
    for secret in (
        str(tmp_path),
        socket.gethostname() + ".",
        "tester-of-pyzpack",
        "/tmp",
        "/home",
        "/root",
        "..",
        "file:/",
    ):
        assert secret.encode() not in written, secret
    predicate = read_statement(situation.output.with_name("determined.pyz.intoto.json"))
    assert commits(predicate) == [git(situation.workspace, "rev-parse", "HEAD")]
    roles = dependencies(predicate)
    assert roles.pop("source") == ["source"]
    names = {name: name.split("-")[0] if name.endswith(".whl") else name for name in roles}
    assert {names[name]: role for name, role in roles.items()} == {
        "determined": ["built-wheel"],
        "from_git": ["built-wheel"],
        "from_source": ["built-wheel"],
        "from_source-1.0.tar.gz": ["source"],
        "markupsafe": ["wheel"],
        "more_part": ["wheel"],
        "pure_part": ["wheel"],
        "pylock.toml": ["lock"],
        "repository": ["source"],
        "setuptools": ["build-requirement"],
    }


def test_wheels_bring_their_own_evidence_along(pyzpack: Pyzpack, tmp_path: Path):
    """An SBOM inside a wheel (PEP 770) stays what it is."""
    inner = b'{"bomFormat":"CycloneDX"}\n'
    files = {**HELLO, "hello-1.0.dist-info/sboms/inner.cdx.json": inner}
    wheel = make_wheel(tmp_path / "wheels", "hello", files=files, scripts={"hello": "hello:main"})
    output = tmp_path / "hello.pyz"
    done = pyzpack.run("build", wheel, "--offline", "--evidence", "all", "-o", output)
    assert done.returncode == 0, done.stderr
    assert sha256(inner) in (tmp_path / "hello.pyz.cdx.json").read_text()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_list_that_is_no_file_is_neither_followed_nor_waited_for(
    pyzpack: Pyzpack, hello: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "out").mkdir()
    secret, listed, app = tmp_path / "secret", tmp_path / "out/SHA256SUMS", tmp_path / "out/hello.pyz"
    text = "root:secret\n" + "0" * 64 + "  hello.pyz\n"
    secret.write_text(text)
    if kind == "link":
        listed.symlink_to(secret)
        why = "it is a symbolic link"
    else:
        os.mkfifo(listed)
        why = "it is not a regular file"
    done = pyzpack.run("build", hello, "-o", app, wrapper=[needs("timeout"), "60"])
    assert (done.returncode, app.exists()) == (3, False)
    assert f"error: cannot write `{listed}`: {why}\n" in done.stderr
    assert secret.read_text() == text
