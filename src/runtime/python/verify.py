"""The check that PYZPACK_VERIFY=1 asks for: every file is the one that the manifest names, before any of them runs.

It finds damage, files that were added, and files changed by someone who left the manifest as it was. It is no proof of
who made the file: whoever can change all of it can change the manifest, and this check. By now find.py has put
nothing but the standard library on sys.path, so that neither the file's own modules nor PYTHONPATH's are imported here.
"""

import hashlib
import json
import os
import stat
import struct
import sys
import types
import zlib

MANIFEST = "_pyzpack/manifest.json"
MANIFEST_LIMIT = 256 << 20
# What the manifest does not list; payloads come on top.
SCRIPTS = (
    "ahead",
    "boot",
    "cache",
    "commands",
    "extract",
    "find",
    "pth",
    "reader",
    "refuse",
    "repair",
    "run",
    "tree",
    "verify",
)
OWN = {"__main__.py", MANIFEST, "_pyzpack/origins.json"} | {"_pyzpack/%s.py" % name for name in SCRIPTS}


def unlike(name, found, expected):
    """Two digests that differ."""
    return "`%s` has sha256 %s, its manifest says %s" % (name, found, expected)


def read_outer(file, kit):
    """The .pyz's own entries by name: behind its first line, without gap, no name twice."""
    entries, _ = kit.read_directory(file, 0, os.fstat(file.fileno()).st_size)
    file.seek(0)
    line = file.readline(130)
    start = len(line) if line[:2] == b"#!" and line[-1:] == b"\n" else 0
    outer = {}
    for entry in entries:
        name = entry.name.decode("utf-8")
        if name in outer:
            raise kit.Damaged("it holds `%s` twice" % name)
        outer[name] = entry
    if not entries or entries[0].offset != start:
        raise kit.Damaged("there is a gap in it")
    return outer


def read_entry(file, entry, kit):
    """The content of an entry of the .pyz itself, piece by piece."""
    # zipimport looks at neither the local header's name nor the CRC, other tools do: here all have to agree.
    if kit.read_header(file, 0, entry) != entry.name:
        raise kit.Damaged("a file's name is not the directory's")
    return kit.inflate_chunks(entry, kit.read_pieces(file, entry.packed))


def parse_manifest(data, kit):
    """The files that the manifest lists, by path, and its layout."""

    def unique(pairs):
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError
        return found

    try:
        manifest = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
        files = {}
        for file in manifest["files"]:
            expected = (str(file["sha256"]), int(file["size"]), int(file["mode"], 8))
            if files.setdefault(file["path"], expected) is not expected:
                raise ValueError
        if manifest["format"] != 1:
            raise ValueError
        return files, manifest["layout"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise kit.Damaged("its manifest is broken") from None


def compare(name, chunks, mode, expected, kit):
    """Refuse a file that is not the listed one; its size."""
    seen, size = hashlib.sha256(), 0
    try:
        for chunk in chunks:
            seen.update(chunk)
            size += len(chunk)
    except kit.Damaged:  # By its CRC. Where all of it was read, the digests tell more.
        if size != expected[1] or seen.hexdigest() == expected[0]:
            raise
    if seen.hexdigest() != expected[0]:
        raise kit.Damaged(unlike(name, seen.hexdigest(), expected[0]))
    if size != expected[1]:
        raise kit.Damaged("`%s` has %d bytes, its manifest says %d" % (name, size, expected[1]))
    if mode is not None and mode != expected[2]:
        raise kit.Damaged("`%s` has mode %04o, its manifest says %04o" % (name, mode, expected[2]))
    return size


def compare_names(found, listed, kit):
    """Refuse what is there and not listed, and the reverse."""
    for name in sorted(found - listed.keys()):
        raise kit.Damaged("it holds `%s`, which its manifest does not list" % name)
    for name in sorted(listed.keys() - found):
        raise kit.Damaged("`%s` is missing, its manifest says sha256 %s" % (name, listed[name][0]))


def check_zipped(file, outer, listed, kit):
    """The files are those of the .pyz itself; a directory may stand where something is in it. Their size."""
    parents = {name[: at + 1] for name in [MANIFEST, *listed] for at, letter in enumerate(name) if letter == "/"}
    found = {name for name in outer if name not in OWN and not (name in parents and not outer[name].packed)}
    compare_names(found, listed, kit)
    return sum(
        compare(name, read_entry(file, outer[name], kit), outer[name].mode, listed[name], kit) for name in sorted(found)
    )


def read_file(path, kit):
    """The content of a file, piece by piece."""
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(kit.CHUNK), b""):
            yield chunk


def check_unpacked(file, outer, listed, tree, payloads, kit):
    """The files are those of the payloads, as they were unpacked; theirs and the tree's digests. Their size."""
    found = set()
    for name, digest in payloads:
        for entry in kit.Payload(file, name, digest).entries:
            path = entry.name.decode("utf-8")
            if path in found:
                raise kit.Damaged("it holds `%s` twice" % path)
            found.add(path)
    for name in sorted(outer.keys() - OWN - {name for name, _ in payloads}):
        raise kit.Damaged("it holds `%s`, which its manifest does not list" % name)
    compare_names(found, listed, kit)
    size = 0
    for name in sorted(found):
        path = os.path.join(os.fsencode(tree), name.encode())
        mode = stat.S_IMODE(os.lstat(path).st_mode) if os.name == "posix" else None
        size += compare(name, read_file(path, kit), mode, listed[name], kit)
    return size


def check(file, app, site, kit):
    """Refuse what is not as the manifest says; how many files there are, and how many bytes they have."""
    outer = read_outer(file, kit)
    if MANIFEST not in outer or outer[MANIFEST].size > MANIFEST_LIMIT:
        raise kit.Damaged("its manifest is missing")
    listed, layout = parse_manifest(b"".join(read_entry(file, outer[MANIFEST], kit)), kit)
    if layout != ("extract" if app["payloads"] else "zip"):
        raise kit.Damaged("its manifest is another layout's")
    for name in sorted(OWN & outer.keys()):
        for _ in read_entry(file, outer[name], kit):
            pass
    if app["payloads"]:
        return len(listed), check_unpacked(file, outer, listed, site, app["payloads"], kit)
    return len(listed), check_zipped(file, outer, listed, kit)


def verify(app, reader, archive, site):
    """Say in one line what was checked; or what is wrong, and exit with status 1.

    `reader` is what reader.py defines. The tree was compared with its payload by now, and what was not unpacked was
    deleted from it.
    """
    # Else bytecode could come from a directory that is not checked.
    sys.pycache_prefix = None
    label = os.path.basename(sys.argv[0]) or app["name"]
    kit = types.SimpleNamespace(**reader)
    try:
        with open(archive, "rb") as file:
            count, size = check(file, app, site, kit)
    except (kit.Damaged, struct.error, zlib.error, UnicodeDecodeError) as damaged:
        problem = ascii(str(damaged))[1:-1]
        sys.exit("%s: %s is damaged: %s; get it again" % (label, archive, problem))
    except OSError as error:
        sys.exit("%s: cannot check %s: %s" % (label, os.fsdecode(error.filename or archive), error.strerror or error))
    if sys.stderr and os.environ.get("PYZPACK_QUIET", "0") in ("", "0"):
        text = "%s: %d %sfiles, %d bytes, are those of its manifest; only a signature tells whose it is; run: %s\n"
        how = "pyzpack verify --key PUBLIC-KEY " + archive
        sys.stderr.write(text % (label, count, "unpacked " if app["payloads"] else "", size, how))
        sys.stderr.flush()
