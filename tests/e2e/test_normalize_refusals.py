"""What `pyzpack normalize` refuses: with the member, the rule and the next step, and nothing is written."""

from __future__ import annotations

import gzip
import io
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Pyzpack
from zips import LINE, contents, make, put


def patched(name: str, *changes: tuple[bytes, bytes]) -> Callable[[Path], Path]:
    """A zip of one file in which bytes are others, wherever they stand."""

    def write(path: Path) -> Path:
        make(path, {name: b"some text, some text"})
        data = path.read_bytes()
        for old, new in changes:
            assert (old in data, len(old)) == (True, len(new))
            data = data.replace(old, new)
        path.write_bytes(data)
        return path

    return write


def linking(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "target")


def twice(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        put(archive, "a", b"1")
        put(archive, "a", b"2")


def with_signing_block(path: Path) -> None:
    """Between the last member and the directory, where a signature of the whole archive stands in other formats."""
    data = make(path, {"a": b"1"}).read_bytes()
    (offset,) = struct.unpack_from("<L", data, len(data) - 6)
    data = data[:offset] + b"APK Sig Block 42" + data[offset:]
    path.write_bytes(data[:-6] + struct.pack("<LH", offset + 16, 0))


def appended(path: Path) -> None:
    path.write_bytes(make(path).read_bytes() + b"\0")


def cut(path: Path) -> None:
    path.write_bytes(make(path).read_bytes()[:-1])


def behind_another(path: Path) -> None:
    path.write_bytes(make(path, {"hidden": b"1"}).read_bytes() + make(path, {"a": b"1"}).read_bytes())


def behind_a_deleted_member(path: Path) -> None:
    deleted = make(path, {"hidden": b"1"}).read_bytes()[:37]
    path.write_bytes(LINE + deleted + make(path, {"a": b"1"}).read_bytes())


def two_ends(path: Path) -> None:
    make(path, {"a": b"1"}, comment=b"PK\5\6" + bytes(18) + b"and more")


def too_many(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(65536):
            archive.writestr(f"{number:05}", b"")


REPACK = "pack it again from its files: tools may read it in different ways as it is"
NAMES = "pack it again under names that mean one file everywhere"
SHORTER = "pack it again under a shorter name: it could not be unpacked"
WHOLE = "give a whole zip, with nothing behind it (bsdtar adds zeros to what it writes into a pipe: give it `-f FILE`)"
END = "no end-of-central-directory record at the very end (truncated, or something was appended) [zip-end-record]"
METHOD = "pack it again, deflated: pip and zipimport read nothing else"
TYPE = "pack files and directories alone, and instead of a link what it leads to"
GAP = "pack it again: what no member accounts for may be a signature, or a deleted member"
BEFORE = "pack it again from its files, with nothing in front and no zip in its comment: tools may read another archive"
LOCAL = "what stands before the archive holds the signature of a zip's local header"
MARKED = "pack it again with a tool that marks its names as UTF-8: bsdtar, 7z, `python -m zipfile -c`, but not zip(1)"

REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no zip": (lambda path: path.write_bytes(b"text\n"), END, WHOLE),
    "empty": (lambda path: path.write_bytes(b""), END, WHOLE),
    "cut off": (cut, END, WHOLE),
    "appended": (appended, END, WHOLE),
    "two ends": (
        two_ends,
        "the end-of-central-directory record is inconsistent: another one follows it [zip-end-record]",
        REPACK,
    ),
    "encrypted": (
        patched("a", (b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0"), (b"\x14\3\x14\0\0\0", b"\x14\3\x14\0\1\0")),
        "entry `a`: the entry is encrypted [zip-encrypted]",
        "decrypt it first",
    ),
    "a later version": (
        patched("a", (b"PK\3\4\x14", b"PK\3\4\x63"), (b"\x14\3\x14", b"\x14\3\x63")),
        "entry `a`: version needed 9.9 is later than 4.5, the last that anything allowed here needs [zip-version]",
        REPACK,
    ),
    "bzip2": (
        lambda path: make(path, {"a": b"1"}, method=zipfile.ZIP_BZIP2),
        "entry `a`: compression method 12 is neither stored (0) nor deflated (8) [zip-method]",
        METHOD,
    ),
    "LZMA": (
        lambda path: make(path, {"a": b"1"}, method=zipfile.ZIP_LZMA),
        "entry `a`: compression method 14 is neither stored (0) nor deflated (8) [zip-method]",
        METHOD,
    ),
    "another CRC": (
        patched("a", (struct.pack("<L", 0xEA34BAF4), struct.pack("<L", 0xEA34BAF5))),
        "entry `a`: CRC-32: expected ea34baf5, found ea34baf4 [zip-crc]",
        REPACK,
    ),
    "climbing": (
        lambda path: make(path, {"../a": b"1"}),
        "entry `../a`: the name has a `.` or `..` segment [zip-name]",
        NAMES,
    ),
    "absolute": (lambda path: make(path, {"/a": b"1"}), "entry `/a`: the name is absolute [zip-name]", NAMES),
    "a long segment": (
        lambda path: make(path, {"a/" + "x" * 256: b"1"}),
        f"entry `a/{'x' * 256}`: a segment of the name is 256 bytes long, more than 255 [zip-name]",
        SHORTER,
    ),
    "a long name": (
        lambda path: make(path, {"a/" * 2047 + "bc": b"1"}),
        f"entry `{'a/' * 2047}bc`: the name is 4096 bytes long, more than 4095 [zip-name]",
        SHORTER,
    ),
    "NUL": (
        patched("a?b", (b"a?b", b"a\0b")),
        r"entry `a\0b`: the name holds the control character U+0000 [zip-name]",
        NAMES,
    ),
    "not UTF-8": (
        patched("n?ive", (b"n?ive", b"n\x8bive")),
        "entry `n\N{REPLACEMENT CHARACTER}ive`: the name is not UTF-8, or not marked as such [zip-name]",
        MARKED,
    ),
    "UTF-8 that nobody marks": (
        patched("n??ve", (b"n??ve", "nïve".encode())),
        "entry `nïve`: the name is not UTF-8, or not marked as such [zip-name]",
        MARKED,
    ),
    "twice": (twice, "entry `a`: the name occurs twice [zip-duplicate]", NAMES),
    "by case": (
        lambda path: make(path, {"README": b"1", "Readme": b"2"}),
        "entry `Readme`: the name is the same file as `README` where case is ignored [zip-case-clash]",
        NAMES,
    ),
    "file and directory": (
        lambda path: make(path, {"a": b"1", "a/b": b"2"}),
        "entry `a`: a file where `a/b` has a directory [zip-file-and-directory]",
        NAMES,
    ),
    "link": (linking, "entry `link`: neither a regular file nor a directory (mode 120777) [zip-file-type]", TYPE),
    "signing block": (with_signing_block, "16 bytes at offset 34 belong to no entry [zip-gap]", GAP),
    "behind another zip": (behind_another, f"{LOCAL}, at offset 0 [zip-gap]", BEFORE),
    "behind a deleted member": (behind_a_deleted_member, f"{LOCAL}, at offset 23 [zip-gap]", BEFORE),
    "a zip in the comment": (
        lambda path: make(path, {"a": b"1"}, comment=make(path, {"b": b"2"}).read_bytes()),
        f"{LOCAL}, at offset 0 [zip-gap]",
        BEFORE,
    ),
    "behind a compressed stream": (
        lambda path: make(path, prefix=gzip.compress(b"hidden")),
        "what stands before the archive is neither a script (`#!`) nor a program (`MZ`, ELF), at offset 0 [zip-gap]",
        BEFORE,
    ),
    "headers that disagree": (
        patched("a", (b"\0\0a+", b"\0\0b+")),
        "entry `a`: local and central header disagree on the name: `b` and `a` [zip-local-header]",
        REPACK,
    ),
    "too many": (too_many, "number of entries: 65536 exceeds the limit of 65535 [zip-limit]", "divide it"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused(fault: str, pyzpack: Pyzpack, tmp_path: Path) -> None:
    spoil, message, hint = REFUSED[fault]
    place = tmp_path / "place"
    place.mkdir()
    path = place / "a.zip"
    spoil(path)
    before = path.read_bytes()
    for arguments in ([], ["--check"], ["-o", "b.zip"]):
        done = pyzpack.run("normalize", "a.zip", *arguments, cwd=place)
        assert done.stderr == f"error: cannot make `a.zip` canonical: {message}\nhint: {hint}\n"
        assert (done.returncode, done.stdout, path.read_bytes()) == (1, "", before)
    assert (os.listdir(place), os.listdir(pyzpack.temporary)) == (["a.zip"], [])


@pytest.mark.parametrize(
    ("first", "other", "format"),
    [("mimetype", "META-INF/container.xml", "EPUB and OpenDocument"), ("META-INF/MANIFEST.MF", "A.class", "jars")],
)
def test_formats_with_a_first_member(first: str, other: str, format: str, pyzpack: Pyzpack, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {first: b"1", other: b"2"})
    done = pyzpack.run("normalize", "a.zip", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: cannot make `a.zip` canonical: {format} have `{first}` as their first entry, and `{other}` would come "
        "before it\nhint: leave it to a tool for that format\n",
    )
    # Elsewhere it is a name like others; and one that stays the first may be so.
    for files in ({other: b"2", first: b"1"}, {first: b"1", "z": b"2"}):
        make(path, files)
        done = pyzpack.run("normalize", path)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_program_of_pyzpack_is_refused(hello: Path, pyzpack: Pyzpack, tmp_path: Path) -> None:
    """What is no longer as it was built is not made to look as if it were."""
    path = pyzpack.build(hello, "--layout", "zip", output=tmp_path / "a.pyz")
    line, archive = path.read_bytes().split(b"\n", 1)
    line += b"\n"
    files = contents(path)
    other = tmp_path / "b.pyz"
    contents_differ = "the contents are not those that were checked [zip-contents]"
    for changed, reason in [
        (line + archive[:-2] + b"\4\0note", END),
        (line + b"\n" + archive, "the end-of-central-directory record is inconsistent: "),
        (make(other, files, prefix=line).read_bytes(), "entry `_pyzpack/`: not canonical: version needed"),
        (canonical_form({**files, "hello.py": b"other"}, line), f"entry `hello.py`: {contents_differ}"),
        (canonical_form({**files, "more.py": b"other"}, line), f"entry `more.py`: {contents_differ}"),
        (canonical_form({**files, "_pyzpack/manifest.json": b"{}"}, line), "missing field `format`"),
    ]:
        path.write_bytes(changed)
        for arguments in ([], ["--check"]):
            done = pyzpack.run("normalize", path, *arguments)
            first, second = done.stderr.splitlines()
            assert (done.returncode, done.stdout) == (1, "")
            assert first.startswith(f"error: `{path}` is a .pyz of pyzpack, and not as it was built: {reason}")
            assert second == (
                "hint: build it again, or see what `pyzpack verify` says of it: its own digests name what it holds"
            )
            assert path.read_bytes() == changed


def canonical_form(files: dict[str, bytes], prefix: bytes) -> bytes:
    """An archive in format 1 with these members, by Python."""
    file = io.BytesIO()
    file.write(prefix)
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.create_version, entry.extract_version = 3, 20, 10
            entry.external_attr = 0o040755 << 16 | 0x10 if name.endswith("/") else 0o100644 << 16
            archive.writestr(entry, files[name])
    # `zipfile` does not write that it needs no more than 1.0.
    data = file.getvalue().replace(b"PK\3\4\x14\0", b"PK\3\4\x0a\0")
    return data.replace(b"PK\1\2\x14\3\x14\0", b"PK\1\2\x14\3\x0a\0")
