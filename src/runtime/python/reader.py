"""Reads the zips that pyzpack writes: a .pyz itself, and the payloads in it.

Promises: a zip of any other shape, or with a name that leads out of the tree, is refused; whoever reads a payload to
its end has read what its sha256 is of, or gets an error; content that is handed out has its size, and its CRC unless
that sha256 is still to come.
"""

import binascii
import hashlib
import os
import struct
import zlib

MARKER = b".pyzpack"
CHUNK = 1 << 20
LARGE = 16 << 20  # Entries that pack more are streamed instead of being held in memory.
BATCH = 256 << 10  # Packed and unpacked: some milliseconds of work.
UNSAFE = frozenset((b"", b".", b".."))


class Damaged(Exception):
    """What is wrong with the .pyz."""


class Entry:
    """A file of a zip. Its header, name and data lie from `offset` to `end`, counted from the zip's first byte."""

    __slots__ = ("crc", "deflated", "end", "mode", "name", "offset", "packed", "size")

    def __init__(self, name, mode, deflated, crc, packed, size, offset, end):
        self.name, self.mode, self.deflated, self.crc = name, mode, deflated, crc
        self.packed, self.size, self.offset, self.end = packed, size, offset, end


def read_exactly(file, size):
    """The next `size` bytes."""
    data = file.read(size)
    if len(data) != size:
        raise Damaged("it ends too early")
    return data


def read_pieces(file, size):
    """The next `size` bytes, piece by piece."""
    while size:
        piece = read_exactly(file, min(size, CHUNK))
        size -= len(piece)
        yield piece


def check_name(name):
    """Refuse an entry's name that leads out of the tree, or is not the application's to have."""
    parts = name.split(b"/")
    if not UNSAFE.isdisjoint(parts) or parts[0] == MARKER or b"\\" in name or b"\0" in name:
        raise Damaged("it holds an unsafe name: %r" % name.decode("utf-8"))
    if os.name == "nt" and b":" in name:
        raise Damaged("it holds an unsafe name: %r" % name.decode("utf-8"))


def read_directory(file, base, size):
    """The entries of the zip that takes `size` bytes from offset `base` on, each right behind the one before, and where
    they end.

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
    entries, at, end = [], 0, None
    # Without versions, flags, times, disk and internal attributes.
    unpack = struct.Struct("<4s6xH4x3L3H4x2L").unpack_from
    for _ in range(count):
        magic, method, crc, packed, unpacked, length, extra, comment, attributes, offset_here = unpack(data, at)
        if magic != b"PK\1\2" or method not in (0, 8) or extra or comment:
            raise Damaged("its zip directory is broken")
        if end is not None and offset_here != end:
            raise Damaged("there is a gap in it")
        end = offset_here + 30 + length + packed
        mode = 0o755 if attributes >> 16 & 0o100 else 0o644
        name = data[at + 46 : at + 46 + length]
        entries.append(Entry(name, mode, method == 8, crc, packed, unpacked, offset_here, end))
        at += 46 + length
    if at != len(data):
        raise Damaged("its zip directory is broken")
    if entries and end != offset:
        raise Damaged("there is a gap in it")
    return entries, offset


def read_header(file, base, entry):
    """The name in an entry's local header (APPNOTE 4.3.7); from there on the file has its data."""
    file.seek(base + entry.offset)
    magic, name, extra = struct.unpack("<4s22x2H", read_exactly(file, 30))
    if magic != b"PK\3\4" or name + extra != len(entry.name):
        raise Damaged("a file's header is broken")
    return read_exactly(file, name)


def broken(entry):
    return Damaged("the file %s in it is broken" % entry.name.decode("utf-8", "replace"))


def inflate(entry, packed):
    """The content of an entry, at once. Its CRC would be an eighth of a start that unpacks: the sha256 says more."""
    if entry.deflated:
        # Deflate shrinks to 1/1032 at best: a damaged size must not have memory reserved for it.
        packed = zlib.decompress(packed, -15, max(1, min(entry.size, 1032 * len(packed))))
    if len(packed) != entry.size:
        raise broken(entry)
    return packed


def inflate_chunks(entry, pieces):
    """The content of an entry, piece by piece, from pieces of its data."""
    size = crc = 0
    stream = zlib.decompressobj(-15) if entry.deflated else None
    for piece in pieces:
        while piece:
            data, piece = (stream.decompress(piece, CHUNK), stream.unconsumed_tail) if stream else (piece, b"")
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
        raise broken(entry)


def contents(entry, packed):
    """The content of an entry, in one piece or in several, from its data or from an iterator of pieces of it."""
    if not isinstance(packed, memoryview):
        return inflate_chunks(entry, packed)
    if entry.size <= CHUNK:
        return (inflate(entry, packed),)
    return inflate_chunks(entry, (packed[at : at + CHUNK] for at in range(0, len(packed), CHUNK)))


class Payload:
    """One payload inside the .pyz.

    Local headers are passed over: what they say is under the digest, and said by the directory.
    """

    def __init__(self, file, name, digest):
        self.file, self.digest = file, digest
        outer, _ = read_directory(self.file, 0, os.fstat(self.file.fileno()).st_size)
        found = [entry for entry in outer if entry.name == name.encode()]
        if not found or found[0].deflated:
            raise Damaged("it has no stored " + name)
        read_header(self.file, 0, found[0])
        self.base, self.size = self.file.tell(), found[0].packed
        self.entries, self.directory = read_directory(self.file, self.base, self.size)
        if self.entries and self.entries[0].offset:
            raise Damaged("there is a gap in it")
        for entry in self.entries:
            check_name(entry.name)

    def read_batches(self):
        """All entries in lists, each with its data; a large one alone, with an iterator that yields pieces of its data
        until the next list is asked for. The sha256 is checked last.
        """
        self.file.seek(self.base)
        seen = hashlib.sha256()

        def stream(size):
            for piece in read_pieces(self.file, size):
                seen.update(piece)
                yield piece

        batch, weight = [], 0
        for entry in self.entries + [None]:
            large = entry and entry.packed > LARGE
            if batch and (large or not entry or weight >= BATCH):
                start = batch[0].offset
                data = memoryview(read_exactly(self.file, batch[-1].end - start))
                seen.update(data)
                yield [(other, data[other.end - other.packed - start : other.end - start]) for other in batch]
                batch, weight = [], 0
            if large:
                seen.update(read_exactly(self.file, entry.end - entry.packed - entry.offset))
                pieces = stream(entry.packed)
                yield [(entry, pieces)]
                for _ in pieces:  # The digest wants every byte.
                    pass
            elif entry:
                batch.append(entry)
                weight += entry.packed + entry.size
        seen.update(read_exactly(self.file, self.size - self.directory))
        if seen.hexdigest() != self.digest:
            raise Damaged("its payload's sha256 is %s, expected %s" % (seen.hexdigest(), self.digest))

    def read(self, entry):
        """The content of one entry, piece by piece."""
        self.file.seek(self.base + entry.end - entry.packed)
        return inflate_chunks(entry, read_pieces(self.file, entry.packed))

    def check_digest(self):
        """Read everything for its sha256 alone."""
        for _ in self.read_batches():
            pass
