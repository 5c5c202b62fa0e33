"""`pyzpack diff`: what differs is found, and what did it, in pairs that differ in one known way each."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Pyzpack
from wheels import make_wheel

sys.path.insert(0, str(ROOT / "testdata/diff"))
import pairs


def compare(pyzpack: Pyzpack, first: Path, second: Path) -> dict:
    done = pyzpack.run("diff", first, second, "--json")
    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["verdict"] == "same" else 1)
    return found


@pytest.mark.parametrize("name", pairs.PAIRS)
def test_the_cause_is_found(name: str, pyzpack: Pyzpack, tmp_path: Path) -> None:
    pair = pairs.PAIRS[name]
    if name not in pairs.makeable():
        pytest.skip(f"{pair.needs or 'an older Python'} is not here")
    first, second = pair.make(tmp_path)
    found = compare(pyzpack, first, second)
    assert found["verdict"] == pair.verdict
    assert [cause["cause"] for cause in found["causes"]] == pair.causes, found["causes"]
    said = {"/".join(one["path"]) for one in found["differences"]}
    said |= {one["first"] or one["second"] for one in found["differences"] if one["layer"] == "files"}
    assert said >= set(pair.members)
    in_container = {one["what"] for one in found["differences"] if one["layer"] == "container"}
    assert in_container >= set(pair.container)
    # The other way round the same is found.
    assert compare(pyzpack, second, first)["verdict"] == pair.verdict
    assert compare(pyzpack, first, first)["verdict"] == "same"


def differing(directory: Path) -> None:
    """Two wheels, a.whl and b.whl, that differ in every layer."""
    files = {"pkg/__init__.py": b"", "pkg/data.bin": b"\0\1\2", "pkg/text.py": b"a = 1\nb = 2\nc = 3\n"}
    pairs.write(directory / "a.whl", {**pairs.wheel("1.0", files), "only_a.py": b"x = 1\n"}, method=0)
    files |= {"pkg/data.bin": b"\0\1\3", "pkg/text.py": b"a = 1\nb = 22\nc = 3\n"}
    pairs.write(
        directory / "b.whl",
        {**pairs.wheel("1.1", files), "pkg/only_b.py": b"y = 1\n"},
        method=0,
        time=(2026, 3, 1, 10, 0, 2),
        mode=0o100600,
    )


ALL = """\
a.whl (a wheel, 1 kB) and b.whl (a wheel, 1 kB) differ: 4 files changed, \
1 file only in the first, 1 file only in the second
likely cause: pkg is of version 1.0 and 1.1
also: files differ in their contents: other sources (pkg/data.bin, pkg/text.py)
also: time stamps differ (1980-01-01 00:00:00, 2026-03-01 10:00:02): \
built with two values of SOURCE_DATE_EPOCH, or without it
also: modes differ by the bits 0044: built under another umask
bytes
  - SIZE_A bytes, sha256 SUM_A
  + SIZE_B bytes, sha256 SUM_B
    the first byte that differs is byte 10
container
  modes, 6 files (pkg/__init__.py, pkg/data.bin, pkg/text.py and 3 more): 100644 -> 100600
  time stamps, 6 files (pkg/__init__.py, pkg/data.bin, pkg/text.py and 3 more): \
1980-01-01 00:00:00 -> 2026-03-01 10:00:02
distributions
  pkg 1.0 -> 1.1
files
  renamed, 3 files (NAMES): pkg-1.0.dist-info -> pkg-1.1.dist-info
  - only_a.py
  + pkg/only_b.py
contents
  pkg/data.bin: bytes: 3 bytes -> 3 bytes
    the first that differs is byte 2; from byte 0 on
    -000102  ...
    +000103  ...
  pkg/text.py: text, -1 +1
    @@ -1,3 +1,3 @@
     a = 1
    -b = 2
    +b = 22
     c = 3
  pkg-1.0.dist-info/METADATA: text, -1 +1 (follows from the rest)
    @@ -1,3 +1,3 @@
     Metadata-Version: 2.1
     Name: pkg
    -Version: 1.0
    +Version: 1.1
  pkg-1.0.dist-info/RECORD: rows of RECORD (follows from the rest)
""".replace("NAMES", ", ".join(f"pkg-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")))


def rows(path: Path, version: str) -> dict[str, str]:
    record = zipfile.ZipFile(path).read(f"pkg-{version}.dist-info/RECORD").decode()
    return {line.split(",")[0]: line for line in record.splitlines()}


def expected(directory: Path) -> str:
    text = ALL
    for name in ("a", "b"):
        contents = (directory / f"{name}.whl").read_bytes()
        text = text.replace(f"SUM_{name.upper()}", hashlib.sha256(contents).hexdigest())
        text = text.replace(f"SIZE_{name.upper()}", str(len(contents)))
    first, second = rows(directory / "a.whl", "1.0"), rows(directory / "b.whl", "1.1")
    for path in sorted({*first, *second}):
        if first.get(path) != second.get(path):
            text += f"    -{first[path]}\n" if path in first else ""
            text += f"    +{second[path]}\n" if path in second else ""
    return text


def test_the_verdict_comes_first_and_the_details_after(pyzpack: Pyzpack, tmp_path: Path) -> None:
    differing(tmp_path)
    done = pyzpack.run("diff", "a.whl", "b.whl", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, expected(tmp_path), "")
    same = pyzpack.run("diff", "a.whl", "a.whl", cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, "a.whl and a.whl are the same, byte for byte: 1 kB\n")


def test_details_are_as_many_as_was_asked_for(pyzpack: Pyzpack, tmp_path: Path) -> None:
    differing(tmp_path)
    whole = expected(tmp_path).splitlines()
    assert pyzpack.run("diff", "a.whl", "b.whl", "--max-lines", "0", cwd=tmp_path).stdout.splitlines() == whole
    head = 5
    for most in (1, 4, 12):
        *lines, last = pyzpack.run("diff", "a.whl", "b.whl", "--max-lines", str(most), cwd=tmp_path).stdout.splitlines()
        assert lines == whole[: head + most]
        assert re.fullmatch(r"\[\d+ more lines: --max-lines 0 shows all that is kept, diffoscope may tell more\]", last)
    document = json.loads(pyzpack.run("diff", "a.whl", "b.whl", "--json", "--max-lines", "3", cwd=tmp_path).stdout)
    assert sum(len(one["lines"]) for one in document["differences"]) == 3


def test_colours_are_for_terminals(pyzpack: Pyzpack, tmp_path: Path) -> None:
    differing(tmp_path)

    def on_terminal(**changes: str) -> str:
        master, slave = pty.openpty()
        command = pyzpack.command("diff", "a.whl", "b.whl")
        done = subprocess.Popen(command, stdout=slave, cwd=tmp_path, env=pyzpack.environment(**changes))
        os.close(slave)
        text = b""
        try:
            while piece := os.read(master, 1 << 16):
                text += piece
        except OSError:  # A terminal whose other end is closed.
            pass
        assert done.wait() == 1
        os.close(master)
        return text.decode().replace("\r\n", "\n")

    plain = expected(tmp_path)
    coloured = on_terminal(TERM="xterm", NO_COLOR="")
    assert "\x1b[31m-b = 2\x1b[0m\n" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert on_terminal(TERM="xterm", NO_COLOR="1") == plain
    assert on_terminal(TERM="dumb", NO_COLOR="") == plain


def test_what_cannot_be_read_is_no_difference(pyzpack: Pyzpack, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name, status, message in (
        ("gone", 2, "cannot read `gone`: No such file or directory (os error 2)"),
        (".", 2, "cannot read `.`: it is not a regular file"),
        ("pipe", 2, "cannot read `pipe`: it is not a regular file"),
    ):
        for files in (("a.zip", name), (name, "a.zip")):
            done = pyzpack.run("diff", *files, cwd=tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (status, "", f"error: {message}\n")


def test_what_cannot_be_unpacked_or_changes_meanwhile_is_trouble(pyzpack: Pyzpack, tmp_path: Path) -> None:
    for name, last in (("a.zip", b"a"), ("b.zip", b"b")):
        pairs.write(tmp_path / name, {"zeros": bytes(9 << 20) + last})
    done = pyzpack.run("diff", "a.zip", "b.zip", cwd=tmp_path, TMPDIR=tmp_path / "gone")
    reason = f"cannot unpack a member to `{tmp_path}/gone` (TMPDIR): No such file or directory (os error 2)"
    message = f"error: cannot compare `a.zip` and `b.zip`: {reason}\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", message)

    ended = threading.Event()

    def touch() -> None:
        while not ended.is_set():
            os.utime(tmp_path / "b.zip")

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        done = pyzpack.run("diff", "a.zip", "b.zip", cwd=tmp_path)
    finally:
        ended.set()
        toucher.join()
    message = "error: `b.zip` changed while it was read\nhint: try again when nothing writes to it\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", message)


def test_what_names_do_to_terminals_is_shown_and_not_done(pyzpack: Pyzpack, tmp_path: Path) -> None:
    name = "pkg/\x1b]0;title\x07\u202e.py"
    first = pairs.write(tmp_path / "a.zip", {name: b"x = 1\n"})
    second = pairs.write(tmp_path / "b.zip", {name: b"x = '\xc2\x9b31m'\n"})
    done = pyzpack.run("diff", first, second)
    assert done.returncode == 1
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout)
    assert "pkg/\\u{1b}]0;title\\u{7}\\u{202e}.py: text" in done.stdout


def test_hostile_archives_take_little_time(pyzpack: Pyzpack, tmp_path: Path) -> None:
    def both(make, *sides) -> tuple[Path, Path]:
        return tuple(make(tmp_path / f"{number}.zip", side) for number, side in enumerate(sides))

    def many(path: Path, time: int) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(30_000):
                archive.writestr(zipfile.ZipInfo(f"{number}", (2000, 1, 1, number % 24, number % 60, time)), b"")
        return path

    def bomb(path: Path, last: bytes) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(200 << 20) + last)
        return path

    def deep(path: Path, last: bytes) -> Path:
        inner = last
        for depth in range(40):
            pairs.write(path, {f"{depth}.zip": inner}, method=0)
            inner = path.read_bytes()
        return path

    for files in (both(many, 0, 2), both(bomb, b"a", b"b"), both(deep, b"a", b"b")):
        started = time.monotonic()
        done = pyzpack.run("diff", *files)
        assert (done.returncode, done.stderr) == (1, "")
        assert time.monotonic() - started < 20


def test_damage_of_what_is_stored_in_much_room_is_told(pyzpack: Pyzpack, tmp_path: Path) -> None:
    contents = bytes(9 << 20)
    whole = pairs.write(tmp_path / "a.zip", {"big.bin": contents}, method=0)
    other = pairs.write(tmp_path / "b.zip", {"big.bin": contents[:-1] + b"1"}, method=0)
    told = compare(pyzpack, whole, other)
    assert [cause["cause"] for cause in told["causes"]] == ["sources"]
    damaged = tmp_path / "c.zip"
    damaged.write_bytes(whole.read_bytes().replace(b"\0\0\0\0PK\1\2", b"\0\0\0\1PK\1\2"))
    for files, side in (((whole, damaged), "second"), ((damaged, whole), "first")):
        told = compare(pyzpack, *files)
        assert told["causes"][0]["text"] == f"the {side} file is damaged"
        (damage,) = [one[side] for one in told["differences"] if one["what"] == "damage"]
        assert re.fullmatch(r"its CRC-32 is [0-9a-f]{8}, its header says [0-9a-f]{8}", damage)


def test_what_differs_in_a_payload_is_told_of_its_files(pyzpack: Pyzpack, tmp_path: Path) -> None:
    def build(name: str, text: str, *options: str, **variables: str) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        wheel = make_wheel(directory, "tool", files={"tool.py": f"def main():\n    print({text!r})\n"})
        return pyzpack.build(
            wheel, "-e", "tool:main", "--layout", "extract", *options, output=directory / "t.pyz", **variables
        )

    plain = build("plain", "one")
    epoch = compare(pyzpack, plain, build("epoch", "one", SOURCE_DATE_EPOCH="1700000000"))
    assert [cause["text"] for cause in epoch["causes"]] == ["built with two values of SOURCE_DATE_EPOCH"]
    changed = compare(pyzpack, plain, build("changed", "two"))
    assert [cause["cause"] for cause in changed["causes"]] == ["wheels", "sources"]
    assert changed["causes"][0]["text"] == "tool 1.0 comes from different wheels"
    own = [one for one in changed["differences"] if one["layer"] == "contents" and not one["follows"]]
    assert [one["path"] for one in own] == [["_pyzpack/payload.zip", "tool.py"]]
    assert own[0]["lines"] == ["@@ -1,2 +1,2 @@", " def main():", "-    print('one')", "+    print('two')"]
    options = compare(pyzpack, plain, build("options", "one", "--shebang", "/usr/bin/python3"))
    text = "built with --shebang /usr/bin/env python3 and /usr/bin/python3"
    assert [cause["text"] for cause in options["causes"]] == [text, "the first lines name different interpreters (#!)"]


def packed(pyzpack: Pyzpack, directory: Path, module: str, *options: str) -> dict[str, Path]:
    """One application, packed as pyzpack packs it in either layout, and as shiv, pex and zipapp do."""
    wheel = make_wheel(directory, "tool", files={"tool/__init__.py": "", "tool/run.py": module, "tool/data.txt": "x\n"})
    made = {
        layout: pyzpack.build(
            wheel, "-e", "tool.run:main", "--layout", layout, *options, output=directory / f"{layout}.pyz"
        )
        for layout in ("zip", "extract")
    }
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    installed = {**files, "tool-1.0.dist-info/INSTALLER": b"pip\n", "bin/tool": b"#!/home/a/bin/python\n"}
    main = b"#!/usr/bin/env python3\n"
    shiv = {"__main__.py": b"import _bootstrap\n", "_bootstrap/__init__.py": b"", "environment.json": b"{}"}
    shiv |= {f"site-packages/{name}": contents for name, contents in installed.items()}
    root = ".deps/tool-1.0-py3-none-any.whl"
    info = {"distributions": {"tool-1.0-py3-none-any.whl": "ab" * 32}}
    pex = {"__main__.py": b"import pex\n", "PEX-INFO": json.dumps(info).encode(), ".bootstrap/pex/a.py": b"a\n"}
    pex |= {f"{root}/.layout.json": b"{}", f"{root}/tool-1.0.pex-info/x.json": b"{}", f"{root}/tool/": b""}
    pex |= {f"{root}/{name}": contents for name, contents in files.items()}
    zipapp = {"__main__.py": b"import tool.run\n", **installed}
    for name, contents in (("shiv", shiv), ("pex", pex), ("zipapp", zipapp)):
        made[name] = pairs.write(directory / f"{name}.pyz", contents, prefix=main)
    return made


@pytest.mark.parametrize("tool", ["shiv", "pex", "zipapp"])
@pytest.mark.parametrize("layout", ["extract", "zip"])
def test_where_a_tool_puts_files_is_no_difference_of_files(
    tool: str, layout: str, pyzpack: Pyzpack, tmp_path: Path
) -> None:
    one = packed(pyzpack, tmp_path / "one", "def main():\n    print(1)\n")
    other = packed(pyzpack, tmp_path / "other", "def main():\n    print(2)\n")
    alone = {
        "notes of an installer": ["tool-1.0.dist-info/INSTALLER"],
        "scripts in bin": ["bin/tool"],
    }
    for packer, changed in ((one, set()), (other, {"tool/run.py"})):
        found = compare(pyzpack, packer[tool], one[layout])
        own = [each for each in found["differences"] if each["layer"] != "container" and not each["follows"]]
        assert [each for each in own if each["layer"] == "distributions"] == []
        assert {"/".join(each["path"]) for each in own if each["layer"] == "contents"} == changed
        told = {each["what"]: each["examples"] for each in own if each["layer"] == "files"}
        assert told == ({} if tool == "pex" else alone)
        assert all(each["first"] and not each["second"] for each in own if each["layer"] == "files")
        container = {each["what"]: (each["first"], each["second"]) for each in found["differences"]}
        places = {
            "shiv": "site-packages/",
            "pex": ".deps/, a directory for each wheel",
            "zipapp": "the archive's root",
            "zip": "the archive's root",
            "extract": "_pyzpack/payload.zip",
        }
        if places[tool] != places[layout]:
            assert container["where the application's files lie"] == (places[tool], places[layout])
        starts = {"shiv": "3 files of shiv", "pex": "5 files of pex", "zipapp": "1 file of the archive's own"}
        assert container["what starts it"][0] == starts[tool]
        causes = [cause["cause"] for cause in found["causes"]]
        assert causes[0] == "tool"
        assert ("sources" in causes) == bool(changed), found["causes"]
    # The distribution is told where it is another.
    wheel = make_wheel(tmp_path, "tool", "1.1", files={"tool/__init__.py": "", "tool/run.py": "def main(): 0\n"})
    newer = pyzpack.build(wheel, "-e", "tool.run:main", "--layout", layout, output=tmp_path / "newer.pyz")
    found = compare(pyzpack, one[tool], newer)
    told = [each for each in found["differences"] if each["layer"] == "distributions"]
    assert [(each["first"], each["second"]) for each in told] == [("1.0", "1.1")]


def test_a_payload_that_is_none_is_compared_as_a_file(pyzpack: Pyzpack, tmp_path: Path) -> None:
    made = packed(pyzpack, tmp_path, "def main(): 0\n")
    with zipfile.ZipFile(made["extract"]) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    payload = files["_pyzpack/payload.zip"]
    for contents, method in ((payload, zipfile.ZIP_DEFLATED), (b"PK\3\4 no zip", 0), (payload[:-30], 0), (b"", 0)):
        damaged = pairs.write(tmp_path / "damaged.pyz", {**files, "_pyzpack/payload.zip": contents}, method=method)
        for file in (made["shiv"], made["zip"], made["extract"]):
            assert compare(pyzpack, damaged, file)["verdict"] != "same"
            assert compare(pyzpack, file, damaged)["verdict"] != "same"


def test_other_options_are_told_first_as_the_files_say_them(pyzpack: Pyzpack, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    module = "def main():\n    print(1)\n"
    plain = packed(pyzpack, tmp_path / "plain", module)
    layouts = compare(pyzpack, plain["zip"], plain["extract"])
    assert [cause["text"] for cause in layouts["causes"]] == ["built with --layout zip and extract"]
    assert [one for one in layouts["differences"] if one["layer"] == "files"] == []
    # Many files, of which each has another digest: these are not told one by one, the option is.
    files = {f"tool/m{number}.py": f"x = {number}\n" for number in range(600)}
    wheel = make_wheel(tmp_path, "tool", files={"tool/__init__.py": "def main(): 0\n", **files})
    arguments = ("-e", "tool:main", "--layout", "extract")
    without = pyzpack.build(wheel, *arguments, output=tmp_path / "without.pyz")
    compiled = pyzpack.build(wheel, *arguments, "--bytecode", version, output=tmp_path / "compiled.pyz")
    exact = ".".join(map(str, sys.version_info[:3]))
    for files, place, other in (((without, compiled), "second", "first"), ((compiled, without), "first", "second")):
        causes = compare(pyzpack, *files)["causes"]
        text = f"the {place} is built with --bytecode for CPython {exact}, the {other} without"
        assert [(cause["cause"], cause["text"]) for cause in causes] == [("recipe", text)]
    other = make_wheel(tmp_path / "other", "other", files={"tool/__init__.py": "def main(): 0\n"})
    inputs = compare(pyzpack, without, pyzpack.build(other, *arguments, output=tmp_path / "inputs.pyz"))
    named = "tool-1.0-py3-none-any.whl and other-1.0-py3-none-any.whl were packed"
    assert (inputs["causes"][0]["cause"], inputs["causes"][0]["text"]) == ("recipe", named)


def test_what_a_distribution_carries_inside_is_none_of_the_files_distributions(
    pyzpack: Pyzpack, tmp_path: Path
) -> None:
    for name, version, carried in (("a.zip", "1.0", "2.0"), ("b.zip", "1.1", "2.1")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for place in ("site-packages", ".deps/other-1-py3-none-any.whl"):
                archive.writestr(f"{place}/pkg-{version}.dist-info/METADATA", version)
                archive.writestr(f"{place}/pkg/_vendor/inner-{carried}.dist-info/METADATA", carried)
    done = pyzpack.run("diff", "a.zip", "b.zip", cwd=tmp_path)
    assert done.returncode == 1
    layer = done.stdout.partition("\ndistributions\n")[2].partition("\nfiles\n")[0]
    assert layer == "  pkg 1.0 -> 1.1", done.stdout
