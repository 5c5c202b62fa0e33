"""`pyzpack normalize`: however members were packed, the same bytes come out, and what was packed works as before."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import py_compile
import shutil
import stat
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TOOLS, Pyzpack, clean_environment, needs
from wheels import make_project, make_wheel
from zipformat import read_archive
from zips import EXECUTABLE, FILES, LINE, contents, make, put


def backwards(path: Path) -> None:
    make(path, dict(reversed(FILES.items())), method=zipfile.ZIP_STORED, time=(1999, 12, 31, 23, 59, 58))


def decorated(path: Path) -> None:
    extra = struct.pack("<HHBL", 0x5455, 5, 1, 1234567890) + struct.pack("<HHBBLBL", 0x7875, 11, 1, 4, 1000, 4, 1000)
    make(path, level=1, comment=b"made by hand", extra=extra)


def commented(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            put(archive, name, data, comment=b"a comment", level=9)


def other_modes(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in FILES.items():
            put(archive, name, data, mode=0o4711 if name == EXECUTABLE else 0o2666)


def on_windows(path: Path) -> None:
    make(path, system=0)


class Pipe(io.RawIOBase):
    """A file that cannot be sought, so that sizes come behind the data."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        return self.file.write(data)

    def close(self) -> None:
        self.file.close()
        super().close()


def streamed(path: Path) -> None:
    with Pipe(path) as pipe, zipfile.ZipFile(pipe, "w") as archive:
        for name, data in FILES.items():
            put(archive, name, data)


def wide(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if name == EXECUTABLE else 0o100644) << 16
            with archive.open(entry, "w", force_zip64=True) as file:
                file.write(data)


def by_command(*command: str, umask: int = 0o022, **environment: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        tree = path.with_suffix(".tree")
        for name, data in FILES.items():
            file = tree / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod((0o777 if name == EXECUTABLE else 0o666) & ~umask)
        full = [needs(command[0]), *command[1:], str(path), *FILES]
        done = subprocess.run(full, cwd=tree, env=clean_environment(**environment), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


WAYS: dict[str, Callable[[Path], object]] = {
    "zipfile": make,
    "backwards, stored": backwards,
    "extra fields, level 1": decorated,
    "comments, level 9": commented,
    "other modes": other_modes,
    "on Windows": on_windows,
    "to a pipe": streamed,
    "zip64": wide,
    "zip": by_command("zip", "-q"),
    "zip without compression, umask 077": by_command("zip", "-q", "-0", umask=0o077),
    "zip with descriptors, another time zone": by_command("zip", "-q", "-fd", "-9", TZ="Asia/Kathmandu"),
    "bsdtar": by_command("bsdtar", "--format=zip", "-cf"),
    "bsdtar, stored": by_command("bsdtar", "--format=zip", "--options=compression=store", "-cf", umask=0o027),
    "7z": by_command("7z", "a", "-bd", "-tzip", "-mx=9"),
}


def normalize(pyzpack: Pyzpack, path: Path, *arguments: str | Path, **environment) -> str:
    done = pyzpack.run("normalize", path, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def canonical(pyzpack: Pyzpack, tmp_path: Path) -> bytes:
    path = make(tmp_path / "canonical.zip")
    normalize(pyzpack, path)
    return path.read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_however_it_was_packed(way: str, canonical: bytes, pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = tmp_path / "packed.zip"
    WAYS[way](path)
    assert path.read_bytes() != canonical
    packed = contents(path)
    assert normalize(pyzpack, path) == f"{path}: {len(canonical) / 1000:.0f} kB, sha256 {digest(path)}\n"
    assert path.read_bytes() == canonical
    assert contents(path) == packed == FILES
    # A second time nothing is written at all.
    before = path.stat()
    assert normalize(pyzpack, path).startswith(f"{path}: canonical already, ")
    assert path.stat() == before
    assert (
        normalize(pyzpack, path, "--check")
        == f"{path}: canonical, {len(canonical) / 1000:.0f} kB, sha256 {digest(path)}\n"
    )


def test_the_form(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.pyz", prefix=LINE)
    normalize(pyzpack, path)
    archive = read_archive(path.read_bytes())
    assert archive.shebang == LINE
    assert list(archive.entries) == sorted(FILES)
    for name, entry in archive.entries.items():
        stored = name in ("app/__init__.py", "app/data/noise.bin", "app/tool.sh", "__main__.py")
        assert (entry.method, entry.mode, entry.moment) == (
            0 if stored else 8,
            0o755 if name == EXECUTABLE else 0o644,
            (0x21, 0),
        )


def test_names_that_are_not_ascii(pyzpack: Pyzpack, tmp_path: Path) -> None:
    """As three tools mark them; what nobody marked is read in two ways."""
    (tmp_path / "é.txt").write_text("accented\n")
    made = make(tmp_path / "zipfile.zip", {"é.txt": b"accented\n"})
    for command in (["bsdtar", "--format=zip", "-cf", "bsdtar.zip"], ["7z", "a", "-bd", "7z.zip"]):
        subprocess.run([needs(command[0]), *command[1:], "é.txt"], cwd=tmp_path, check=True, capture_output=True)
    found = set()
    for name in ("zipfile.zip", "bsdtar.zip", "7z.zip"):
        normalize(pyzpack, tmp_path / name)
        found.add(digest(tmp_path / name))
    assert len(found) == 1
    assert contents(made) == {"é.txt": b"accented\n"}


def test_conditions_change_nothing(canonical: bytes, pyzpack: Pyzpack, tmp_path: Path) -> None:
    other = tmp_path / "a directory with another name"
    other.mkdir(mode=0o700)
    path = make(other / "x.zip")
    environment = {"TZ": "Pacific/Apia", "LC_ALL": "de_DE.UTF-8", "HOME": None, "USER": "somebody", "TMPDIR": other}
    done = pyzpack.run(
        "normalize", "x.zip", wrapper=["sh", "-c", 'umask 077; exec "$@"', "sh"], cwd=other, **environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_bytes() == canonical
    assert os.listdir(other) == ["x.zip"]


def test_the_time(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip")
    normalize(pyzpack, path, SOURCE_DATE_EPOCH="1700000001")
    assert {entry.date_time for entry in zipfile.ZipFile(path).infolist()} == {(2023, 11, 14, 22, 13, 20)}
    normalize(pyzpack, path, "--check", "--source-date-epoch", "1700000000", SOURCE_DATE_EPOCH="1")
    done = pyzpack.run("normalize", path, "--check", SOURCE_DATE_EPOCH="1")
    note = "note: SOURCE_DATE_EPOCH 1 is outside what a zip can hold: 1980-01-01T00:00:00Z is used\n"
    assert (done.returncode, done.stderr) == (1, note)
    before = path.read_bytes()
    variable = "environment variable SOURCE_DATE_EPOCH"
    commit = "`commit` is for the option --source-date-epoch and its key in [tool.pyzpack]"
    for arguments, value, message in [
        ([], "", f"{variable}: not a whole number of seconds since 1970: ``"),
        ([], "tomorrow", f"{variable}: not a whole number of seconds since 1970: `tomorrow`"),
        ([], "commit", f"{variable}: {commit}"),
        (
            ["--source-date-epoch", "commit"],
            None,
            "option --source-date-epoch: a file that is packed already has no commit: give its time",
        ),
    ]:
        done = pyzpack.run("normalize", path, *arguments, SOURCE_DATE_EPOCH=value)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\n")
    assert path.read_bytes() == before


def test_other_tools_read_it(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"é/x.py": b"x = 1\n", "empty/": b"", **FILES}, prefix=LINE)
    normalize(pyzpack, path)
    unzip = subprocess.run([needs("unzip"), "-tqq", path], capture_output=True, text=True)
    assert (unzip.returncode, unzip.stdout, unzip.stderr) == (0, "", "")
    names = sorted(["é/x.py", "empty/", *FILES], key=str.encode)
    environment = clean_environment(LC_ALL="C.UTF-8")
    listed = subprocess.run([needs("bsdtar"), "-tf", path], capture_output=True, text=True, env=environment)
    assert (listed.stdout.split("\n"), listed.stderr) == ([*names, ""], "")
    tested = subprocess.run([needs("7z"), "t", path], capture_output=True, text=True)
    assert (tested.returncode, "Everything is Ok" in tested.stdout) == (0, True)
    assert [entry.filename for entry in zipfile.ZipFile(path).infolist()] == names
    # zipimport sees the directory too, which no file lies in.
    code = f"import zipimport; print('empty/' in zipimport.zipimporter({str(path)!r})._files)"
    assert run(sys.executable, "-c", code) == (0, "True\n", "")


def test_a_check_tells_what_is_not_canonical(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"here"
        put(archive, "b.txt", b"b" * 100, mode=0o664)
        put(archive, "a.txt", b"a", method=zipfile.ZIP_STORED)
    before = path.read_bytes()
    done = pyzpack.run("normalize", path, "--check")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        f"{path}: not canonical, {len(before)} B, would be 211 B\n"
        "  modes, 1 file (b.txt): 100664 -> 100644\n"
        "  time stamps, 2 files (b.txt, a.txt): 2024-02-29 12:34:56 -> 1980-01-01 00:00:00\n"
        "  version needed, 1 file (a.txt): 2.0 -> 1.0\n"
        "  order, 2 files\n"
        "    @@ from place 1 on @@\n"
        "    -b.txt\n"
        "    -a.txt\n"
        "    +a.txt\n"
        "    +b.txt\n"
        "  comment of the archive: `here` -> none\n"
        "  deflate streams, 1 file (b.txt): 6 bytes -> 16 bytes\n"
    )
    assert (path.read_bytes(), os.listdir(pyzpack.temporary)) == (before, [])
    told = pyzpack.run("normalize", path, "--check", "--json")
    document = json.loads(told.stdout)
    assert (told.returncode, document["canonical"], document["size"]) == (1, False, 211)
    kinds = ["modes", "time stamps", "version needed", "order", "comment of the archive", "deflate streams"]
    assert [one["what"] for one in document["differences"]] == kinds
    written = json.loads(normalize(pyzpack, path, "--json"))
    expected = {"file": str(path), "output": str(path), "canonical": False, "size": 211, "sha256": document["sha256"]}
    assert written == {**expected, "stale_modules": [], "stale_evidence": []}
    assert digest(path) == document["sha256"]
    again = json.loads(normalize(pyzpack, path, "--check", "--json"))
    assert again == {**document, "canonical": True, "differences": []}


def test_what_nobody_sees_in_a_name_is_shown(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"a\u200db": b"", "\ufeffc": b""})
    done = pyzpack.run("normalize", path, "--check")
    assert (done.returncode, r"a\u{200d}b" in done.stdout, r"\u{feff}c" in done.stdout) == (1, True, True)
    other = make(tmp_path / "b.zip", {"ab": b"", "\ufeffc": b""})
    compared = pyzpack.run("diff", path, other)
    assert (compared.returncode, r"a\u{200d}b" in compared.stdout) == (1, True)
    assert not {"\u200d", "\ufeff"} & {*done.stdout, *compared.stdout}


# Where it is written.


def test_the_input_is_replaced_or_another_file_written(canonical: bytes, pyzpack: Pyzpack, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    path = make(place / "a.zip")
    path.chmod(0o4754)
    packed = path.read_bytes()
    done = normalize(pyzpack, path, "-o", "b.zip", "--json", cwd=place)
    assert json.loads(done)["output"] == "b.zip"
    assert ((place / "b.zip").read_bytes(), path.read_bytes()) == (canonical, packed)
    # Through a link, the link stays one.
    (place / "link.zip").symlink_to("a.zip")
    normalize(pyzpack, place / "link.zip")
    assert (place / "link.zip").is_symlink()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (canonical, 0o754)
    # Onto itself, by whatever name.
    for output in ("a.zip", "link.zip", "../place/a.zip"):
        path.write_bytes(packed)
        normalize(pyzpack, path, "-o", output, cwd=place)
        assert ((place / "link.zip").is_symlink(), path.read_bytes()) == (True, canonical)
        assert normalize(pyzpack, path, "-o", output, cwd=place).startswith(f"{output}: canonical already, ")
    # What is canonical already is copied too.
    normalize(pyzpack, path, "-o", place / "c.zip")
    assert (place / "c.zip").read_bytes() == canonical
    assert sorted(os.listdir(place)) == ["a.zip", "b.zip", "c.zip", "link.zip"]


def test_what_cannot_be_written_changes_nothing(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip")
    before = path.read_bytes()
    (tmp_path / "old.zip").write_bytes(b"old")
    (tmp_path / "other").mkdir()
    for output, status, message in [
        ("gone/b.zip", 3, "the directory of the output is missing: `gone`"),
        ("other", 3, "the output `other` is a directory"),
    ]:
        done = pyzpack.run("normalize", path, "-o", output, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.startswith(f"error: {message}\nhint: ")
    os.mkfifo(tmp_path / "pipe")
    stream = "name a file: no stream is read or written (a file called `-` is `./-`)"
    irregular = "name a file: what comes through a pipe has to be written to one first"
    for arguments, message, hint in [
        (["gone.zip"], "cannot read `gone.zip`: No such file or directory (os error 2)", "name a file that is there"),
        (["a.zip/x"], "cannot read `a.zip/x`: Not a directory (os error 20)", "name a file that is there"),
        (["other"], "cannot read `other`: it is not a regular file", irregular),
        (["pipe"], "cannot read `pipe`: it is not a regular file", irregular),
        (["/dev/null"], "cannot read `/dev/null`: it is not a regular file", irregular),
        (["-"], "`-` is not the name of a file", stream),
        (["--check", "-"], "`-` is not the name of a file", stream),
        (["a.zip", "-o", "-"], "`-` is not the name of a file", stream),
        (["a.zip", "-o", ""], "`` is not the name of a file", stream),
        ([""], "`` is not the name of a file", stream),
    ]:
        done = pyzpack.run("normalize", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\nhint: {hint}\n")
    done = pyzpack.run("normalize", path, "--check", "-o", "b.zip", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    make(tmp_path / "bad.zip", {"../x": b""})
    done = pyzpack.run("normalize", "bad.zip", "-o", "old.zip", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "old.zip").read_bytes(), path.read_bytes()) == (1, b"old", before)
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_stays_theirs(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip")
    os.chown(path, 1234, 2345)
    path.chmod(0o6750)
    normalize(pyzpack, path, "-o", tmp_path / "b.zip")
    normalize(pyzpack, path)
    found = [(one.st_uid, one.st_gid, stat.S_IMODE(one.st_mode)) for one in (path.stat(), (tmp_path / "b.zip").stat())]
    assert found == [(1234, 2345, 0o750), (0, os.getgid(), 0o750)]


def test_what_speaks_of_the_old_file_is_named(pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip")
    (tmp_path / "a.zip.sha256").write_text("of the old one\n")
    done = pyzpack.run("normalize", path)
    assert (done.returncode, done.stderr) == (0, f"note: `{path}.sha256` is of the file as it was before\n")
    assert normalize(pyzpack, path)
    (tmp_path / "b.zip.asc").write_text("of the old one\n")
    done = pyzpack.run("normalize", path, "-o", "b.zip", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "note: `b.zip.asc` is of the file as it was before\n")
    assert normalize(pyzpack, path, "-o", "b.zip", cwd=tmp_path)


# What is packed works as before.


def run(path: Path | str, *arguments: str, **environment) -> tuple[int, str, str]:
    done = subprocess.run([path, *arguments], capture_output=True, text=True, env=clean_environment(**environment))
    return done.returncode, done.stdout, done.stderr


def test_a_zipapp_runs(pyzpack: Pyzpack, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name, data in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    path = tmp_path / "a.pyz"
    subprocess.run([sys.executable, "-m", "zipapp", "-c", "-p", sys.executable, "-o", path, tree], check=True)
    before, line = run(path), path.read_bytes().split(b"\n")[0]
    normalize(pyzpack, path)
    assert run(path) == before == (0, "the app runs\n" * 40, "")
    assert path.read_bytes().startswith(line + b"\nPK")


@pytest.mark.parametrize("tool", ["shiv", "pex"])
def test_real_programs_run(tool: str, pyzpack: Pyzpack, tmp_path: Path) -> None:
    """Of shiv, and of pex with its header in shell, from fresh caches."""
    files = {"hello.py": "import sys\ndef main():\n    print('hello', *sys.argv[1:])\n    return 3\n"}
    wheel = make_wheel(tmp_path / "wheels", "hello", files=files, scripts={"hello": "hello:main"})
    path = tmp_path / "a.pyz"
    options = {"shiv": ["-q", "-p", "/usr/bin/env python3", "--no-index"], "pex": ["--no-pypi", "--sh-boot"]}
    command = [TOOLS / tool, *options[tool], "-c", "hello", "-o", path, wheel]
    environment = clean_environment(HOME=tmp_path, PEX_ROOT=tmp_path / "pex")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    packed = contents(path)
    normalize(pyzpack, path)
    assert contents(path) == packed
    cache = tmp_path / "fresh"
    assert run(path, "you", HOME=tmp_path, SHIV_ROOT=cache, PEX_ROOT=cache) == (3, "hello you\n", "")
    assert normalize(pyzpack, path, "--check")
    assert path.read_bytes().startswith(b"#!/bin/sh\n#" if tool == "pex" else b"#!/usr/bin/env python3\nPK")


def test_a_program_behind_something_else_keeps_it(pyzpack: Pyzpack, tmp_path: Path) -> None:
    """A launcher finds its own line by where the archive's offsets count from; a shell script is a beginning too."""
    inner = make(tmp_path / "inner.zip").read_bytes()
    launcher = b"MZ" + hashlib.shake_128(b"launcher").digest(5000) + b"#!python.exe\r\n"
    script = b'#!/bin/sh\nexec python3 "$0" "$@"\n\n'
    made = make(tmp_path / "made.zip", prefix=script).read_bytes()
    for name, data, prefix, base in [
        ("line.pyz", LINE + inner, LINE, 0),
        ("launcher.exe", launcher + inner, launcher, len(launcher)),
        ("script.pyz", made, script, 0),
        ("late.pyz", script + inner, script, len(script)),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        normalize(pyzpack, path)
        after = path.read_bytes()
        size, offset = struct.unpack("<LL", after[-10:-2])
        assert after.startswith(prefix + b"PK\3\4")
        assert len(after) - 22 - size - offset == base
        assert contents(path) == FILES
        assert normalize(pyzpack, path, "--check")
        assert run(sys.executable, str(path)) == (0, "the app runs\n" * 40, "")
    # However it got behind its line.
    other = make(tmp_path / "other.pyz", prefix=LINE)
    normalize(pyzpack, other)
    assert other.read_bytes() == (tmp_path / "line.pyz").read_bytes()


def test_a_wheel_stays_valid(pyzpack: Pyzpack, tmp_path: Path) -> None:
    files = {"lib/__init__.py": "name = 'lib'\n", "lib/run.sh": "#!/bin/sh\necho run\n"}
    wheel = make_wheel(tmp_path, "lib", files=files, executables={"lib/run.sh"}, scripts={"lib": "lib:main"})
    signed = wheel.with_name("lib-1.0-1-py3-none-any.whl")
    shutil.copy(wheel, signed)
    with zipfile.ZipFile(signed, "a") as archive:
        put(archive, "lib-1.0.dist-info/RECORD.jws", b"{}")
    for path in (wheel, signed):
        packed = contents(path)
        normalize(pyzpack, path)
        found = contents(path)
        assert found == packed
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(found["lib-1.0.dist-info/RECORD"].decode()))}
        for name, data in found.items():
            if ".dist-info/RECORD" not in name:
                value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert rows[name] == [f"sha256={value}", str(len(data))]
        assert pyzpack.run("inspect", path).returncode == 0
    target = tmp_path / "installed"
    options = ["--no-deps", "--no-index", "--no-cache-dir", "--disable-pip-version-check", "-q", "--target", target]
    done = run(sys.executable, "-m", "pip", "install", *map(str, options), str(wheel), HOME=tmp_path)
    assert done[0] == 0, done
    assert os.access(target / "lib/run.sh", os.X_OK)


def test_a_wheel_of_pyzpack_is_canonical(pyzpack: Pyzpack, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "hello", files={"hello.py": "x = 1\n"})
    done = pyzpack.run("wheel", project, "-o", tmp_path, "--no-index", "--offline", "--python", pyzpack.python)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert normalize(pyzpack, wheel, "--check")


@pytest.mark.parametrize("layout", ["zip", "extract"])
def test_a_program_of_pyzpack_stays_as_it_is(layout: str, hello: Path, pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = pyzpack.build(hello, "--layout", layout, output=tmp_path / "a.pyz", SOURCE_DATE_EPOCH="1700000000")
    before = path.read_bytes()
    assert normalize(pyzpack, path, "--check").startswith(f"{path}: canonical, ")
    assert "canonical already" in normalize(pyzpack, path)
    normalize(pyzpack, path, "-o", tmp_path / "b.pyz")
    assert (path.read_bytes(), (tmp_path / "b.pyz").read_bytes()) == (before, before)
    assert os.access(tmp_path / "b.pyz", os.X_OK)


def test_compiled_modules_beside_their_sources(pyzpack: Pyzpack, tmp_path: Path) -> None:
    """One that holds a time is no longer taken, which is said; the program does the same."""
    source = tmp_path / "mod.py"
    source.write_text("print(__name__, 'of the source')\n")
    moment = (2024, 2, 28, 12, 0, 0)
    os.utime(source, (time.mktime((*moment, 0, 0, -1)),) * 2)
    path = tmp_path / "a.pyz"
    for mode, note in [
        (py_compile.PycInvalidationMode.TIMESTAMP, True),
        (py_compile.PycInvalidationMode.UNCHECKED_HASH, False),
    ]:
        module = Path(py_compile.compile(str(source), str(tmp_path / "mod.pyc"), invalidation_mode=mode)).read_bytes()
        files = {"__main__.py": b"import mod\n", "mod.py": source.read_bytes(), "mod.pyc": module, "only.pyc": module}
        make(path, files, time=moment)
        before = run(sys.executable, "-v", str(path))
        done = pyzpack.run("normalize", path)
        text = (
            "note: 1 compiled module with the time of the source beside it, such as `mod.pyc`: that time is another "
            "one now, and Python takes the source (compile with --invalidation-mode unchecked-hash)\n"
        )
        assert (done.returncode, done.stderr) == (0, text if note else "")
        assert contents(path) == files
        after = run(sys.executable, "-v", str(path))
        assert (before[0], before[1]) == (after[0], after[1]) == (0, "mod of the source\n")
        assert ["stale for 'mod'" in one[2] for one in (before, after)] == [False, note]


def test_archives_within_stay_as_they_are(pyzpack: Pyzpack, tmp_path: Path) -> None:
    inner = make(tmp_path / "inner.whl").read_bytes()
    path = make(tmp_path / "a.zip", {"inner.whl": inner})
    normalize(pyzpack, path)
    assert contents(path) == {"inner.whl": inner}
