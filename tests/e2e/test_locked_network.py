"""Locked builds against servers that lie, stop or ask for a password; with caches that are full, shared, read-only."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Pyzpack, needs
from index import Handler
from locks import World

NO, MACHINE = 1, 3
LIB, FAST = "lib-1.5-py3-none-any.whl", "fast-2.0-py3-none-any.whl"
RUNS = "runs on: CPython 3.8 to 3.14, any platform\n"
PASSWORD = "s3cretword"
CHECK_NETWORK = "hint: check the network and the proxy\n"

Answer = Callable[[Handler, str, int], bool]


@pytest.fixture
def build(pyzpack: Pyzpack, world: World) -> Callable[..., tuple[int, str]]:
    """A build: its status and its whole message."""

    def run(lock: str, *arguments: str | Path, **options) -> tuple[int, str]:
        world.index.requests.clear()
        output = world.directory / "tool.pyz"
        output.unlink(missing_ok=True)
        done = pyzpack.run(
            *["build", "--lock", lock, "--python", pyzpack.python, "-o", output, *arguments],
            cwd=world.project,
            timeout=120,
            **options,
        )
        assert output.exists() == (done.returncode == 0), done.stderr
        assert list(pyzpack.temporary.iterdir()) == []
        message = done.stderr
        for place, shown in [(world.project, "PROJECT"), (world.directory, "DIR"), (world.base, "BASE")]:
            message = message.replace(str(place), shown)
        return done.returncode, message

    return run


def fetched(pyzpack: Pyzpack) -> list[str]:
    """The files in the cache that came from a server."""
    return sorted(path.name for path in (pyzpack.cache / "wheels").rglob("*") if path.is_file())


def status(code: int, **headers: str) -> Answer:
    def answer(handler: Handler, path: str, turn: int) -> bool:
        if LIB not in path:
            return False
        handler.send(code, b"", "text/plain", True, {name.capitalize(): value for name, value in headers.items()})
        return True

    return answer


def half_of_it(handler: Handler, path: str, turn: int) -> bool:
    if LIB not in path:
        return False
    data = (handler.index.directory / LIB).read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True
    return True


def other_bytes(handler: Handler, path: str, turn: int) -> bool:
    if "/files/lib" not in path:
        return False
    handler.send(200, b"not the wheel", "application/octet-stream", True)
    return True


def drip(handler: Handler, path: str, turn: int) -> bool:
    if "/files/" not in path:
        return False
    data = (handler.index.directory / path.removeprefix("/files/")).read_bytes()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    for start in range(0, len(data), 100):
        handler.wfile.write(data[start : start + 100])
        handler.wfile.flush()
        time.sleep(0.1)
    return True


FETCHING = f"error: cannot fetch `{LIB}` from BASE/files/{LIB}"
WITH_LOGIN = "hint: give credentials for this server, in the index URL or in a netrc file\n"


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (status(404), (NO, ": the server answered 404\n")),
        (status(401), (NO, f": the server answered 401\n{WITH_LOGIN}")),
        (status(302, location=f"/files/{LIB}"), (NO, f": it redirects in a circle, to BASE/files/{LIB}\n")),
        (
            status(302, location=f"../a/{LIB}?"),
            (NO, f": it redirects in a circle, to BASE/a/{LIB}\n"),
        ),
        (
            status(302, location="file:///etc/passwd"),
            (NO, ": it redirects to file:passwd, which is neither http nor https\n"),
        ),
        (status(301), (NO, ": it redirects, and does not say where\n")),
        (status(503, retry_after="0"), (MACHINE, f" (4 tries): the server answered 503\n{CHECK_NETWORK}")),
        (half_of_it, (MACHINE, f" (4 tries): Peer disconnected\n{CHECK_NETWORK}")),
    ],
    ids=["404", "401", "circle", "wider circle", "file", "nowhere", "503", "truncated"],
)
def test_a_server_that_does_not_give_it(
    build, pyzpack: Pyzpack, world: World, answer: Answer, refusal: tuple[int, str]
) -> None:
    world.write()
    world.index.instead = answer
    code, message = refusal
    assert build("pylock.toml") == (code, FETCHING + message)
    assert LIB not in fetched(pyzpack)
    world.index.instead = None
    assert build("pylock.toml") == (0, RUNS)


def test_a_server_that_comes_back(build, world: World) -> None:
    world.write()
    world.index.instead = lambda handler, path, turn: turn == 0 and status(503)(handler, path, turn)
    assert build("pylock.toml") == (0, RUNS)
    assert world.index.requests.count(f"/files/{LIB}") == 2


@pytest.mark.parametrize("name", ["pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "locked.txt"])
def test_other_bytes_are_not_kept(build, pyzpack: Pyzpack, world: World, name: str) -> None:
    world.write(name)
    world.index.instead = other_bytes
    lib = world.entries[2]
    found = hashlib.sha256(b"not the wheel").hexdigest()
    code, message = build(name)
    expected = (
        f"wrong hash of `{LIB}` from BASE/files/{LIB}: expected sha256 {lib.digest(lib.files[0])}, found {found}\n"
    )
    assert (code, message) == (NO, f"error: {expected}")
    assert [path for path in fetched(pyzpack) if path.startswith("lib")] == []


def test_an_index_that_lists_another_hash(build, world: World) -> None:
    """Where the lock names the file, its own hash counts; where it names hashes alone, no file is the one."""
    world.index.wrong_hash = True
    world.write("poetry.lock")
    assert build("poetry.lock") == (0, RUNS)
    shutil.rmtree(world.directory / "cache/wheels")
    world.write("locked.txt")
    assert build("locked.txt") == (
        NO,
        "error: `PROJECT/locked.txt`, fast 2.0, lib 1.5: no file of them lies in the directories of --find-links or in"
        " the cache, and no index that was asked has one with a hash that the lock allows\n"
        "hint: name the index that has it with --index-url, or lock again\n",
    )
    world.index.wrong_hash = False
    assert build("locked.txt") == (0, RUNS)


def test_a_listing_that_moves(build, world: World) -> None:
    """What was listed is gone when it is fetched; what is listed next is taken."""
    world.write("poetry.lock")
    gone = world.index.directory / LIB

    def move(handler: Handler, path: str, turn: int) -> bool:
        if path == f"/files/{LIB}":
            gone.rename(world.directory / LIB)
        return False

    world.index.instead = move
    assert build("poetry.lock") == (NO, f"{FETCHING}: the server answered 404\n")
    (world.directory / LIB).rename(gone)
    world.index.instead = None
    assert build("poetry.lock") == (0, RUNS)


@pytest.mark.parametrize("name", ["pylock.toml", "poetry.lock", "locked.txt"])
def test_offline_names_everything_that_is_missing(build, world: World, name: str) -> None:
    world.write(name)
    refusal = {
        "pylock.toml": f"error: cannot fetch `{FAST}` from BASE/files/{FAST}, `{LIB}` from BASE/files/{LIB}"
        " with --offline\n"
        "hint: build once without --offline, or name a directory that has it with --find-links\n"
    }.get(
        name,
        f"error: `PROJECT/{name}`, fast 2.0, lib 1.5: no file of them lies in the directories of --find-links or in the"
        " cache, and no index may be asked\n"
        "hint: build once without --offline and --no-index, or name a directory with --find-links\n",
    )
    assert build(name, "--offline") == (NO, refusal)
    assert world.index.requests == []
    assert build(name) == (0, RUNS)
    assert build(name, "--offline") == (0, RUNS)
    assert world.index.requests == []


def test_no_index_asks_none_and_fetches_what_the_lock_places(build, world: World) -> None:
    world.write("poetry.lock")
    assert build("poetry.lock", "--no-index")[0] == NO
    assert world.index.requests == []
    world.write()
    assert build("pylock.toml", "--no-index") == (0, RUNS)
    assert sorted(world.index.requests) == [f"/files/{FAST}", f"/files/{LIB}"]
    assert build("poetry.lock", "--no-index") == (0, RUNS)


@pytest.mark.parametrize("way", ["lock", "netrc", "option", "variable", "nothing", "wrong"])
@pytest.mark.parametrize("name", ["pylock.toml", "locked.txt", "Pipfile.lock"])
def test_credentials_open_and_stay_secret(build, pyzpack: Pyzpack, world: World, name: str, way: str) -> None:
    world.index.credential = f"user:{PASSWORD}"
    lock = world.write(name)
    text = lock.read_text()
    assert PASSWORD in text
    bare = text.replace(f"user:{PASSWORD}@", "")
    lock.write_text({"lock": text, "wrong": text.replace(PASSWORD, "wr0ngword")}.get(way, bare))
    arguments, changes = [], {}
    if way == "netrc":
        changes["NETRC"] = world.directory / "netrc"
        changes["NETRC"].write_text(f"machine 127.0.0.1 login user password {PASSWORD}\n")
    if way == "variable":
        changes["PIP_INDEX_URL"] = world.index.url
    if way == "option":
        arguments = ["--index-url", world.index.url]
    code, message = build(name, "-v", *arguments, **changes)
    assert code == (NO if way in ("nothing", "wrong") else 0), message
    assert PASSWORD not in message
    assert "wr0ngword" not in message
    written = [pyzpack.cache, world.directory / "tool.pyz", world.directory / "SHA256SUMS"]
    files = [file for path in written for file in ([path] if path.is_file() else path.rglob("*"))]
    assert [file for file in files if PASSWORD in file.name] == []
    assert [file for file in files if file.is_file() and PASSWORD.encode() in file.read_bytes()] == []


UNPRIVILEGED = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]


def test_a_cache_that_cannot_be_written(build, pyzpack: Pyzpack, world: World) -> None:
    needs("setpriv")
    world.write()
    pyzpack.cache.chmod(0o500)
    code, message = build("pylock.toml", wrapper=UNPRIVILEGED)
    pyzpack.cache.chmod(0o700)
    assert code == MACHINE
    assert message.startswith("error: cannot write `DIR/cache/")
    assert message.endswith(
        ": Permission denied (os error 13)\nhint: name a directory that is writable and has room with PYZPACK_CACHE\n"
    )
    assert build("pylock.toml") == (0, RUNS)
    for path in [pyzpack.cache, *pyzpack.cache.rglob("*")]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    # What it holds is enough.
    assert build("pylock.toml", wrapper=UNPRIVILEGED) == (0, RUNS)
    for path in [pyzpack.cache, *pyzpack.cache.rglob("*")]:
        path.chmod(0o700)


def test_a_cache_without_room(build, pyzpack: Pyzpack, world: World) -> None:
    needs("unshare")
    world.write()
    full = world.directory / "full"
    full.mkdir()
    fill = (
        f'mount -t tmpfs -o size=16k,mode=700 none {full} && dd if=/dev/zero of={full}/x bs=1k 2>/dev/null; exec "$@"'
    )
    code, message = build("pylock.toml", wrapper=["unshare", "-rm", "sh", "-c", fill, "sh"], PYZPACK_CACHE=full)
    assert code == MACHINE, message
    assert message.startswith("error: cannot write `DIR/full/wheels/")
    assert message.endswith(
        ": No space left on device (os error 28)\n"
        "hint: name a directory that is writable and has room with PYZPACK_CACHE\n"
    )
    assert build("pylock.toml") == (0, RUNS)


def test_builds_at_once_share_a_cold_cache(pyzpack: Pyzpack, world: World) -> None:
    world.write()
    world.index.instead = drip
    outputs = [world.directory / f"tool{number}.pyz" for number in range(4)]
    started = [
        subprocess.Popen(
            pyzpack.command("build", "--lock", "pylock.toml", "--python", pyzpack.python, "-o", output),
            env=pyzpack.environment(),
            cwd=world.project,
            stderr=subprocess.PIPE,
            text=True,
        )
        for output in outputs
    ]
    assert [(process.communicate()[1], process.returncode) for process in started] == [(RUNS, 0)] * 4
    assert len({output.read_bytes() for output in outputs}) == 1
    assert fetched(pyzpack) == [FAST, LIB]


def test_what_a_killed_build_left_is_used_and_cleared(build, pyzpack: Pyzpack, world: World) -> None:
    world.write()
    world.index.instead = drip
    arguments = ["build", "--lock", "pylock.toml", "--python", pyzpack.python, "-o", world.directory / "tool.pyz"]
    process = subprocess.Popen(pyzpack.command(*arguments), env=pyzpack.environment(), cwd=world.project)
    until = time.monotonic() + 60
    while not [name for name in fetched(pyzpack) if name.endswith(".part")] and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (world.directory / "tool.pyz").exists()
    assert not {LIB, FAST} & set(fetched(pyzpack))
    world.index.instead = None
    assert build("pylock.toml") == (0, RUNS)
    assert fetched(pyzpack) == [FAST, LIB]
