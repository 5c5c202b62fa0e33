"""What the file is, told by other tools: an independent parser, Python's zip modules, unzip, bsdtar, 7z, sha256sum."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import PYTHONS, Pyzpack, needs
from wheels import make_wheel
from zipformat import STORED, Archive, NotFormat1, dos_moment, read_archive, rewrite

FILES = {
    "greeter/__init__.py": "def main():\n    print('hello')\n",
    "greeter/empty.py": "",
    "greeter/data/größe.txt": "non-ASCII name\n" * 50,
    "greeter/data/table.csv": "a,b\n" * 4000,
    "greeter/tool.sh": "#!/bin/sh\nexit 0\n",
    "spaces/inner/__init__.py": "",
    "spaces/inner/one.py": "ONE = 1\n",
}


@pytest.fixture(params=["zip", "extract"])
def built(request: pytest.FixtureRequest, pyzpack: Pyzpack, tmp_path: Path) -> Path:
    wheel = make_wheel(
        tmp_path, "greeter", files=FILES, scripts={"greet": "greeter:main"}, executables={"greeter/tool.sh"}
    )
    return pyzpack.build(wheel, "--layout", request.param, output=tmp_path / "out/greet.pyz")


@pytest.fixture(autouse=True)
def _output_directory(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()


def payloads(archive: Archive) -> list[Archive]:
    names = [name for name in archive.entries if name.startswith("_pyzpack/payload") and name.endswith(".zip")]
    return [read_archive(archive.content(name), shebang=False) for name in sorted(names)]


def installed_files(archive: Archive) -> dict[str, tuple[bytes, int]]:
    """Everything but directories, payloads descended: {path: (data, mode)}."""
    return {
        entry.name: (entry.data, entry.mode)
        for part in [archive, *payloads(archive)]
        for entry in part.entries.values()
        if not entry.is_directory
    }


def test_is_format_1_to_an_independent_parser(built: Path):
    archive = read_archive(built.read_bytes())
    assert archive.shebang == b"#!/usr/bin/env python3\n"
    assert archive.moments == {dos_moment(1980, 1, 1)}
    assert "__main__.py" in archive.entries
    for part in payloads(archive):
        assert part.moments == {dos_moment(1980, 1, 1)}


def test_its_own_mode_is_0755(built: Path):
    assert built.stat().st_mode & 0o7777 == 0o755


def test_payload_is_stored_and_generated_entries_never_grow(built: Path):
    for entry in read_archive(built.read_bytes()).entries.values():
        if entry.name.startswith("_pyzpack/payload"):
            assert entry.method == STORED, entry.name
        elif entry.method != STORED and entry.name.startswith(("__main__.py", "_pyzpack/")):
            assert entry.compressed_size < len(entry.data), entry.name


def test_directory_entries_stand_where_zipimport_needs_them(built: Path):
    archive = read_archive(built.read_bytes())
    directories = {entry.name for entry in archive.entries.values() if entry.is_directory}
    if payloads(archive):
        assert directories == set()
        assert all(not entry.is_directory for part in payloads(archive) for entry in part.entries.values())
    else:
        # `spaces` is a namespace package, `greeter/data` a data directory; packages of their own need none.
        assert {"greeter/data/", "spaces/"} <= directories
        assert not {"greeter/", "spaces/inner/"} & directories


def test_files_keep_their_bytes_and_executable_bits(built: Path):
    found = installed_files(read_archive(built.read_bytes()))
    for name, text in FILES.items():
        assert found[name] == (text.encode(), 0o755 if name.endswith(".sh") else 0o644), name


def test_manifest_is_canonical_json(built: Path):
    raw = read_archive(built.read_bytes()).content("_pyzpack/manifest.json")
    again = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert raw == again
    assert json.loads(raw)["format"] == 1


def test_manifest_lists_every_file_truly(built: Path):
    archive = read_archive(built.read_bytes())
    manifest = json.loads(archive.content("_pyzpack/manifest.json"))
    found = installed_files(archive)
    listed = {file["path"]: file for file in manifest["files"]}
    assert [file["path"] for file in manifest["files"]] == sorted(listed, key=str.encode)
    generated = {name for name in found.keys() - listed.keys() if not name.startswith("_pyzpack/")}
    assert generated <= {"__main__.py"}
    for path, file in listed.items():
        data, mode = found[path]
        stated = file["mode"] if isinstance(file["mode"], int) else int(file["mode"], 8)
        assert (file["sha256"], file["size"], stated & 0o7777) == (hashlib.sha256(data).hexdigest(), len(data), mode)


def test_records_are_true_for_the_archive(built: Path):
    found = installed_files(read_archive(built.read_bytes()))
    record = found["greeter-1.0.dist-info/RECORD"][0].decode()
    paths = {line.split(",")[0] for line in record.splitlines()}
    assert paths == {name for name in found if name.startswith(("greeter", "spaces"))}


def test_sha256sum_accepts_the_checksum_file(built: Path):
    done = subprocess.run(["sha256sum", "-c", f"{built.name}.sha256"], cwd=built.parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{built.name}: OK\n"), done.stderr


def test_zipfile_sees_the_same(built: Path):
    archive = read_archive(built.read_bytes())
    with zipfile.ZipFile(built) as other:
        assert other.namelist() == list(archive.entries)
        assert other.testzip() is None
        assert {name: other.read(name) for name in other.namelist()} == {
            name: entry.data for name, entry in archive.entries.items()
        }


@pytest.mark.parametrize("version", PYTHONS, ids=lambda version: f"{version[0]}.{version[1]}")
def test_zipimport_sees_the_same(built: Path, version: tuple[int, int]):
    probe = (
        "import sys, zipimport; importer = zipimport.zipimporter(sys.argv[1])\n"
        "sys.stdout.buffer.write(importer.get_data(sys.argv[2]))"
    )
    for name, entry in read_archive(built.read_bytes()).entries.items():
        if entry.is_directory or len(entry.data) > 1 << 20:
            continue
        done = subprocess.run([PYTHONS[version], "-c", probe, built, name], capture_output=True, check=True)
        assert done.stdout == entry.data, name


def test_unzip_is_silent(built: Path):
    done = subprocess.run([needs("unzip"), "-tqq", built], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bsdtar_lists_the_same(built: Path):
    done = subprocess.run(
        [needs("bsdtar"), "-tf", built], capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"}, check=True
    )
    assert done.stdout.splitlines() == list(read_archive(built.read_bytes()).entries)
    assert done.stderr == ""


def test_7z_lists_the_same(built: Path):
    seven = needs("7z", "7zz")
    subprocess.run([seven, "t", "-tzip", built], capture_output=True, check=True)
    listing = subprocess.run(
        [seven, "l", "-tzip", "-slt", "-ba", "-sccUTF-8", built], capture_output=True, text=True, check=True
    ).stdout
    names = {line.removeprefix("Path = ") for line in listing.splitlines() if line.startswith("Path = ")}
    assert names == {name.rstrip("/") for name in read_archive(built.read_bytes()).entries}


@pytest.mark.parametrize(
    ("offset_from_end", "rule"),
    [(-1, "no comment"), (-14, "counts agree"), (-22, "end record")],
)
def test_the_parser_refuses_a_tampered_end_record(built: Path, offset_from_end: int, rule: str):
    raw = bytearray(built.read_bytes())
    raw[offset_from_end] ^= 1
    with pytest.raises(NotFormat1, match=rule):
        read_archive(bytes(raw))


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        (4, "made by"),
        (6, "version needed"),
        (8, "flags"),
        (12, "headers agree"),
        (16, "CRC|agree"),
        (30, "no extra field|sorted|signature"),
        (36, "internal attributes"),
        (40, "attributes"),
        (42, "gap or overlap"),
    ],
)
def test_the_parser_refuses_a_tampered_central_header(built: Path, field: int, rule: str):
    raw = bytearray(built.read_bytes())
    start = int.from_bytes(raw[-6:-2], "little")
    raw[start + field] ^= 1 if field != 42 else 4
    with pytest.raises(NotFormat1, match=rule):
        read_archive(bytes(raw))


def test_the_parser_refuses_bytes_before_and_after(built: Path):
    raw = built.read_bytes()
    with pytest.raises(NotFormat1):
        read_archive(raw + b"\0")
    shebang, newline, rest = raw.partition(b"\n")
    with pytest.raises(NotFormat1):
        read_archive(shebang + newline + b"\0" + rest)


def test_the_parser_takes_what_it_wrote_itself(built: Path):
    archive = read_archive(built.read_bytes())
    assert read_archive(rewrite(archive)).entries.keys() == archive.entries.keys()


@pytest.mark.parametrize(
    ("epoch", "moment"),
    [
        ("0", dos_moment(1980, 1, 1)),
        ("315532800", dos_moment(1980, 1, 1)),
        ("1709210097", dos_moment(2024, 2, 29, 12, 34, 56)),
        ("4354819200", dos_moment(2107, 12, 31, 23, 59, 58)),
    ],
)
def test_epoch_is_utc_floored_capped_and_even(pyzpack: Pyzpack, tmp_path: Path, epoch: str, moment: tuple[int, int]):
    wheel = make_wheel(tmp_path, "greeter", files=FILES, scripts={"greet": "greeter:main"})
    built = pyzpack.build(wheel, output=tmp_path / "out/greet.pyz", SOURCE_DATE_EPOCH=epoch, TZ="Pacific/Kiritimati")
    assert read_archive(built.read_bytes()).moments == {moment}


def test_shebang_is_the_given_line(pyzpack: Pyzpack, tmp_path: Path):
    wheel = make_wheel(tmp_path, "greeter", files=FILES, scripts={"greet": "greeter:main"})
    built = pyzpack.build(wheel, "--shebang", "/usr/bin/python3 -sE", output=tmp_path / "out/greet.pyz")
    assert read_archive(built.read_bytes()).shebang == b"#!/usr/bin/python3 -sE\n"


def test_recompress_and_store_hold_the_same_files(pyzpack: Pyzpack, tmp_path: Path):
    wheel = make_wheel(tmp_path, "greeter", files=FILES, scripts={"greet": "greeter:main"})

    def build(name: str, *options: str) -> Archive:
        return read_archive(pyzpack.build(wheel, *options, output=tmp_path / f"out/{name}.pyz").read_bytes())

    def distributed(archive: Archive) -> dict[str, tuple[bytes, int]]:
        return {path: file for path, file in installed_files(archive).items() if path.startswith(("greeter", "spaces"))}

    plain, stored = build("plain"), build("stored", "--compression", "store")
    assert distributed(build("recompressed", "--recompress")) == distributed(plain) == distributed(stored)
    assert {entry.method for part in [stored, *payloads(stored)] for entry in part.entries.values()} == {STORED}
