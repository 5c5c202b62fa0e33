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
SYSTEM = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)


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
        here = ("x", sys.platform, (platform.machine(),), None, None)
        none, one = (
            "none of those is on PATH: install one, then run: pythonX.Y %s",
            "run: %s %%s" % self.path("bin", "python3.9"),
        )
        for layout, tag, needs, advice in [
            ("zip", None, "Python 3.8 to 3.10", none),
            ("extract", here, "CPython 3.8 to 3.10, %s on %s" % (SYSTEM, platform.machine()), none),
            ("extract", None, "Python 3.8 to 3.10", one),
        ]:
            pyz = self.pack({}, layout, pythons=((3, 8), (3, 9), (3, 10)), platform=tag)
            if advice is one:
                self.put("bin", "python3.9")
            for path, version in pythons:
                expected = "tool.pyz: needs %s; this is Python %s (%s); %s" % (needs, version, path, advice % pyz)
                self.assert_refused(self.run_pyz(pyz, python=path), expected)

    def test_minor_version_must_be_listed(self):
        other = (3, HERE[1] + 1)
        done = self.attempt(pythons=(other,))
        self.assert_refused(
            done,
            "tool.pyz: needs Python 3.%d; %s; none of those is on PATH: install one, then run: pythonX.Y %s"
            % (other[1], FOUND, self.path("tool.pyz")),
        )
        self.assert_ran(self.attempt(pythons=(HERE, other)), "ran\n")

    def test_newer_versions_need_an_open_end(self):
        older = (3, HERE[1] - 1)
        done = self.attempt(pythons=((3, 5), older))
        none = "none of those is on PATH: install one, then run: pythonX.Y " + self.path("tool.pyz")
        self.assert_refused(done, "tool.pyz: needs Python 3.5, 3.%d; %s; %s" % (older[1], FOUND, none))
        self.assert_ran(self.attempt(pythons=(older,), newest=older), "ran\n")
        done = self.attempt(pythons=((3, HERE[1] + 1),), newest=(3, HERE[1] + 1))
        self.assert_refused(done, "tool.pyz: needs Python 3.%d or newer; %s; %s" % (HERE[1] + 1, FOUND, none))

    def test_patch_release_must_not_be_refused(self):
        patch, path = sys.version_info[2], self.path("tool.pyz")
        needs = "!=3.%d.%d" % (HERE[1], patch)
        done = self.attempt(refused={HERE: ((patch,), needs)})
        self.assert_refused(
            done,
            "tool.pyz: needs Python %s; %s; none of those is on PATH: install one, then run: pythonX.Y %s"
            % (needs, FOUND, path),
        )
        self.assert_ran(self.attempt(refused={HERE: ((patch + 1,), needs)}), "ran\n")
        self.assert_ran(self.attempt(refused={(3, HERE[1] + 1): ((patch,), needs)}), "ran\n")

    def put(self, directory, name, content=b"\x7fELF", mode=0o755):
        """A file that could be an interpreter, in a directory on PATH."""
        path = self.path(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
        if self.path(directory) not in self.env["PATH"].split(os.pathsep):
            self.env["PATH"] += os.pathsep + self.path(directory)
        return path

    @unittest.skipIf(os.name == "nt", "modes and links")
    def test_fitting_interpreters_on_path_are_named(self):
        path, pythons = self.path("tool.pyz"), ((3, 75), (3, 76), (3, 77))
        needs = "tool.pyz: needs Python 3.75 to 3.77; %s; " % FOUND
        older = self.put("first", "python3.75")
        expected = needs + "run: %s %s" % (older, path)
        self.assert_refused(self.attempt(pythons=pythons), expected)
        newest = self.put("second", "python3.77")
        self.put("third", "python3.77")
        self.put("third", "python3.78")
        expected = needs + "on PATH: %s, %s; run: %s %s" % (newest, older, newest, path)
        self.assert_refused(self.attempt(pythons=pythons), expected)
        # Where later versions are taken, the next one is; what a shell would divide is quoted.
        spaced = self.put("a b", "python3.%d" % (HERE[1] + 2))
        os.rename(path, self.path("it's.pyz"))
        done = self.attempt(pythons=((3, HERE[1] + 1),), newest=(3, HERE[1] + 1))
        expected = "tool.pyz: needs Python 3.%d or newer; %s; run: '%s' %s" % (HERE[1] + 1, FOUND, spaced, path)
        self.assert_refused(done, expected)
        done = self.run_pyz(self.pack({}, "zip", "it's.pyz", pythons=pythons[:1]))
        quoted = "'%s'" % self.path("it'\\''s.pyz")
        self.assert_refused(done, "it's.pyz: needs Python 3.75; %s; run: %s %s" % (FOUND, older, quoted))

    @unittest.skipIf(os.name == "nt", "modes and links")
    def test_what_is_no_interpreter_of_its_name_is_not_named(self):
        path, name = self.path("tool.pyz"), "python3.77"
        expected = "tool.pyz: needs Python 3.77; %s; none of those is on PATH: install one, then run: pythonX.Y %s"
        self.put("shims", name, b"#!/bin/sh\n")
        self.put("plain", name, mode=0o644)
        self.put("directory", "x")
        os.mkdir(self.path("directory", name))
        for place, target in [
            ("broken", "nowhere"),
            ("other", self.put("other", "pypy3.77")),
            ("threads", self.put("threads", name + "t")),
            ("manager", self.put("manager", "mise")),
            ("circle", name),
        ]:
            self.put(place, "x")
            os.symlink(target, self.path(place, name))
        self.put("relative", name)
        self.env["PATH"] = self.env["PATH"].replace(self.path("relative"), "relative") + "::.:/nonexistent"
        self.assert_refused(self.attempt(pythons=((3, 77),)), expected % (FOUND, path))
        real = self.put("real", name)
        os.symlink(real, self.path("bin", name))
        expected = "tool.pyz: needs Python 3.77; %s; run: %s %s"
        self.assert_refused(self.attempt(pythons=((3, 77),)), expected % (FOUND, self.path("bin", name), path))

    @unittest.skipIf(os.name == "nt", "links")
    def test_versions_of_which_some_releases_do_not_fit_come_last(self):
        refused = {HERE: ((sys.version_info[2],), "!=x"), (3, 77): ((1,), "!=3.77.1")}
        certain, doubtful = self.put("first", "python3.76"), self.put("first", "python3.77")
        os.symlink(os.path.realpath(sys.executable), self.path("first", "python%d.%d" % HERE))
        done = self.attempt(pythons=(HERE, (3, 76), (3, 77)), refused=refused)
        expected = "tool.pyz: needs Python !=x; %s; on PATH: %s, %s; run: %s %s"
        self.assert_refused(done, expected % (FOUND, certain, doubtful, certain, self.path("tool.pyz")))

    def test_another_implementation_is_no_cpython(self):
        with open(self.path("sitecustomize.py"), "w") as file:
            file.write("import sys\nsys.implementation.name = 'pypy'\n")
        self.env["PYTHONPATH"] = self.dir
        done = self.attempt(platform=("x", sys.platform, (platform.machine(),), None, None), pythons=(HERE,))
        needs = "CPython %d.%d, %s" % (HERE + (SYSTEM,))
        found = FOUND.replace("Python", "PyPy", 1)
        none = "none of those is on PATH: install one, then run: pythonX.Y " + self.path("tool.pyz")
        expected = "tool.pyz: needs %s on %s; %s; %s" % (needs, platform.machine(), found, none)
        self.assert_refused(done, expected)
        self.assert_ran(self.attempt(pythons=(HERE,)), "ran\n")

    @unittest.skipUnless(LINUX and os.confstr("CS_GNU_LIBC_VERSION"), "Linux with glibc")
    def test_platform_must_fit(self):
        machine = platform.machine()
        libc = os.confstr("CS_GNU_LIBC_VERSION")
        versions = "CPython 3.8 to 3.14"
        here = "%s, Linux on %s with %s" % (FOUND, machine, libc)
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
                expected = "tool.pyz: needs %s, %s; %s; %s" % (versions, needs, here, advice)
                self.assert_refused(self.attempt(platform=tag), expected)
        # Where the version does not fit either, another one would not help.
        fitting = self.put("first", "python3.77")
        expected = "tool.pyz: needs CPython 3.77, Linux on vax; %s; %s" % (here, advice)
        vax = ("linux_vax", "linux", ("vax",), None, None)
        self.assert_refused(self.attempt(platform=vax, pythons=((3, 77),)), expected)
        here = ("linux", "linux", (machine,), "glibc", (2, 5))
        needs = "CPython 3.77, Linux on %s with glibc 2.5 or newer" % machine
        expected = "tool.pyz: needs %s; %s; run: %s %s" % (needs, FOUND, fitting, self.path("tool.pyz"))
        self.assert_refused(self.attempt(platform=here, pythons=((3, 77),)), expected)
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
