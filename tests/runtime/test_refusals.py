"""A .pyz that does not fit says so in one line and exits with status 1; its twin that fits runs."""

import os
import platform
import subprocess
import sys
import unittest

from packing import Case

HERE = sys.version_info[:2]
FOUND = "this is Python %d.%d.%d (%s)" % (sys.version_info[:3] + (sys.executable,))
LINUX = sys.platform == "linux"


def old_pythons():
    """Interpreters before 3.8, for refusals alone."""
    found = []
    for path in os.environ.get("PYZPACK_TEST_PYTHONS", "").split(os.pathsep):
        if path:
            code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
            text = subprocess.run([path, "-S", "-c", code], stdout=subprocess.PIPE, encoding="ascii").stdout.strip()
            if text and tuple(int(part) for part in text.split(".")) < (3, 8):
                found.append((path, text))
    return found


class RefusalTest(Case):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        self.env["PATH"] = self.path("bin")

    def attempt(self, python=None, **app):
        path = self.pack({"tool.py": "def main(): print('ran')"}, "zip", **app)
        return self.run_pyz(path, python=python or self.python)

    def assert_refused(self, done, text):
        self.assert_ran(done, "", 1, text + "\n")

    def test_older_pythons_get_one_line(self):
        pythons = old_pythons()
        if not pythons:
            self.skipTest("no Python before 3.8 among PYZPACK_TEST_PYTHONS")
        for path, version in pythons:
            for layout in ("zip", "extract"):
                pyz = self.pack({"tool.py": "def main(): pass"}, layout, pythons=((3, 8), (3, 9), (3, 10)))
                expected = (
                    "tool.pyz: needs Python 3.8 to 3.10, this is Python %s (%s); "
                    "none of those is on PATH: install one, then run: pythonX.Y %s" % (version, path, pyz)
                )
                self.assert_refused(self.run_pyz(pyz, python=path), expected)

    def test_minor_version_must_be_listed(self):
        other = (3, HERE[1] + 1)
        done = self.attempt(pythons=(other,))
        self.assert_refused(
            done,
            "tool.pyz: needs Python 3.%d, %s; none of those is on PATH: install one, then run: pythonX.Y %s"
            % (other[1], FOUND, self.path("tool.pyz")),
        )
        self.assert_ran(self.attempt(pythons=(HERE, other)), "ran\n")

    def test_newer_versions_need_an_open_end(self):
        older = (3, HERE[1] - 1)
        done = self.attempt(pythons=((3, 5), older))
        self.assertIn("needs Python 3.5, 3.%d, " % older[1] if older[1] > 6 else "needs", done.stderr)
        self.assertEqual((done.stdout, done.returncode), ("", 1))
        self.assert_ran(self.attempt(pythons=(older,), newest=older), "ran\n")
        done = self.attempt(pythons=((3, HERE[1] + 1),), newest=(3, HERE[1] + 1))
        self.assertIn("needs Python 3.%d or newer, " % (HERE[1] + 1), done.stderr)

    def test_patch_release_must_not_be_refused(self):
        patch, path = sys.version_info[2], self.path("tool.pyz")
        needs = "!=3.%d.%d" % (HERE[1], patch)
        done = self.attempt(refused={HERE: ((patch,), needs)})
        self.assert_refused(
            done, "tool.pyz: needs Python %s, %s; install one that fits, then run: pythonX.Y %s" % (needs, FOUND, path)
        )
        self.assert_ran(self.attempt(refused={HERE: ((patch + 1,), needs)}), "ran\n")
        self.assert_ran(self.attempt(refused={(3, HERE[1] + 1): ((patch,), needs)}), "ran\n")

    @unittest.skipIf(os.name == "nt", "a shell script")
    def test_fitting_interpreter_on_path_is_named(self):
        fitting = self.path("bin", "python3.77")
        with open(fitting, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(fitting, 0o755)
        path = self.path("tool.pyz")
        expected = "tool.pyz: needs Python 3.77, %s; run: %s %s" % (FOUND, fitting, path)
        self.assert_refused(self.attempt(pythons=((3, 77),)), expected)

    @unittest.skipUnless(LINUX and os.confstr("CS_GNU_LIBC_VERSION"), "Linux with glibc")
    def test_platform_must_fit(self):
        machine = platform.machine()
        libc = os.confstr("CS_GNU_LIBC_VERSION")
        here = "this is Linux on %s with %s" % (machine, libc)
        advice = "get the file for this platform, or build one here with pyzpack"
        for tag, needs in [
            (("linux_vax", "linux", ("vax",), None, None), "Linux on vax"),
            (
                ("manylinux_2_99", "linux", (machine,), "glibc", (2, 99)),
                "Linux on %s with glibc 2.99 or newer" % machine,
            ),
            (("musllinux_1_2", "linux", (machine,), "musl", None), "Linux on %s with musl" % machine),
            (
                ("macosx_11_0_arm64", "darwin", ("arm64",), None, 20),
                "macOS on arm64 with macOS 11 or newer",
            ),
            (("macosx_10_9", "darwin", ("x86_64",), None, 13), "macOS on x86_64 with macOS 10.9 or newer"),
            (("win_amd64", "win32", ("win-amd64",), None, None), "Windows on win-amd64"),
            (("plan9", "plan9", (), None, None), "plan9"),
        ]:
            with self.subTest(tag=tag[0]):
                expected = "tool.pyz: made for %s, %s; %s" % (needs, here, advice)
                self.assert_refused(self.attempt(platform=tag), expected)
        glibc = tuple(int(part) for part in libc.split()[1].split("."))
        for tag in [
            None,
            ("linux", "linux", (machine,), None, None),
            ("manylinux_2_5", "linux", (machine,), "glibc", (2, 5)),
            ("manylinux_exact", "linux", ("vax", machine), "glibc", glibc[:2]),
        ]:
            with self.subTest(tag=tag):
                self.assert_ran(self.attempt(platform=tag), "ran\n")

    def test_unknown_console_script_lists_what_there_is(self):
        scripts = {"a": ("object", "tool", "main"), "b": ("object", "tool", "main")}
        path = self.pack({"tool.py": "def main(): print('ran')"}, scripts=scripts)
        done = self.run_pyz(path, env={"PYZPACK_SCRIPT": "c"})
        self.assert_refused(done, "tool.pyz: no console script `c` in it; there are: a, b")
        self.assert_ran(self.run_pyz(path, env={"PYZPACK_SCRIPT": "b"}), "ran\n")
        self.assert_ran(self.run_pyz(path, env={"PYZPACK_SCRIPT": ""}), "ran\n")


if __name__ == "__main__":
    unittest.main()
