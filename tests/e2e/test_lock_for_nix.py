"""`pyzpack lock --format nix`: every lock as data for Nix, with build requirements, which a build takes too."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Pyzpack, manifest_of
from index import serve
from locks import FORMATS, World
from wheels import BACKENDS, make_sdist, make_wheel

NO, USAGE = 1, 2
# Without uv; the interpreter brings pip.
PIP_ONLY = {"PATH": "/usr/bin:/bin"}
HERE = (
    'implementation_name == "cpython" and python_version == "3.11" and sys_platform == "linux" and '
    f'platform_machine == "{os.uname().machine}"'
)


def write(pyzpack: Pyzpack, world: World, *arguments: str | Path, status: int = 0, **options):
    command = ["lock", "--format", "nix", "--python", pyzpack.python, *arguments]
    done = pyzpack.run(*command, cwd=world.project, **options)
    assert done.returncode == status, done.stdout + done.stderr
    assert "panicked" not in done.stderr
    assert not list(world.project.glob(".*.tmp"))
    return done


def refusal(pyzpack: Pyzpack, world: World, *arguments: str | Path, status: int = NO, **options) -> list[str]:
    """What is told of a run that must fail, the project called DIR."""
    done = write(pyzpack, world, *arguments, status=status, **options)
    assert done.stdout == ""
    return done.stderr.replace(f"{world.project}/", "DIR/").splitlines()


def build(pyzpack: Pyzpack, world: World, output: str, *arguments: str | Path, status: int = 0, **options):
    path = world.directory / output
    path.parent.mkdir(exist_ok=True)
    done = pyzpack.run("build", "--python", pyzpack.python, "-o", path, *arguments, cwd=world.project, **options)
    assert done.returncode == status, done.stdout + done.stderr
    return path if status == 0 else done.stderr.replace(f"{world.project}/", "DIR/").splitlines()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def locked_file(base: str, path: Path) -> dict[str, str]:
    return {"filename": path.name, "url": f"{base}/files/{path.name}", "sha256": sha256(path)}


def read(world: World, name: str = "uv.lock") -> dict:
    return json.loads((world.project / f"{name}.nix.json").read_text())


@pytest.fixture
def built(world: World) -> World:
    """The same, but both the project and `lib` are built with `helper`, which their backend alone asks for."""
    served = world.index.directory
    make_wheel(served, "helper", files={"helper.py": ""})
    lib = make_sdist(served, "lib", "1.5", backend="dynamic_backend")
    shutil.copy(BACKENDS / "dynamic_backend.py", world.project)
    pyproject = world.project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"plain_backend"', '"dynamic_backend"'))
    return replace(world, entries=[*world.entries[:2], replace(world.entries[2], files=[lib])])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_comes_with_urls(pyzpack: Pyzpack, world: World, name: str) -> None:
    lock = world.write(name)
    done = write(pyzpack, world, "--lock", lock, "--index-url", "http://127.0.0.1:1/")
    assert (done.stdout, done.stderr) == (f"{name}.nix.json: 3 distributions, 0 build requirements\n", "")
    path = world.project / f"{name}.nix.json"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o644
    written = read(world, name)
    assert json.dumps(written, indent=2, ensure_ascii=False) + "\n" == text
    assert written["lock"] == {"name": name, "sha256": sha256(lock)}
    packages = {package["name"]: package["source"] for package in written["packages"] if package["name"] != "tool"}
    ordered = sorted if name in ("Pipfile.lock", "locked.txt") else list
    files = {entry.name: [locked_file(world.base, path) for path in ordered(entry.files)] for entry in world.entries}
    assert packages == {name: {"type": "files", "files": listed} for name, listed in files.items()}
    assert written["builds"] == [{"name": "tool", "version": None, "requires": [], "packages": []}]
    asked = len(world.index.requests)
    done = write(pyzpack, world, "--lock", lock, "--check")
    assert (done.stdout, len(world.index.requests)) == (f"{name}.nix.json: up to date\n", asked)


def test_the_whole_document(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write("uv.lock")
    write(pyzpack, world)
    fast, foreign, lib = world.entries
    edge = {"to": 0, "extras": [], "marker": None}
    windows = {"to": 1, "extras": [], "marker": 'sys_platform == "win32"'}

    def package(entry, *dependencies):
        files = [locked_file(world.base, path) for path in [*entry.files]]
        return {
            "name": entry.name,
            "version": entry.version,
            "requires-python": None,
            "source": {"type": "files", "files": files},
            "dependencies": list(dependencies),
            "optional-dependencies": {},
        }

    direct = [windows, {**edge, "to": 2}]
    tool = {**package(replace(lib, name="tool", version="1.0"), *direct), "source": {"type": "directory", "path": "."}}
    expected = {
        "format": "pyzpack-nix-lock",
        "version": 1,
        "lock": {"name": "uv.lock", "sha256": sha256(lock)},
        "requires-python": ">=3.8",
        "environments": [],
        "extras": [],
        "groups": [],
        "default-groups": [],
        "conflicts": [],
        "project": 3,
        "roots": [{"of": {}, **edge} for edge in direct],
        "packages": [package(fast), package(foreign), package(lib, edge), tool],
        "builds": [{"name": "tool", "version": None, "requires": [], "packages": []}],
    }
    assert (world.project / "uv.lock.nix.json").read_text() == json.dumps(expected, indent=2) + "\n"


def test_the_bytes_are_the_same_anywhere(pyzpack: Pyzpack, built: World) -> None:
    built.write("poetry.lock")
    found = set()
    for directory, changes in [("a", {}), ("b/deeper", {"TZ": "Asia/Tokyo", "LC_ALL": "C"}), ("c", {"HOME": "/no"})]:
        elsewhere = replace(built, project=built.directory / directory)
        shutil.copytree(built.project, elsewhere.project)
        for _ in range(2):
            write(pyzpack, elsewhere, "--index-url", built.index.url, **changes)
            found.add((elsewhere.project / "poetry.lock.nix.json").read_bytes())
    assert len(found) == 1
    assert str(built.directory) not in found.pop().decode()


def test_build_requirements_are_chosen_for_every_platform(pyzpack: Pyzpack, built: World) -> None:
    built.write("uv.lock")
    done = write(pyzpack, built, "--index-url", built.index.url)
    assert (done.stdout, done.stderr) == ("uv.lock.nix.json: 3 distributions, 1 build requirement\n", "")
    helper = {
        "name": "helper",
        "version": "1.0",
        "requires-python": None,
        "source": {
            "type": "files",
            "files": [locked_file(built.base, built.index.directory / "helper-1.0-py3-none-any.whl")],
        },
        "dependencies": [],
        "optional-dependencies": {},
        "marker": None,
    }
    expected = [
        {"name": "lib", "version": "1.5", "requires": ["helper>=1"], "packages": [helper]},
        {"name": "tool", "version": None, "requires": ["helper>=1"], "packages": [helper]},
    ]
    assert read(built)["builds"] == expected
    done = write(pyzpack, built, "--index-url", built.index.url, **PIP_ONLY)
    assert done.stderr.startswith("warning: the build requirements are for CPython 3.11 on manylinux_")
    assert done.stderr.endswith(" alone: pip resolves for no other, and no uv is there that does\n")
    for one in expected:
        one["packages"] = [{**helper, "marker": HERE}]
    assert read(built)["builds"] == expected
    write(pyzpack, built, "--check")


def test_versions_of_build_requirements_stay_until_an_upgrade(pyzpack: Pyzpack, built: World) -> None:
    built.write("uv.lock")
    versions = []
    for arguments in ([], [], ["--upgrade"]):
        write(pyzpack, built, "--index-url", built.index.url, *arguments)
        versions.append({package["version"] for one in read(built)["builds"] for package in one["packages"]})
        make_wheel(built.index.directory, "helper", "1.1", files={"helper.py": ""})
    assert versions == [{"1.0"}, {"1.0"}, {"1.1"}]


@pytest.mark.parametrize("name", FORMATS)
def test_a_build_takes_build_requirements_from_beside_the_lock(pyzpack: Pyzpack, built: World, name: str) -> None:
    """With an index, from the cache, and from a directory without any network: the same file, and the same evidence."""
    built.write(name)
    index = ["--index-url", built.index.url]
    named = ["--lock", name] if name == "locked.txt" else []
    locked = ["--locked", "--evidence", "all", *named, *index]
    command = f"pyzpack lock --format nix{' --lock locked.txt' if named else ''}"
    assert build(pyzpack, built, "no.pyz", *locked, status=NO)[-1] == f"hint: run `{command}`, then build again"
    write(pyzpack, built, *named, *index)
    newer = make_wheel(built.index.directory, "helper", "2.0", files={"helper.py": "raise SystemExit('chosen anew')\n"})
    pyz = build(pyzpack, built, "one/tool.pyz", *locked)
    newer.unlink()
    shelf = built.directory / "shelf"
    shelf.mkdir()
    for entry in [*read(built, name)["packages"], *read(built, name)["builds"][0]["packages"]]:
        for file in entry["source"].get("files", []):
            shutil.copy(built.index.directory / file["filename"], shelf)
    shutil.rmtree(pyzpack.cache)
    other = build(
        pyzpack, built, "two/tool.pyz", *locked, "--offline", "--find-links", shelf, wrapper=["unshare", "-rn"]
    )
    files = {path.name: path.read_bytes() for path in pyz.parent.iterdir()}
    assert {path.name: path.read_bytes() for path in other.parent.iterdir()} == files
    assert len(files) == 6
    assert manifest_of(pyz)["recipe"]["lock"] == {"filename": name, "sha256": sha256(built.project / name)}


def test_a_document_of_another_state_of_the_lock_is_stale(pyzpack: Pyzpack, built: World) -> None:
    lock = built.write("uv.lock")
    index = ["--index-url", built.index.url]
    write(pyzpack, built, *index)
    before = sha256(lock)
    with lock.open("a") as file:
        file.write("# changed\n")
    expected = [
        f"error: `DIR/uv.lock.nix.json` is stale: `uv.lock` has changed since (its sha256 is {sha256(lock)}, "
        f"expected {before})",
        "hint: run `pyzpack lock --format nix`, then build again",
    ]
    assert build(pyzpack, built, "no.pyz", status=NO) == expected
    assert refusal(pyzpack, built, "--check") == expected
    plan = pyzpack.run("plan", "--python", pyzpack.python, cwd=built.project)
    assert (plan.returncode, plan.stderr.replace(f"{built.project}/", "DIR/").splitlines()) == (NO, expected)
    write(pyzpack, built, *index)
    build(pyzpack, built, "tool.pyz", "--locked")
    path = built.project / "uv.lock.nix.json"
    path.write_text(path.read_text().replace('"name": "uv.lock"', '"name": "poetry.lock"'))
    expected[0] = "error: `DIR/uv.lock.nix.json` is stale: it is of `poetry.lock`, not of `uv.lock`"
    assert build(pyzpack, built, "no.pyz", status=NO) == expected


def test_what_a_build_needs_is_checked_like_the_lock(pyzpack: Pyzpack, built: World) -> None:
    built.write("uv.lock")
    write(pyzpack, built, "--index-url", built.index.url)
    path = built.project / "uv.lock.nix.json"
    text = path.read_text()
    helper = sha256(built.index.directory / "helper-1.0-py3-none-any.whl")
    shutil.rmtree(pyzpack.cache)
    path.write_text(text.replace(helper, "0" * 64))
    told = build(pyzpack, built, "no.pyz", "--locked", status=NO)
    assert told[0].startswith("error: cannot build `")
    url = f"{built.base}/files/helper-1.0-py3-none-any.whl"
    assert f"expected sha256 {'0' * 64}, found {helper}" in "\n".join(told), told
    entry = "`DIR/uv.lock.nix.json`, the build of lib, helper 1.0: "
    for tampered, message in [
        (
            text.replace(url, "file:///etc/passwd"),
            f"error: {entry}`file:passwd` is written without credentials, query and fragment",
        ),
        (text.replace(f'"url": "{url}"', '"path": "../x.whl"'), f"error: {entry}`../x.whl` is outside of the project"),
        (
            text.replace('"helper-1.0-', '"evil-1.0-'),
            f"error: {entry}`evil-1.0-py3-none-any.whl` is of the name evil, expected helper",
        ),
        (text.replace('"helper>=1"', '"helper>=2"'), None),
        (
            text.replace('"version": 1,', '"version": 2,'),
            "error: `DIR/uv.lock.nix.json` has lock version 2, which is not known (known: 1)",
        ),
        (
            text[:-3],
            "error: `DIR/uv.lock.nix.json` cannot be read as a lock: it is not JSON: EOF while parsing",
        ),
        (
            text.replace('"builds":', '"lock": {}, "builds":'),
            "error: `DIR/uv.lock.nix.json` cannot be read as a lock: the key `lock` occurs twice in one object",
        ),
    ]:
        path.write_text(tampered)
        told = build(pyzpack, built, "tool.pyz", "--locked", status=NO if message else 0)
        assert message is None or told[0].startswith(message), told
    older = make_wheel(built.index.directory, "helper", "0.9", files={"helper.py": ""})
    text = text.replace("helper-1.0-", "helper-0.9-").replace(helper, sha256(older))
    old, new = (f'"name": "helper",\n          "version": "{version}"' for version in ("1.0", "0.9"))
    path.write_text(text.replace(old, new))
    first, second = build(pyzpack, built, "no.pyz", "--locked", status=NO)
    stale = "the lock is stale: the build needs `helper>=1`, the lock has helper 0.9"
    assert first in (f"error: cannot build `project`: {stale}", f"error: cannot build `lib-1.5.tar.gz`: {stale}")
    assert second == "hint: run `pyzpack lock --format nix`, then build again"


def test_check_tells_what_changed(pyzpack: Pyzpack, built: World) -> None:
    lock = built.write("poetry.lock")
    hint = "hint: run `pyzpack lock --format nix`, then build again"

    def check() -> str:
        first, second = refusal(pyzpack, built, "--check")
        assert second == hint
        return first.removeprefix("error: `DIR/poetry.lock.nix.json` is stale: ")

    assert check() == "it is not there"
    write(pyzpack, built, "--index-url", built.index.url)
    path = built.project / "poetry.lock.nix.json"
    text = path.read_text()
    fast = built.entries[0].files[0]
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if f'"filename": "{fast.name}"' in line) - 1
    for tampered, reason in [
        ("{}", "it cannot be read: missing field `format` at line 1 column 2"),
        (f" {text}", "it is not what `poetry.lock` gives"),
        (text.replace('"extras": []', '"extras": ["x"]', 1), "it is not what `poetry.lock` gives"),
        (text.replace(sha256(fast), "0" * 64), f"it lacks `{fast.name}`"),
        ("".join(lines[:start] + lines[start + 5 :]), f"it lacks `{fast.name}`"),
        (text[: text.index('  "builds"')] + '  "builds": []\n}\n', "it does not say what `lib` is built with"),
    ]:
        path.write_text(tampered)
        assert check() == reason
    path.write_text(text)
    pyproject = built.project / "pyproject.toml"
    before = pyproject.read_text()
    pyproject.write_text(before.replace("requires = []", 'requires = ["Helper >=0.5"]'))
    assert check() == "`tool` is now built with `helper>=0.5`"
    pyproject.write_text(before.replace('"lib"', '"lib>=1"'))
    first, second = refusal(pyzpack, built, "--check")
    assert first.startswith("error: `DIR/poetry.lock` is stale: `pyproject.toml` has changed since (content hash ")
    assert second == "hint: run `poetry lock`, then build again"
    assert refusal(pyzpack, built, "--index-url", built.index.url) == [first, second]
    pyproject.write_text(before)
    done = write(pyzpack, built, "--check", "--json")
    assert json.loads(done.stdout) == {"lock": "poetry.lock.nix.json", "up_to_date": True}
    assert sha256(lock) == read(built, "poetry.lock")["lock"]["sha256"]


@pytest.mark.parametrize("name", ["poetry.lock", "Pipfile.lock"])
def test_files_that_no_index_has_are_all_named(pyzpack: Pyzpack, world: World, name: str) -> None:
    world.write(name)
    path = world.project / f"{name}.nix.json"
    path.write_text("of an earlier run\n")
    fast, foreign, _ = world.entries
    missing = [fast.files[1], foreign.files[0]]
    digests = [sha256(file) for file in missing]
    kept = world.directory / "kept"
    kept.mkdir()
    for file in missing:
        file.rename(kept / file.name)
    if name == "poetry.lock":
        shown = f"`{missing[0].name}`, `{missing[1].name}`"
    else:
        shown = f"the file of fast 2.0 with sha256 {digests[0]}, the file of foreign 1.0 with sha256 {digests[1]}"
    nowhere = f"error: `DIR/{name}`: {shown} are nowhere: "
    assert refusal(pyzpack, world) == [
        nowhere + "no index that was asked has one with a hash that the lock allows",
        "hint: name the index that has them with --index-url or --extra-index-url, or lock again",
    ]
    for file in missing:
        (kept / file.name).rename(file)
    world.index.requests.clear()
    for closed in ["--offline", "--no-index"]:
        first, second = refusal(pyzpack, world, closed)
        assert first.endswith(" are nowhere: no index may be asked")
        assert second == (
            "hint: run it without --offline and --no-index, or name a directory of the project that has them with "
            "--find-links"
        )
    assert (world.index.requests, path.read_text()) == ([], "of an earlier run\n")
    shutil.copytree(world.index.directory, world.project / "wheels")
    write(pyzpack, world, "--offline", "--find-links", "wheels")
    listed = {file["path"] for package in read(world, name)["packages"] for file in package["source"]["files"]}
    assert listed == {f"wheels/{file.name}" for entry in world.entries for file in entry.files}
    write(pyzpack, world, "--check")
    (world.project / "wheels").rename(world.directory / "outside")
    assert refusal(pyzpack, world, "--offline", "--find-links", "../outside")[0].endswith("no index may be asked")


def test_an_index_without_hashes_is_asked_for_the_files(pyzpack: Pyzpack, world: World) -> None:
    world.write("Pipfile.lock")
    write(pyzpack, world)
    before = (world.project / "Pipfile.lock.nix.json").read_bytes()

    def without_hashes(handler, path: str, _turn: int) -> bool:
        if not path.startswith("/simple/"):
            return False
        page = handler.index.page(path.split("/")[2])
        bare = b"".join(part.split(b'"', 1)[0].split(b"#")[0] + b'">x</a>' for part in page.split(b'<a href="')[1:])
        handler.send(
            200, b'<a href="' + bare.replace(b'">x</a>', b'">x</a><a href="')[: -len(b'<a href="')], "text/html", True
        )
        return True

    world.index.instead = without_hashes
    world.index.requests.clear()
    write(pyzpack, world)
    assert (world.project / "Pipfile.lock.nix.json").read_bytes() == before
    fetched = {request.removeprefix("/files/") for request in world.index.requests if request.startswith("/files/")}
    assert fetched == {file.name for entry in world.entries for file in entry.files}


@pytest.mark.parametrize("name", ["uv.lock", "locked.txt"])
def test_no_credential_reaches_the_document(pyzpack: Pyzpack, world: World, name: str) -> None:
    with serve(world.index.directory, credential="user:s3cretword") as index:
        lock = world.write(name)
        login = f"user:s3cretword@127.0.0.1:{index.port}"
        lock.write_text(lock.read_text().replace(f"127.0.0.1:{world.index.port}", login))
        done = write(pyzpack, world, "-v", "--lock", lock, "--index-url", index.url)
        text = (world.project / f"{name}.nix.json").read_text()
        assert "s3cretword" not in text + done.stdout + done.stderr
        assert "@" not in text
        assert f'"url": "http://127.0.0.1:{index.port}/files/lib-1.5-py3-none-any.whl"' in text


def test_what_does_not_go_together(pyzpack: Pyzpack, world: World) -> None:
    world.write("uv.lock")
    for arguments, message in [
        (["--universal"], "`--format nix` and `--universal` exclude each other"),
        (["--extra", "x"], "`--format nix` and `--extra` exclude each other"),
        (["--group", "x"], "`--format nix` and `--group` exclude each other"),
        (["--lock", "absent.lock"], "`DIR/absent.lock` is no lock file that is known by its name"),
        (["--lock", "absent.txt"], "no such lock file: `DIR/absent.txt`"),
    ]:
        assert refusal(pyzpack, world, *arguments, status=USAGE)[0] == f"error: {message}"
    done = pyzpack.run("lock", "--lock", "uv.lock", cwd=world.project)
    assert (done.returncode, done.stderr) == (USAGE, "error: `--lock` goes with `--format nix` alone\n")
    (world.project / "uv.lock").unlink()
    for inputs, named in [
        ([], "`.`"),
        (["lib"], "`lib`"),
        (["lib @ https://u:p@h.example/lib-1.zip"], "`lib @ https://****@h.example/lib-1.zip`"),
    ]:
        assert refusal(pyzpack, world, *inputs, status=USAGE) == [
            f"error: there is no lock to write for Nix: nothing pins {named}",
            "hint: run `pyzpack lock`, or the tool that locks the project, or name a lock with `--lock FILE`",
        ]
    assert refusal(pyzpack, world, "-o", "uv.lock", status=USAGE)[0].startswith("error: there is no lock")


def test_another_place_and_a_report(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write("uv.lock")
    done = write(pyzpack, world, "-o", "../elsewhere.json", "--json")
    report = json.loads(done.stdout)
    written = world.directory / "elsewhere.json"
    assert not (world.project / "uv.lock.nix.json").exists()
    assert {key: report[key] for key in report if key not in ("stages", "seconds")} == {
        "output": "../elsewhere.json",
        "sha256": sha256(written),
        "lock": "uv.lock",
        "lock_sha256": sha256(lock),
        "distributions": 3,
        "build_requirements": 0,
        "builds": ["tool"],
        "warnings": [],
    }
    write(pyzpack, world, "-o", "../elsewhere.json", "--check")
    write(pyzpack, world)
    assert (world.project / "uv.lock.nix.json").read_bytes() == written.read_bytes()
    told = refusal(pyzpack, world, "-o", "uv.lock", status=USAGE)
    assert "uv.lock` is one of" in told[0] or "input" in told[0], told


def test_a_lock_of_pyzpack_keeps_its_own_build_requirements(pyzpack: Pyzpack, built: World) -> None:
    index = ["--index-url", built.index.url, "--python", pyzpack.python]
    done = pyzpack.run("lock", "--universal", *index, cwd=built.project)
    assert done.returncode == 0, done.stderr
    make_wheel(built.index.directory, "helper", "1.1", files={"helper.py": ""})
    built.index.requests.clear()
    write(pyzpack, built)
    assert built.index.requests == []
    builds = read(built, "pylock.toml")["builds"]
    assert [(one["name"], [package["version"] for package in one["packages"]]) for one in builds] == [("tool", ["1.0"])]
    write(pyzpack, built, "--check")
    # What the lock says itself, nothing beside it overrides.
    (built.project / "pylock.toml.nix.json").write_text("{}")
    build(pyzpack, built, "tool.pyz", "--locked")
