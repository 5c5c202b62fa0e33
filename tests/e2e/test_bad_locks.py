"""Bad locks of every format: refused with the entry's name, before anything is asked, built or left behind."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bad_locks import FAULTS, PDM, POETRY, PYLOCK, UV, Fault, from_path, with_lib_file_twice
from conftest import TESTDATA, Pyzpack
from locks import FORMATS, Entry, World
from wheels import make_wheel

NO, USAGE, MACHINE = 1, 2, 3
# Every refusal, whole: `UPDATE_BAD_LOCKS=1` writes it anew, to be read before it is committed.
REFUSALS = TESTDATA / "bad-locks.txt"


def known_refusals() -> dict[str, str]:
    parts = re.split(r"^== (.+)\n", REFUSALS.read_text(), flags=re.MULTILINE) if REFUSALS.exists() else [""]
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cases() -> Iterator[object]:
    for title, fault in FAULTS.items():
        for name in FORMATS:
            why = fault.impossible.get(name)
            marks = [pytest.mark.skip(reason=f"{name}: {why}")] if why else []
            yield pytest.param(title, fault, name, id=f"{title}-{name}", marks=marks)


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Of one length wherever pytest makes it: how much of a long message is left out depends on what it quotes."""
    padded = tmp_path / "p".ljust(119 - len(str(tmp_path)), "p")
    padded.mkdir()
    assert len(str(padded)) == 120
    return padded


def run(pyzpack: Pyzpack, world: World, *arguments: str | Path, **options) -> tuple[int, str]:
    """A build: its status and its whole message, in which the places of this test have names."""
    path = world.directory / "tool.pyz"
    options.setdefault("cwd", world.project)
    done = pyzpack.run("build", "--python", pyzpack.python, "-o", path, *arguments, **options)
    assert (done.stdout == "") == (done.returncode != 0)
    assert path.exists() == (done.returncode == 0)
    message = done.stderr
    for place, shown in [(world.project, "PROJECT"), (world.directory, "DIR"), (world.base, "BASE")]:
        message = message.replace(str(place), shown)
    return done.returncode, message


def assert_nothing_happened(pyzpack: Pyzpack, world: World) -> None:
    assert world.index.requests == []
    assert list(pyzpack.temporary.iterdir()) == []
    assert [path for path in pyzpack.cache.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("title", "fault", "name"), list(cases()))
def test_a_bad_lock_is_refused(pyzpack: Pyzpack, world: World, title: str, fault: Fault, name: str) -> None:
    lock = world.write(name)
    bad = fault.change(name, lock.read_text(), world)
    lock.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
    started = time.monotonic()
    status, message = run(pyzpack, world, "--lock", name)
    assert time.monotonic() - started < 60
    assert_nothing_happened(pyzpack, world)
    # pytest keeps what is left, and the garbage is large.
    lock.unlink()
    assert re.search(r"[^\n\x20-\x7e\u00e9]", message) is None
    found = f"status {status}\n{message}"
    if os.environ.get("UPDATE_BAD_LOCKS"):
        refusals = known_refusals() | {f"{title}, {name}": found}
        REFUSALS.write_text("".join(f"== {key}\n{text}" for key, text in refusals.items()))
    assert found == known_refusals()[f"{title}, {name}"]


def test_every_refusal_is_of_a_case() -> None:
    expected = {
        f"{title}, {name}" for title, fault in FAULTS.items() for name in FORMATS if name not in fault.impossible
    }
    assert set(known_refusals()) == expected
    assert {text.splitlines()[0] for text in known_refusals().values()} == {"status 1", "status 2"}


@pytest.mark.parametrize("name", FORMATS)
def test_the_honest_lock_builds(pyzpack: Pyzpack, world: World, name: str) -> None:
    status, message = run(pyzpack, world, "--lock", world.write(name))
    assert (status, message) == (0, "runs on: CPython 3.8 to 3.14, any platform\n")


@pytest.mark.parametrize("name", [PYLOCK, UV, POETRY, PDM])
def test_a_file_that_stands_twice_with_one_hash_is_one_file(pyzpack: Pyzpack, world: World, name: str) -> None:
    lock = world.write(name)
    lock.write_text(with_lib_file_twice(None)(name, lock.read_text(), world))
    assert run(pyzpack, world, "--lock", name)[0] == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_path_in_the_project_is_taken(pyzpack: Pyzpack, world: World, name: str) -> None:
    make_wheel(world.project / "shelf", "lib", "1.5", files={"lib.py": "name = 'lib 1.5'\n"}, requires=["fast>=1"])
    lock = world.write(name)
    lock.write_text(from_path("shelf/")(name, lock.read_text(), world))
    assert run(pyzpack, world, "--lock", name)[0] == 0
    assert [request for request in world.index.requests if "lib" in request] == []


@pytest.mark.parametrize("place", ["is not there", "directory", "pipe", "unreadable"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_file(pyzpack: Pyzpack, world: World, name: str, place: str) -> None:
    path, denied = world.project / name, "Permission denied (os error 13)"
    status, message = {
        "is not there": (USAGE, f"error: no such lock file: `PROJECT/{name}`\n"),
        "directory": (USAGE, f"error: the lock `PROJECT/{name}` is not a file\n"),
        "pipe": (USAGE, f"error: the lock `PROJECT/{name}` is not a file\n"),
        "unreadable": (MACHINE, f"error: cannot read the lock file `PROJECT/{name}`: {denied}\n"),
    }[place]
    wrapper: list[str | Path] = []
    if place == "directory":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    elif place == "unreadable":
        world.write(name).chmod(0)
        if os.geteuid() == 0:
            # Root reads everything but with this capability taken away.
            wrapper = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    assert run(pyzpack, world, "--lock", name, wrapper=wrapper, timeout=30) == (status, message)
    assert_nothing_happened(pyzpack, world)
    if place == "unreadable":
        path.chmod(stat.S_IRUSR)
        assert run(pyzpack, world, "--lock", name, wrapper=wrapper)[0] == 0


def test_a_device_that_never_ends(pyzpack: Pyzpack, world: World) -> None:
    (world.project / "pylock.toml").symlink_to("/dev/zero")
    message = "error: the lock `PROJECT/pylock.toml` is not a file\n"
    assert run(pyzpack, world, "--lock", "pylock.toml", timeout=30) == (USAGE, message)


@pytest.mark.parametrize("needed", ["lib", "fast"])
def test_a_circle_in_a_graph_ends(pyzpack: Pyzpack, world: World, needed: str) -> None:
    """uv.lock alone holds a graph; `lib` needs itself, or what needs it."""
    fast, foreign, lib = world.entries
    circle = [replace(fast, requires=("lib",)), foreign, replace(lib, requires=("fast", needed))]
    assert run(pyzpack, world, "--lock", world.write("uv.lock", circle))[0] == 0


@pytest.mark.parametrize("name", FORMATS)
def test_twenty_thousand_entries(pyzpack: Pyzpack, world: World, name: str) -> None:
    more = [
        Entry(f"x{i}", "1.0", [Path(f"x{i}-1.0-py3-none-any.whl")], "sys_platform == 'win32'", sha256=f"{i:064x}")
        for i in range(20_000)
    ]
    lock = world.write(name, [*world.entries, *more])
    started = time.monotonic()
    assert run(pyzpack, world, "--lock", lock, timeout=60)[0] == 0
    # Without debug assertions a twentieth of that.
    assert time.monotonic() - started < 40


def test_a_wheel_that_says_it_is_another(pyzpack: Pyzpack, world: World) -> None:
    """The name of the file is the lock's, its digest too: what is in it is not."""
    served = world.index.directory
    for name, version in [("evil", "1.5"), ("lib", "1.6")]:
        wheel = make_wheel(world.directory / "forged", name, version, files={"lib.py": "name = 'evil'\n"})
        (served / "lib-1.5-py3-none-any.whl").write_bytes(wheel.read_bytes())
        status, message = run(pyzpack, world, "--lock", world.write())
        assert status == NO
        assert message.splitlines()[0].startswith("error: refused wheel `lib-1.5-py3-none-any.whl`: "), message
        assert f"{name}-{version}.dist-info" in message
    make_wheel(served, "lib", "1.5", files={"lib.py": "name = 'lib 1.5'\n"}, requires=["fast>=1"])
    assert run(pyzpack, world, "--lock", world.write())[0] == 0


@pytest.mark.parametrize("url", ["ftp://host.example/simple", "javascript:alert(1)", "https:/host.example/simple"])
def test_an_index_that_nobody_can_ask(pyzpack: Pyzpack, world: World, url: str) -> None:
    world.write("poetry.lock")
    for option in ("--index-url", "--extra-index-url"):
        status, message = run(pyzpack, world, option, url)
        assert (status, message) == (
            USAGE,
            f"error: the index `{url}` is neither an http nor an https nor a file URL\n",
        )
    assert_nothing_happened(pyzpack, world)
    assert run(pyzpack, world, "--index-url", world.index.url)[0] == 0
