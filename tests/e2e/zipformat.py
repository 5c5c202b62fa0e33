"""A zip reader of its own, by APPNOTE and `struct` alone, that refuses all that format 1 does not have.

It shares nothing with pyzpack or with Python's zipfile, so that neither can excuse the other.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field

END = struct.Struct("<4s4H2LH")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8


class NotFormat1(AssertionError):
    """A rule of format 1 that the archive breaks."""


def check(holds: bool, rule: str) -> None:
    if not holds:
        raise NotFormat1(rule)


@dataclass
class Entry:
    name: str
    method: int
    moment: tuple[int, int]
    mode: int
    data: bytes
    compressed_size: int

    @property
    def is_directory(self) -> bool:
        return self.name.endswith("/")


@dataclass
class Archive:
    shebang: bytes
    entries: dict[str, Entry] = field(default_factory=dict)

    def content(self, name: str) -> bytes:
        return self.entries[name].data

    @property
    def moments(self) -> set[tuple[int, int]]:
        return {entry.moment for entry in self.entries.values()}


def inflate(stream: bytes, size: int, name: str) -> bytes:
    decoder = zlib.decompressobj(-15)
    data = decoder.decompress(stream) + decoder.flush()
    check(decoder.eof and not decoder.unused_data, f"{name}: the deflate stream uses exactly its compressed size")
    check(len(data) == size, f"{name}: the stream yields exactly the size")
    return data


def read_archive(raw: bytes, *, shebang: bool = True) -> Archive:
    """The entries of a format 1 file; payloads inside a .pyz have no shebang."""
    line = b""
    if shebang:
        check(raw.startswith(b"#!"), "starts with #!")
        line = raw[: raw.index(b"\n") + 1]
        check(len(line) <= 2 + 127 + 1, "shebang of at most 127 bytes")
    check(len(raw) >= END.size, "has an end record")
    signature, disk, central_disk, count_here, count, central_size, central_offset, comment = END.unpack(
        raw[-END.size :]
    )
    check(signature == b"PK\x05\x06", "one end record at the exact end")
    check((disk, central_disk, comment) == (0, 0, 0), "one disk, no comment")
    check(count_here == count and count < 0xFFFF, "counts agree, no zip64")
    check(central_offset + central_size == len(raw) - END.size, "the directory ends where the end record starts")

    archive = Archive(line)
    position, expected_local, names = central_offset, len(line), []
    for _ in range(count):
        (
            signature, made_by, needed, flags, method, time, date, crc, compressed, size,
            name_length, extra_length, comment_length, disk, internal, external, offset,
        ) = CENTRAL.unpack_from(raw, position)  # fmt: skip
        name_bytes = raw[position + CENTRAL.size : position + CENTRAL.size + name_length]
        name = name_bytes.decode("utf-8")
        check(signature == b"PK\x01\x02", "central signature")
        check((extra_length, comment_length, disk) == (0, 0, 0), f"{name}: no extra field, no comment, disk 0")
        check(made_by == (3 << 8 | 20), f"{name}: made by unix, 2.0")
        check(flags == (0 if name.isascii() else 0x0800), f"{name}: flags {flags:#06x}")
        check(internal == 0, f"{name}: internal attributes 0")
        check(method in (STORED, DEFLATED), f"{name}: stored or deflated")
        check(needed == (20 if method == DEFLATED else 10), f"{name}: version needed {needed}")
        if name.endswith("/"):
            check(external == (0o040755 << 16 | 0x10), f"{name}: directory attributes {external:#x}")
            check((method, size, compressed) == (STORED, 0, 0), f"{name}: directory stored and empty")
        else:
            check(external in (0o100644 << 16, 0o100755 << 16), f"{name}: attributes {external:#x}")
        check(size > 0 or method == STORED, f"{name}: an empty file is stored")
        position += CENTRAL.size + name_length
        names.append(name_bytes)

        check(offset == expected_local, f"{name}: local header at {offset}, expected {expected_local}: gap or overlap")
        local = LOCAL.unpack_from(raw, offset)
        same = (b"PK\x03\x04", needed, flags, method, time, date, crc, compressed, size, name_length, 0)
        check(local == same, f"{name}: local and central headers agree")
        start = offset + LOCAL.size + name_length
        check(raw[offset + LOCAL.size : start] == name_bytes, f"{name}: the same name in both headers")
        stream = raw[start : start + compressed]
        data = stream if method == STORED else inflate(stream, size, name)
        check(len(data) == size and zlib.crc32(data) == crc, f"{name}: size and CRC")
        expected_local = start + compressed
        archive.entries[name] = Entry(name, method, (date, time), external >> 16 & 0o7777, data, compressed)

    check(position == central_offset + central_size, "the directory has no trailing bytes")
    check(expected_local == central_offset, "no gap before the directory")
    check(names == sorted(names), "names sorted by their bytes")
    check(len(set(names)) == len(names), "no duplicate")
    check(len(archive.moments) <= 1, "one timestamp for all")
    return archive


def dos_moment(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> tuple[int, int]:
    """(date, time) as a zip header holds them."""
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2


def rewrite(archive: Archive) -> bytes:
    """Format 1 written once more from the entries, every one stored; for tampering twins."""
    output, central = io.BytesIO(), io.BytesIO()
    output.write(archive.shebang)
    for name, entry in sorted(archive.entries.items(), key=lambda item: item[0].encode()):
        encoded = name.encode()
        kind = 0o040000 if entry.is_directory else 0o100000
        external = (kind | entry.mode) << 16 | (0x10 if entry.is_directory else 0)
        flags = 0 if name.isascii() else 0x0800
        date, time = entry.moment
        crc, size = zlib.crc32(entry.data), len(entry.data)
        common = (10, flags, STORED, time, date, crc, size, size, len(encoded), 0)
        central.write(CENTRAL.pack(b"PK\x01\x02", 3 << 8 | 20, *common, 0, 0, 0, external, output.tell()) + encoded)
        output.write(LOCAL.pack(b"PK\x03\x04", *common) + encoded + entry.data)
    offset, count = output.tell(), len(archive.entries)
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, len(central.getvalue()), offset, 0)
    return output.getvalue() + central.getvalue() + end
