"""Locked builds: every format, neither uv nor pip, the same bytes wherever the files come from, clear refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Pyzpack, manifest_of, needs
from locks import FORMATS, Entry, World
from wheels import make_sdist, make_wheel


def build(pyzpack: Pyzpack, world: World, *arguments: str | Path, output: str = "tool.pyz", **options) -> Path:
    path = world.directory / output
    done = pyzpack.run("build", "--python", pyzpack.python, "-o", path, *arguments, cwd=world.project, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


def run(pyzpack: Pyzpack, pyz: Path) -> str:
    return subprocess.check_output([pyzpack.python, pyz], text=True, env=pyzpack.environment())


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_packs_what_it_names(pyzpack: Pyzpack, world: World, name: str) -> None:
    lock = world.write(name)
    pyz = build(pyzpack, world, "--lock", lock)
    assert run(pyzpack, pyz) == "lib 1.5 fast 2.0\n"
    manifest = manifest_of(pyz)
    found = [(wheel["filename"], wheel["sha256"], wheel["origin"]) for wheel in manifest["wheels"]]
    fast, _, lib = world.entries
    locked = [(entry.files[0].name, entry.digest(entry.files[0]), "locked") for entry in (fast, lib)]
    assert found[:2] == locked
    assert [(filename, origin) for filename, _, origin in found[2:]] == [("tool-1.0-py3-none-any.whl", "built")]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    assert manifest["recipe"]["lock"] == {"filename": name, "sha256": digest}


def test_neither_uv_nor_pip_runs(pyzpack: Pyzpack, world: World) -> None:
    world.write()
    trace = world.directory / "trace"
    build(
        pyzpack,
        world,
        "--lock",
        "pylock.toml",
        wrapper=[needs("strace"), "-f", "-qq", "-e", "trace=execve", "-o", trace],
    )
    started = [line for line in trace.read_text().splitlines() if "execve(" in line]
    assert started
    assert not [line for line in started if '/uv"' in line or '"pip' in line or "/pip" in line]


def test_bytes_do_not_depend_on_where_the_files_were(pyzpack: Pyzpack, world: World) -> None:
    world.write()
    found = {}
    found["cold cache"] = build(pyzpack, world, "--lock", "pylock.toml").read_bytes()
    found["cache, offline"] = build(pyzpack, world, "--lock", "pylock.toml", "--offline").read_bytes()
    shutil.rmtree(pyzpack.cache)
    shelf = ["--find-links", world.index.directory, "--offline", "--no-index"]
    found["find-links"] = build(pyzpack, world, "--lock", "pylock.toml", *shelf).read_bytes()
    elsewhere = world.directory / "a" / "much-longer-name" / "project"
    shutil.copytree(world.project, elsewhere)
    moved = replace(world, project=elsewhere)
    found["another directory"] = build(
        pyzpack, moved, "--lock", elsewhere / "pylock.toml", TZ="Asia/Tokyo", LC_ALL="C", umask=None
    ).read_bytes()
    inputs = [".", *[path for entry in world.entries[::2] for path in entry.files[:1]]]
    found["as inputs"] = build(pyzpack, world, *inputs[:1], "--lock", "pylock.toml", *shelf).read_bytes()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    assert len(set(digests.values())) == 1, digests


def test_a_wheel_at_hand_that_the_lock_does_not_hold_is_packed_anew(pyzpack: Pyzpack, world: World) -> None:
    """Two builds of one wheel, deflated otherwise, are the same file once packed."""
    import zipfile

    wheel = world.index.directory / "lib-1.5-py3-none-any.whl"
    stored = world.directory / "stored" / wheel.name
    stored.parent.mkdir()
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(stored, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            entry.compress_type = zipfile.ZIP_STORED
            target.writestr(entry, data)
    without = [entry for entry in world.entries if entry.name != "lib"]
    world.write(entries=without)
    payloads = []
    for path in (wheel, stored):
        pyz = build(pyzpack, world, ".", path, "--lock", "pylock.toml", "--layout", "zip", "-c", "tool")
        manifest = manifest_of(pyz)
        lib = next(one for one in manifest["wheels"] if one["name"] == "lib")
        assert lib["origin"] == "local"
        with zipfile.ZipFile(pyz) as archive:
            payloads.append(
                [(entry.CRC, entry.compress_size) for entry in archive.infolist() if "lib" in entry.filename]
            )
    assert payloads[0] == payloads[1]


def refuse(pyzpack: Pyzpack, world: World, *arguments: str | Path, status: int = 1) -> str:
    """A build that must fail before any file was fetched; gives its message."""
    path = world.directory / "refused.pyz"
    done = pyzpack.run("build", "--python", pyzpack.python, "-o", path, *arguments, cwd=world.project)
    assert done.returncode == status, done.stdout + done.stderr
    assert [request for request in world.index.requests if request.endswith((".whl", ".gz"))] == []
    assert not path.exists()
    return done.stderr


def test_a_wrong_hash_names_file_expected_found_and_source(pyzpack: Pyzpack, world: World) -> None:
    fast, foreign, lib = world.entries
    true = lib.digest(lib.files[0])
    world.write(entries=[fast, foreign, replace(lib, sha256="0" * 64)])
    path = world.directory / "refused.pyz"
    done = pyzpack.run("build", "--lock", "pylock.toml", "--python", pyzpack.python, "-o", path, cwd=world.project)
    assert done.returncode == 1
    for part in (lib.files[0].name, "0" * 64, true, f"{world.base}/files/{lib.files[0].name}"):
        assert part in done.stderr
    assert not path.exists()
    kept = [file.name for file in pyzpack.cache.rglob("lib-*")]
    assert kept == []


def test_an_entry_without_a_hash_is_refused_before_anything_is_fetched(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write()
    text = lock.read_text()
    lock.write_text(text.replace('hashes = { sha256 = "', 'hashes = { md5 = "'))
    message = refuse(pyzpack, world, "--lock", "pylock.toml")
    assert message.splitlines()[0].endswith(
        "pylock.toml`, fast 2.0: `fast-2.0-py3-none-any.whl` has no sha256 hash, only md5"
    )


def test_a_lock_that_lacks_what_the_project_requires_is_stale(pyzpack: Pyzpack, world: World) -> None:
    world.write(entries=world.entries[:2])
    message = refuse(pyzpack, world, "--lock", "pylock.toml")
    assert message.splitlines() == [
        f"error: `{world.project}/pylock.toml` is stale: pyproject.toml requires `lib`, and it has no entry of that"
        " name for this target",
        "hint: run `pyzpack lock`, then build again",
    ]
    assert world.index.requests == []


def test_locked_refuses_what_nothing_pins(pyzpack: Pyzpack, world: World) -> None:
    message = refuse(pyzpack, world, "--locked", "--index-url", world.index.url)
    assert message.splitlines() == [
        "error: --locked needs a lock, and there is none: no hash pins `lib`, `foreign; sys_platform == 'win32'`",
        "hint: run `pyzpack lock`, then build again",
    ]
    assert world.index.requests == []
    world.write()
    build(pyzpack, world, "--locked", "--lock", "pylock.toml")


def test_what_a_lock_overrides_is_told_and_still_runs(pyzpack: Pyzpack, world: World) -> None:
    served = world.index.directory
    lib = make_wheel(served, "lib", "1.6", files={"lib.py": "name = 'lib 1.6'\n"}, requires=["fast>=9", "gone"])
    world.write(entries=[*world.entries[:2], Entry("lib", "1.6", [lib])])
    path = world.directory / "tool.pyz"
    done = pyzpack.run("build", "--lock", "pylock.toml", "--python", pyzpack.python, "-o", path, cwd=world.project)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("warning:")] == [
        "warning: `pylock.toml` overrides the requirement `fast>=9` of `lib`",
        "warning: `pylock.toml` overrides the requirement `gone` of `lib`",
    ]
    assert run(pyzpack, path) == "lib 1.6 fast 2.0\n"
    assert "3.12" in manifest_of(path)["pythons"]


def test_a_wheel_built_beforehand_gives_the_same_bytes(pyzpack: Pyzpack, world: World) -> None:
    sdist = make_sdist(world.index.directory, "fast", "2.0")
    world.write(entries=[Entry("fast", "2.0", [sdist]), *world.entries[1:]])
    built = build(pyzpack, world, "--lock", "pylock.toml").read_bytes()
    shelf = world.directory / "shelf"
    make_wheel(shelf, "lib", "1.5", files={"lib.py": "name = 'lib 1.5'\n"}, requires=["fast>=1"])
    # As another builder would: the same files, in a zip of its own.
    room = world.directory / "room"
    room.mkdir()
    with tarfile.open(sdist) as archive:
        archive.extractall(room)
    program = "import plain_backend; plain_backend.build_wheel(__import__('sys').argv[1])"
    subprocess.run([pyzpack.python, "-c", program, shelf], cwd=room / "fast-2.0", check=True)
    shelves = ["--find-links", shelf, "--no-index", "--offline"]
    again = build(pyzpack, world, "--lock", "pylock.toml", *shelves, output="again.pyz")
    fast = next(one for one in manifest_of(again)["wheels"] if one["name"] == "fast")
    assert (fast["origin"], fast["source"]["uri"]) == ("built", "fast-2.0.tar.gz")
    assert again.read_bytes() == built


def test_plan_tells_every_entry_and_fetches_nothing(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write()
    done = pyzpack.run("plan", "--lock", "pylock.toml", "--json", "--python", pyzpack.python, cwd=world.project)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [phase["name"] for phase in report["phases"]] == ["setup", "resolve", "fetch", "build", "pack", "start"]
    assert report["lock"] == {
        "filename": "pylock.toml",
        "sha256": hashlib.sha256(lock.read_bytes()).hexdigest(),
        "why": "named with --lock",
    }
    assert [(one["name"], one["from"], one["step"]) for one in report["locked"]] == [
        ("fast", "fast-2.0-py3-none-any.whl", "fetch"),
        ("lib", "lib-1.5-py3-none-any.whl", "fetch"),
    ]
    assert world.index.requests == []


def test_another_target_is_chosen_without_its_python(pyzpack: Pyzpack, world: World) -> None:
    served = world.index.directory
    native = [
        make_wheel(served, "fast", "2.0", files={"fast.py": f"# {tag}\n"}, tag=tag)
        for tag in ("cp313-cp313-manylinux_2_28_aarch64", "cp313-cp313-win_amd64", "cp312-cp312-manylinux_2_28_aarch64")
    ]
    world.write(entries=[replace(world.entries[0], files=native), *world.entries[1:]])
    target = ["--target-python", "3.13", "--platform"]
    pyz = build(pyzpack, world, "--lock", "pylock.toml", *target, "manylinux_2_31_aarch64")
    assert manifest_of(pyz)["wheels"][0]["filename"] == native[0].name
    pyz = build(pyzpack, world, "--lock", "pylock.toml", *target, "win_amd64")
    names = [wheel["filename"] for wheel in manifest_of(pyz)["wheels"]]
    assert names[:2] == [native[1].name, "foreign-1.0-py3-none-any.whl"]


def test_a_build_set_that_does_not_fit_counts_where_it_is_needed(pyzpack: Pyzpack, world: World) -> None:
    served = world.index.directory
    helper = make_wheel(served, "helper", "1.0", files={"helper.py": ""}, tag="cp313-cp313-win_amd64")
    digest = hashlib.sha256(helper.read_bytes()).hexdigest()

    def write(name: str) -> None:
        lock = world.write()
        lock.write_text(
            f"{lock.read_text()}\n[tool.pyzpack]\nlock-version = 1\n[[tool.pyzpack.builds]]\n"
            f'name = "{name}"\nrequires = ["helper"]\npackages = [{{ name = "helper", version = "1.0" }}]\n'
            '[[tool.pyzpack.build-packages]]\nname = "helper"\nversion = "1.0"\n'
            f'wheels = [{{ url = "{world.base}/files/{helper.name}", hashes = {{ sha256 = "{digest}" }} }}]\n'
        )

    write("foreign")
    build(pyzpack, world, "--lock", "pylock.toml")
    write("tool")
    world.index.requests.clear()
    message = refuse(pyzpack, world, "--lock", "pylock.toml").splitlines()[0]
    assert message.startswith(f"error: `{world.project}/pylock.toml`, helper 1.0: no wheel fits ")
    assert message.endswith(f", and there is no source distribution; there are {helper.name}")
