"""Packs small .pyz files for the tests, laid out as pyzpack lays them out, and runs them.

The constants are put in place of the one line of find.py that ends in MARKER, as src/runtime/mod.rs does; a test there
pins how that line looks.
"""

import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

# A shell starts what goes into the background with SIGINT ignored, which every child inherits.
signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "src", "runtime", "python")
MARKER = "# pyzpack: constants"
SUPPORT = tuple(sorted(set(os.listdir(SOURCES)) - {"main.py", "find.py", "__pycache__"}))
ALL_PYTHONS = tuple((3, minor) for minor in range(8, 15))
WHOLE = 946684800


def read_source(name):
    with open(os.path.join(SOURCES, name), encoding="ascii") as file:
        return file.read()


def write_zip(entries, base=0):
    """A zip of {name: content or (content, mode)}: no directories but those given, deflated where smaller, sorted."""
    body, directory = b"", b""
    for name in sorted(entries, key=str.encode):
        content, mode = entries[name] if isinstance(entries[name], tuple) else (entries[name], 0o644)
        content = content.encode() if isinstance(content, str) else content
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = deflate.compress(content) + deflate.flush()
        # The packer stores payloads and what is read before zlib is.
        stored = name in ("__main__.py", "_pyzpack/find.py") or name.startswith("_pyzpack/payload")
        method = 0 if stored or len(data) >= len(content) else 8
        data = data if method else content
        raw = name.encode()
        flags = 0 if name.isascii() else 0x800
        common = struct.pack(
            "<5H3L2H", 20, flags, method, 0, 0x21, zlib.crc32(content), len(data), len(content), len(raw), 0
        )
        kind = 0o040755 << 16 | 0x10 if name.endswith("/") else (0o100000 | mode) << 16
        directory += b"PK\1\2" + struct.pack("<H", 0x314) + common
        directory += struct.pack("<3H2L", 0, 0, 0, kind, base + len(body)) + raw
        body += b"PK\3\4" + common + raw + data
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(entries), len(entries), len(directory), base + len(body), 0)
    return body + directory + end


def render_find(**app):
    """find.py with its constants; what is not given has harmless values."""
    constants = {
        "name": "tool",
        "version": "1.0",
        "requires_python": ">=3.8",
        "pythons": ALL_PYTHONS,
        "newest": None,
        "platform": None,
        "payloads": (),
        "tree": None,
        "boot": "0123456789abcdef",
        "entry": ("object", "tool", "main"),
        "scripts": {},
        "pth": (),
    }
    assert not set(app) - set(constants) - {"refused", "export_path"}, app
    constants.update(app)
    lines = read_source("find.py").splitlines(True)
    marked = [number for number, line in enumerate(lines) if line.rstrip().endswith(MARKER)]
    assert len(marked) == 1
    lines[marked[0]] = "APP = %s\n" % ascii(constants)
    return "".join(lines)


def list_files(files):
    """The manifest's rows of {name: content or (content, mode)}."""
    rows = []
    for name in sorted(files):
        content, mode = files[name] if isinstance(files[name], tuple) else (files[name], 0o644)
        content = content.encode() if isinstance(content, str) else content
        digest = hashlib.sha256(content).hexdigest()
        rows.append({"path": name, "sha256": digest, "size": len(content), "mode": "%04o" % mode})
    return rows


def pack(path, files, layout="extract", payload_count=1, manifest=None, extra=None, **app):
    """Write a .pyz of these files. `manifest` changes the document before it goes in; `extra` are further entries."""
    shebang = b"#!/usr/bin/env python3\n"
    outer = {"_pyzpack/" + name: read_source(name) for name in SUPPORT}
    document = {"format": 1, "layout": layout, "files": list_files(files)}
    outer["_pyzpack/manifest.json"] = json.dumps(manifest(document) if manifest else document)
    outer.update(extra or {})
    if layout == "extract":
        names, payloads = sorted(files), []
        for number in range(payload_count):
            payload = write_zip({name: files[name] for name in names[number::payload_count]})
            name = "_pyzpack/payload%s.zip" % ("-%d" % (number + 1) if number else "")
            outer[name] = payload
            payloads.append((name, hashlib.sha256(payload).hexdigest()))
        app["payloads"] = tuple(payloads)
        digests = b"".join(bytes.fromhex(digest) for _, digest in payloads)
        app["tree"] = payloads[0][1] if payload_count == 1 else hashlib.sha256(digests).hexdigest()
    else:
        outer.update(files)
        for name in list(outer):
            parent = os.path.dirname(name.rstrip("/"))
            while parent:
                if parent + "/__init__.py" not in files and not parent.endswith(".dist-info"):
                    outer[parent + "/"] = b""
                parent = os.path.dirname(parent)
    outer["__main__.py"] = read_source("main.py")
    outer["_pyzpack/find.py"] = render_find(**app)
    with open(path, "wb") as file:
        file.write(shebang + write_zip(outer, len(shebang)))
    os.chmod(path, 0o755)
    return path


def forget_bytecode(tree):
    """Have the modules at a tree's root compiled anew."""
    for name in os.listdir(os.path.join(tree, "__pycache__")):
        os.unlink(os.path.join(tree, "__pycache__", name))
    os.utime(tree, (WHOLE, WHOLE))


class Case(unittest.TestCase):
    """A test with a directory of its own and an environment without Python's and pyzpack's variables."""

    def setUp(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="pyzpack-test-"))
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.home = self.path("home")
        os.mkdir(self.home)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYZPACK", "XDG_", "PIP_"))}
        self.env.update(HOME=self.home, TMPDIR=self.path("tmp"), LC_ALL="C.UTF-8")
        os.mkdir(self.path("tmp"))
        self.python = sys.executable

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def pack(self, files, layout="extract", name="tool.pyz", **app):
        return pack(self.path(name), files, layout, **app)

    def apps(self, root=None):
        """The names of the trees in the cache, and of what is under way or left there."""
        path = os.path.join(root or os.path.join(self.home, ".cache", "pyzpack"), "apps")
        names = set(os.listdir(path)) if os.path.isdir(path) else set()
        return sorted(names - {".%s.used" % name for name in names})

    def tree(self, root=None):
        """The only tree in the cache."""
        names = self.apps(root)
        self.assertEqual(len(names), 1, names)
        return os.path.join(root or os.path.join(self.home, ".cache", "pyzpack"), "apps", names[0])

    def run_command(self, *command, env=None, **options):
        env = dict(self.env, **(env or {}))
        env = {key: value for key, value in env.items() if value is not None}
        options.setdefault("cwd", self.dir)
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=120, **options
        )

    def run_pyz(self, path, *arguments, **options):
        python = options.pop("python", self.python)
        return self.run_command(*([python] if isinstance(python, str) else python), path, *arguments, **options)

    def assert_ran(self, done, stdout, status=0, stderr=""):
        self.assertEqual((done.stdout, done.stderr, done.returncode), (stdout, stderr, status))
