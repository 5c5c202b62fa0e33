"""Reads the zips that pyzpack writes: a .pyz itself, and the payloads in it.

Promises: no more is taken in than a payload's own numbers say; what is handed out has the right CRC, and a payload read
to its end the right sha256; a name that leads out of the tree is refused.
"""

import binascii
import hashlib
import os
import struct
import zlib

MARKER = ".pyzpack"
CHUNK = 1 << 20
LARGE = 4 << 20  # Entries from here on are streamed instead of being held in memory.


class Damaged(Exception):
    """What is wrong with the .pyz."""


class Entry:
    """A file of a payload."""

    __slots__ = ("crc", "deflated", "end", "mode", "name", "offset", "packed", "path", "size")


def read_exactly(file, size):
    """The next `size` bytes."""
    data = file.read(size)
    if len(data) != size:
        raise Damaged("it ends too early")
    return data


def check_name(name):
    """The parts of an entry's name, none of which leads out of the tree."""
    parts = name.split("/")
    if "\0" in name or "\\" in name or (os.name == "nt" and ":" in name):
        raise Damaged("it holds an unsafe name: %r" % name)
    if any(part in ("", ".", "..") for part in parts) or parts[0] == MARKER:
        raise Damaged("it holds an unsafe name: %r" % name)
    return parts


def read_directory(file, base, size):
    """The entries of the zip that takes `size` bytes from offset `base` on, by offset, and where they end.

    Only what pyzpack writes is read: no comment, no zip64, offsets from the zip's first byte (APPNOTE 4.3.12, 4.3.16).
    """
    if size < 22:
        raise Damaged("it ends too early")
    file.seek(base + size - 22)
    magic, disk, start, here, count, length, offset, comment = struct.unpack("<4s4H2LH", read_exactly(file, 22))
    if magic != b"PK\5\6" or disk or start or comment or here != count or offset + length != size - 22:
        raise Damaged("it does not end in a zip directory that pyzpack wrote")
    file.seek(base + offset)
    data = read_exactly(file, length)
    entries, at = [], 0
    for _ in range(count):
        fields = struct.unpack_from("<4s6H3L5H2L", data, at)
        if fields[0] != b"PK\1\2" or fields[4] not in (0, 8) or fields[11] or fields[12]:
            raise Damaged("its zip directory is broken")
        entry = Entry()
        entry.name = data[at + 46 : at + 46 + fields[10]]
        entry.deflated = fields[4] == 8
        entry.crc, entry.packed, entry.size = fields[7:10]
        entry.mode = 0o755 if fields[15] >> 16 & 0o100 else 0o644
        entry.offset = fields[16]
        entries.append(entry)
        at += 46 + fields[10]
    if at != length:
        raise Damaged("its zip directory is broken")
    entries.sort(key=lambda entry: entry.offset)
    for entry, end in zip(entries, [entry.offset for entry in entries[1:]] + [offset]):
        entry.end = end
    return entries, offset


def open_stream(entry, header):
    """Check an entry's local header (APPNOTE 4.3.7), of which `header` has the first 30 bytes; its whole length."""
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise Damaged("a file's header is broken")
    name, extra = struct.unpack_from("<2H", header, 26)
    if entry.offset + 30 + name + extra + entry.packed != entry.end:
        raise Damaged("a file's length is wrong")
    return 30 + name + extra


def inflate(entry, blob):
    """The content of a small entry, from its local header and data."""
    start = open_stream(entry, blob[:30])
    if blob[30 : 30 + len(entry.name)] != entry.name:
        raise Damaged("a file's name is not the directory's")
    data = memoryview(blob)[start:]
    if entry.deflated:
        # Deflate shrinks to 1/1032 at best: a damaged size must not have memory reserved for it.
        data = zlib.decompress(data, -15, max(1, min(entry.size, 1032 * len(data))))
    if len(data) != entry.size or binascii.crc32(data) != entry.crc:
        raise Damaged("the file %s in it is broken" % entry.name.decode("utf-8", "replace"))
    return data


def inflate_chunks(entry, chunks):
    """The content of a large entry, piece by piece, from pieces of its data."""
    size = crc = 0
    stream = zlib.decompressobj(-15) if entry.deflated else None
    for chunk in chunks:
        while chunk:
            data, chunk = (stream.decompress(chunk, CHUNK), stream.unconsumed_tail) if stream else (chunk, b"")
            size += len(data)
            if size > entry.size:
                break
            crc = binascii.crc32(data, crc)
            yield data
    if stream and size <= entry.size:
        data = stream.flush()
        size += len(data)
        crc = binascii.crc32(data, crc)
        yield data
    if size != entry.size or crc != entry.crc:
        raise Damaged("the file %s in it is broken" % entry.name.decode("utf-8", "replace"))


class Payload:
    """One payload inside the .pyz, read from its first byte to its last."""

    def __init__(self, file, name, digest):
        self.file, self.digest = file, digest
        outer, _ = read_directory(self.file, 0, os.fstat(self.file.fileno()).st_size)
        found = [entry for entry in outer if entry.name == name.encode()]
        if not found or found[0].deflated:
            raise Damaged("it has no stored " + name)
        self.file.seek(found[0].offset)
        self.base = found[0].offset + open_stream(found[0], read_exactly(self.file, 30))
        self.size = found[0].packed
        self.entries, self.directory = read_directory(self.file, self.base, self.size)
        at = 0
        for entry in self.entries:
            entry.path = check_name(entry.name.decode("utf-8"))
            if entry.offset != at:
                raise Damaged("there is a gap in it")
            at = entry.end

    def read_all(self):
        """Each entry with its bytes, or with an iterator of its data where it is large; the sha256 is checked last."""
        self.file.seek(self.base)
        seen = hashlib.sha256()

        def stream(entry):
            header = read_exactly(self.file, 30)
            rest = read_exactly(self.file, open_stream(entry, header) - 30)
            seen.update(header + rest)
            left = entry.packed
            while left:
                chunk = read_exactly(self.file, min(left, CHUNK))
                seen.update(chunk)
                left -= len(chunk)
                yield chunk

        for entry in self.entries:
            if entry.end - entry.offset >= LARGE:
                yield entry, stream(entry)
            else:
                blob = read_exactly(self.file, entry.end - entry.offset)
                seen.update(blob)
                yield entry, blob
        seen.update(read_exactly(self.file, self.size - self.directory))
        if seen.hexdigest() != self.digest:
            raise Damaged("its payload's sha256 is %s, expected %s" % (seen.hexdigest(), self.digest))

    def read(self, entry):
        """The content of one entry, piece by piece."""
        self.file.seek(self.base + entry.offset)
        header = read_exactly(self.file, 30)
        read_exactly(self.file, open_stream(entry, header) - 30)
        sizes = [CHUNK] * (entry.packed // CHUNK) + [entry.packed % CHUNK]
        return inflate_chunks(entry, (read_exactly(self.file, size) for size in sizes))

    def check_digest(self):
        """Read everything for its sha256 alone."""
        for _, content in self.read_all():
            if not isinstance(content, bytes):
                for _ in content:
                    pass
