"""PYZPACK_VERIFY=1: every file is the one that the manifest names before any of them runs, or none runs."""

import hashlib
import json
import os
import sys
import unittest

from packing import WHOLE, Case, forget_bytecode, list_files

POSIX = os.name == "posix"
RAN = "def main(): print('ran')"
BAD = "def main(): print('bad')"
FILES = {
    "tool.py": RAN,
    "pkg/__init__.py": "A = 1\n" * 100,
    "pkg/data/deep.bin": bytes(range(256)) * 5000,
    "pkg/empty": "",
    "bin/run": ("#!/bin/sh\n", 0o755),
    "caf\u00e9.txt": "caf\u00e9",
}
SIZE = 24 + 600 + 1280000 + 10 + 5
BOTH = ("extract", "zip")


def digest(content):
    return hashlib.sha256(content.encode()).hexdigest()


class VerifyTest(Case):
    def setUp(self):
        super().setUp()
        self.env["PYZPACK_VERIFY"] = "1"

    def passed(self, path, layout, count=6, size=SIZE):
        text = "%s: %d %sfiles, %d bytes, are those of its manifest; only a signature tells whose it is; run: %s\n"
        unpacked = "unpacked " if layout == "extract" else ""
        how = "pyzpack verify --key PUBLIC-KEY " + path
        return text % (os.path.basename(path), count, unpacked, size, how)

    def assert_refused(self, path, problem):
        expected = "%s: %s is damaged: %s; get it again\n" % (os.path.basename(path), path, problem)
        self.assert_ran(self.run_pyz(path), "", 1, expected)

    def test_says_what_was_checked_then_runs(self):
        for layout in BOTH:
            path = self.pack(FILES, layout)
            for _ in range(2):
                self.assert_ran(self.run_pyz(path), "ran\n", stderr=self.passed(path, layout))
            self.assert_ran(self.run_pyz(path, env={"PYZPACK_QUIET": "1"}), "ran\n")
            self.assert_ran(self.run_pyz(path, env={"PYZPACK_VERIFY": "0"}), "ran\n")

    def test_several_payloads_are_one_tree(self):
        path = self.pack(FILES, payload_count=3)
        self.assert_ran(self.run_pyz(path), "ran\n", stderr=self.passed(path, "extract"))

    def test_without_standard_error_it_still_refuses(self):
        for layout in BOTH:
            path = self.pack(dict(FILES, **{"tool.py": "def main(): open('ran', 'w')"}), layout)
            done = self.run_command("sh", "-c", '"$0" "$1" 2>&-', self.python, path)
            self.assert_ran(done, "")
            os.unlink(self.path("ran"))
            path = self.pack(dict(FILES, **{"tool.py": "def main(): open('ran', 'w')"}), layout, manifest=self.drop)
            done = self.run_command("sh", "-c", '"$0" "$1" 2>&-', self.python, path)
            self.assert_ran(done, "", 1)
            self.assertFalse(os.path.exists(self.path("ran")))

    @staticmethod
    def drop(document):
        return dict(document, files=document["files"][1:])

    def test_changed_files_are_refused_by_both_digests(self):
        for layout in BOTH:
            files = dict(FILES, **{"tool.py": BAD})
            path = self.pack(files, layout, manifest=lambda document: dict(document, files=list_files(FILES)))
            text = "`tool.py` has sha256 %s, its manifest says %s"
            self.assert_refused(path, text % (digest(BAD), digest(RAN)))

    def test_sizes_and_modes_are_the_manifests(self):
        def change(**values):
            def changed(document):
                row = next(row for row in document["files"] if row["path"] == "tool.py")
                row.update(values)
                return document

            return changed

        for layout in BOTH:
            path = self.pack(FILES, layout, manifest=change(size=25))
            self.assert_refused(path, "`tool.py` has 24 bytes, its manifest says 25")
            path = self.pack(FILES, layout, manifest=change(mode="0755"))
            self.assert_refused(path, "`tool.py` has mode 0644, its manifest says 0755")

    def test_unlisted_files_are_refused(self):
        tag = "cpython-%d%d" % sys.version_info[:2]
        for layout in BOTH:
            for name in ("json.py", "pkg/more.py", "evil.pth", "tool.pyc", "pkg/__pycache__/__init__.%s.pyc" % tag):
                files = dict(FILES, **{name: "print('bad')"})
                path = self.pack(files, layout, manifest=lambda document: dict(document, files=list_files(FILES)))
                # Layout `zip` has entries for directories.
                name = "pkg/__pycache__/" if layout == "zip" and "__pycache__" in name else name
                self.assert_refused(path, "it holds `%s`, which its manifest does not list" % name)

    def test_unlisted_entries_of_the_file_itself_are_refused(self):
        for layout in BOTH:
            for name in ("hashlib.py", "_pyzpack/more.py", "_pyzpack/payload-9.zip", "deep/", "pkg/data/x"):
                path = self.pack(FILES, layout, extra={name: "print('bad')" if name[-1] != "/" else ""})
                self.assert_refused(path, "it holds `%s`, which its manifest does not list" % name)
        path = self.pack(FILES, "zip", extra={"pkg/": "print('bad')"})
        self.assert_refused(path, "it holds `pkg/`, which its manifest does not list")

    def test_missing_files_are_refused(self):
        for layout in BOTH:
            files = {name: content for name, content in FILES.items() if name != "pkg/__init__.py"}
            path = self.pack(files, layout, manifest=lambda document: dict(document, files=list_files(FILES)))
            text = "`pkg/__init__.py` is missing, its manifest says sha256 %s"
            self.assert_refused(path, text % digest(FILES["pkg/__init__.py"]))

    def test_manifests_that_cannot_be_used_are_refused(self):
        rows = list_files(FILES)
        documents = {
            "its manifest is another layout's": [{"format": 1, "layout": "other", "files": rows}],
            "its manifest is broken": [
                {"format": 2, "layout": "zip", "files": rows},
                {"format": 1, "layout": "zip", "files": rows + rows[:1]},
                {"format": 1, "layout": "zip", "files": [dict(rows[0], mode="rwx")]},
                {"format": 1, "layout": "zip", "files": [dict(rows[0], path=["a"])]},
                {"format": 1, "layout": "zip", "files": [{"path": "tool.py"}]},
                {"format": 1, "layout": "zip", "files": 1},
                {"format": 1, "layout": "zip"},
                [],
                None,
            ],
        }
        for problem, candidates in documents.items():
            for candidate in candidates:
                path = self.pack(FILES, "zip", manifest=lambda _, candidate=candidate: candidate)
                self.assert_refused(path, problem)
        good = json.dumps({"format": 1, "layout": "zip", "files": rows})
        broken = (
            good[:-1],
            good + "x",
            "[" * 100000,
            good.replace('{"format": 1', '{"format": 1, "format": 1'),
            b"\xff",
            b"\xef\xbb\xbf" + good.encode(),
        )
        for content in broken:
            path = self.pack(FILES, "zip", extra={"_pyzpack/manifest.json": content})
            self.assert_refused(path, "its manifest is broken")

    def test_every_changed_byte_is_refused_or_harmless(self):
        for layout in BOTH:
            files = {"tool.py": RAN, "pkg/__init__.py": "A = 1\n" * 9}
            path = self.pack(files, layout, name=layout + ".pyz")
            with open(path, "rb") as file:
                good = file.read()
            fine = self.passed(path, layout, 2, 78)
            start = good.index(b"_pyzpack/manifest.json")
            refused = 0
            for at in range(start, len(good), (len(good) - start) // 80):
                bad = bytearray(good)
                bad[at] ^= 0x41
                with open(path, "wb") as file:
                    file.write(bad)
                done = self.run_pyz(path)
                if done.returncode:  # By the check, or by Python where a byte of the start itself was changed.
                    self.assertEqual((done.stdout, done.returncode), ("", 1), (at, done.stderr))
                    refused += done.stderr.startswith(layout + ".pyz: " + path)
                else:  # A time, or the system that an entry was made on.
                    self.assert_ran(done, "ran\n", stderr=fine)
            self.assertGreater(refused, 10, layout)

    def test_gaps_and_bytes_around_the_archive_are_refused(self):
        for layout in BOTH:
            path = self.pack(FILES, layout)
            with open(path, "rb") as file:
                good = file.read()
            for bad, problem in (
                (good + b"x", "it does not end in a zip directory that pyzpack wrote"),
                (b"#!/usr/bin/python\n" + good[18:22] + b"\n" + good[23:], "there is a gap in it"),
                (b"no" + good[2:], "there is a gap in it"),
            ):
                with open(path, "wb") as file:
                    file.write(bad)
                done = self.run_pyz(path)
                self.assertEqual((done.stdout, done.returncode), ("", 1), done.stderr)
                if not done.stderr.count("can't find '__main__'"):
                    self.assert_refused(path, problem)

    def plant(self, tree):
        """Whatever can be done to a tree by who can write to it; the application would start as `bad`."""
        cache = os.path.join(tree, "pkg", "__pycache__")
        os.mkdir(cache)
        outside = self.path("outside")
        os.mkdir(outside)
        planted = {
            os.path.join(tree, "tool.py"): BAD,
            os.path.join(cache, "__init__.cpython-%d%d.pyc" % sys.version_info[:2]): "bad",
            os.path.join(tree, "evil.pth"): "import os; os._exit(9)\n",
            os.path.join(tree, "json.py"): "import os; os._exit(9)\n",
            os.path.join(tree, "hashlib.py"): "import os; os._exit(9)\n",
            os.path.join(outside, "__init__.py"): "import os; os._exit(9)\n",
        }
        for name, content in planted.items():
            with open(name, "w") as file:
                file.write(content)
        if POSIX:
            os.symlink(outside, os.path.join(tree, "pkg", "linked"))
            os.rename(os.path.join(tree, "pkg", "data"), os.path.join(outside, "data"))
            os.symlink(os.path.join(outside, "data"), os.path.join(tree, "pkg", "data"))
            os.chmod(os.path.join(tree, "bin"), 0o777)
        forget_bytecode(tree)

    def test_what_was_done_to_the_tree_is_undone_and_said(self):
        path = self.pack(FILES)
        self.run_pyz(path)
        tree = self.tree()
        self.plant(tree)
        # The tree would be taken for whole.
        self.assertEqual(self.run_pyz(path, env={"PYZPACK_VERIFY": None}).stdout, "bad\n")
        os.utime(tree, (WHOLE, WHOLE))
        count, first = (2, "pkg/data/deep.bin") if POSIX else (1, "tool.py")
        said = "tool.pyz: restored %d of the unpacked files, the first is %s\n" % (count, first)
        env = {"PYTHONDONTWRITEBYTECODE": "1"}
        self.assert_ran(self.run_pyz(path, env=env), "ran\n", stderr=said + self.passed(path, "extract"))
        found = set()
        for directory, directories, names in os.walk(tree):
            found.update(os.path.relpath(os.path.join(directory, name), tree) for name in names)
            for name in directories:
                self.assertFalse(os.path.islink(os.path.join(directory, name)), name)
                self.assertEqual(os.stat(os.path.join(directory, name)).st_mode & 0o022, 0)
        self.assertEqual(found, {os.path.join(*name.split("/")) for name in FILES} | {".pyzpack"})
        self.assert_ran(self.run_pyz(path, env=env), "ran\n", stderr=self.passed(path, "extract"))

    @unittest.skipUnless(POSIX, "links")
    def test_a_link_in_the_trees_place_is_replaced(self):
        path = self.pack(FILES)
        self.run_pyz(path)
        tree = self.tree()
        os.rename(tree, self.path("elsewhere"))
        with open(self.path("elsewhere", "tool.py"), "w") as file:
            file.write(BAD)
        os.symlink(self.path("elsewhere"), tree)
        self.assert_ran(self.run_pyz(path), "ran\n", stderr=self.passed(path, "extract"))
        self.assertFalse(os.path.islink(tree))
        with open(self.path("elsewhere", "tool.py")) as file:
            self.assertEqual(file.read(), BAD)

    def test_a_changed_payload_is_refused_by_both_digests(self):
        path = self.pack(FILES)
        with open(path, "rb") as file:
            good = file.read()
        at = good.index(b"_pyzpack/payload.zipPK\3\4") + len("_pyzpack/payload.zip")
        size = int.from_bytes(good[at - 38 + 6 : at - 38 + 10], "little")
        payload = good[at : at + size]
        # The time of the first entry: no reader of the zip minds.
        bad = payload[:10] + b"\1" + payload[11:]
        with open(path, "wb") as file:
            file.write(good.replace(payload, bad))
        digests = tuple(hashlib.sha256(content).hexdigest() for content in (bad, payload))
        self.assert_refused(path, "its payload's sha256 is %s, expected %s" % digests)

    def test_the_check_imports_the_standard_library_alone(self):
        evil = "import os\nos.write(1, b'bad')\nos._exit(9)\n"
        hostile = self.path("hostile")
        os.mkdir(hostile)
        for name in ("hashlib", "json", "queue", "binascii", "shutil"):
            with open(os.path.join(hostile, name + ".py"), "w") as file:
                file.write(evil)
        for layout in BOTH:
            # Modules of these names run for the application, whose own they are, and not for the check.
            files = dict(FILES, **{"tool.py": "import sys\n" + RAN, "queue.py": evil, "hashlib.py": evil})
            path = self.pack(files, layout)
            size = SIZE + len("import sys\n") + 2 * len(evil)
            expected = self.passed(path, layout, len(files), size)
            python = [self.python, "-S"]  # What runs before __main__.py is nobody's to guard.
            self.assert_ran(self.run_pyz(path, python=python, env={"PYTHONPATH": hostile}), "ran\n", stderr=expected)
            self.assert_ran(self.run_pyz(path, cwd=hostile), "ran\n", stderr=expected)

    def test_bytecode_beside_the_tree_is_not_used(self):
        path = self.pack(FILES)
        prefix = self.path("prefix")
        code = "def main():\n    import sys\n    print(sys.pycache_prefix)\n"
        path = self.pack({"tool.py": code})
        env = {"PYTHONPYCACHEPREFIX": prefix}
        done = self.run_pyz(path, env=env)
        self.assert_ran(done, "None\n", stderr=self.passed(path, "extract", 1, len(code)))
        self.assert_ran(self.run_pyz(path, env=dict(env, PYZPACK_VERIFY="0")), prefix + "\n")

    def test_pth_files_run_after_the_check(self):
        files = dict(FILES, **{"a.pth": "import sys; print('pth', flush=True)\n"})
        for layout in BOTH:
            path = self.pack(files, layout, pth=("a.pth",))
            done = self.run_pyz(path)
            self.assert_ran(done, "pth\nran\n", stderr=self.passed(path, layout, 7, SIZE + len(files["a.pth"])))
            path = self.pack(files, layout, pth=("a.pth",), manifest=self.drop)
            self.assert_refused(path, "it holds `a.pth`, which its manifest does not list")

    def test_bombs_are_not_followed(self):
        big = self.pack(dict(FILES, **{"big.bin": bytes(300 << 20)}), "zip")
        with open(big, "rb") as file:
            content = file.read()
        # Both headers say that the entry has few bytes; deflate says otherwise.
        size = (300 << 20).to_bytes(4, "little")
        self.assertEqual(content.count(size), 2)
        with open(big, "wb") as file:
            file.write(content.replace(size, (100).to_bytes(4, "little")))
        self.assert_refused(big, "the file big.bin in it is broken")


if __name__ == "__main__":
    unittest.main()
