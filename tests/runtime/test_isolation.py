"""Nothing of the host's site-packages can be imported, and the standard library stays whole."""

import os
import subprocess
import sys
import unittest
import venv

from packing import Case

HOSTILE_FINDER = """
import sys
from importlib.machinery import ModuleSpec
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "conjured":
            return ModuleSpec(name, Loader())
class Loader:
    @staticmethod
    def create_module(spec): return None
    @staticmethod
    def exec_module(module): module.A = 1
def hook(path):
    if path.endswith("hooked"):
        return Finder
    raise ImportError
sys.meta_path.insert(0, Finder)
sys.path_hooks.insert(0, hook)
sys.path.append("/hooked")
"""
SITE_FILES = {
    "hostile_finder.py": HOSTILE_FINDER,
    "a_finder.pth": "import hostile_finder\n",
    "old/__init__.py": "VERSION = 'old'\n",
    "old/sub.py": "VERSION = 'old'\n",
    "b_old.pth": "import old, old.sub\n",
    "installed.py": "A = 1\n",
    "elsewhere.pth": "{elsewhere}\n",
    "ns-nspkg.pth": (
        "import sys, types, os;m = sys.modules.setdefault('ns', types.ModuleType('ns'));"
        "m.__dict__.setdefault('__path__', []).append(os.path.join(sys._getframe(1).f_locals['sitedir'], 'ns'))\n"
    ),
    "ns/host_part.py": "A = 1\n",
    "sitecustomize.py": "import installed, sys; sys.customized = True\n",
    "distutils/__init__.py": "A = 'replaced'\n",
    "typing_user.py": "import typing\n",
    "c_typing.pth": "import typing_user, typing, json, xml.dom, importlib.metadata, concurrent.futures\n",
}
PROBE = """
import sys
def main():
    seen = []
    for name in {names!r}:
        try:
            __import__(name)
            seen.append(name)
        except ImportError:
            pass
    import old, ns.app_part
    print(old.VERSION, seen, getattr(sys, "customized", False))
    import json, xml.dom, sqlite3, ctypes, encodings.idna, unittest, importlib.metadata, concurrent.futures
    print("stdlib")
"""
NAMES = ["hostile_finder", "conjured", "installed", "beyond", "old.sub", "ns.host_part", "sitecustomize", "pip"]


class IsolationTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import tempfile

        cls.venv = os.path.realpath(tempfile.mkdtemp(prefix="pyzpack-venv-"))
        venv.EnvBuilder(symlinks=os.name != "nt").create(os.path.join(cls.venv, "v"))
        script = os.path.join(cls.venv, "v", "Scripts" if os.name == "nt" else "bin", "python")
        cls.hostile = script
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        out = subprocess.run([script, "-I", "-c", code], stdout=subprocess.PIPE, encoding="utf-8", check=True)
        cls.site = out.stdout.strip()
        cls.elsewhere = os.path.join(cls.venv, "elsewhere")
        files = dict(SITE_FILES)
        for name, text in files.items():
            path = os.path.join(cls.site, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text.replace("{elsewhere}", cls.elsewhere))
        os.makedirs(cls.elsewhere)
        with open(os.path.join(cls.elsewhere, "beyond.py"), "w") as file:
            file.write("A = 1\n")

    @classmethod
    def tearDownClass(cls):
        import shutil

        shutil.rmtree(cls.venv, True)
        super().tearDownClass()

    def files(self, code=None):
        return {
            "tool.py": code or PROBE.format(names=NAMES),
            "old/__init__.py": "VERSION = 'new'",
            "ns/app_part.py": "",
        }

    def test_the_environment_is_hostile(self):
        code = "import old, conjured, installed, beyond, sitecustomize, ns.host_part; print(old.VERSION)"
        self.assert_ran(self.run_command(self.hostile, "-c", code), "old\n")

    def test_host_packages_cannot_be_imported(self):
        for layout in ("extract", "zip"):
            path = self.pack(self.files(), layout)
            self.assert_ran(self.run_pyz(path, python=self.hostile), "new [] True\nstdlib\n")

    def test_user_site_cannot_be_imported(self):
        base = self.path("user")
        code = "import site; print(site.getusersitepackages())"
        env = {"PYTHONUSERBASE": base}
        user_site = self.run_pyz("-c", code, env=env).stdout.strip()
        os.makedirs(user_site)
        for name in ("beyond", "usercustomize"):
            with open(os.path.join(user_site, name + ".py"), "w") as file:
                file.write("A = 1\n")
        self.assert_ran(self.run_pyz("-c", "import beyond", env=env), "")
        path = self.pack(self.files(PROBE.format(names=["beyond", "usercustomize"]).replace("old.VERSION", "1")))
        done = self.run_pyz(path, env=env)
        self.assert_ran(done, "1 [] False\nstdlib\n")

    def test_children_of_multiprocessing_are_isolated(self):
        code = (
            "import multiprocessing, sys\n"
            "def look(name):\n    import old\n    try:\n        __import__(name)\n    except ImportError:\n"
            "        return old.VERSION\n    return name\n"
            "def main():\n    for method in sys.argv[1:]:\n"
            "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
            "            print(pool.map(look, {!r}))\n".format(NAMES)
        )
        expected = "%r\n" % (["new"] * len(NAMES))
        methods = ["spawn"] if os.name == "nt" else ["spawn", "fork", "forkserver"]
        for layout in ("extract", "zip"):
            path = self.pack(self.files(code), layout)
            self.assert_ran(self.run_pyz(path, *methods, python=self.hostile), expected * len(methods))

    def test_pythonpath_comes_after_the_applications_own(self):
        extra = self.path("extra")
        os.makedirs(extra)
        for name in ("old", "more"):
            with open(os.path.join(extra, name + ".py"), "w") as file:
                file.write("VERSION = 'path'\n")
        code = (
            "def main():\n    import old\n    try:\n        import more\n    except ImportError:\n        more = old\n"
        )
        path = self.pack(self.files(code + "    print(old.VERSION, more.VERSION)"))
        env = {"PYTHONPATH": "extra"}
        self.assert_ran(self.run_pyz(path, env=env), "new path\n")
        self.assert_ran(self.run_pyz(path, python=[self.python, "-E"], env=env), "new new\n")
        self.assert_ran(self.run_pyz(path, python=[self.python, "-I"], env=env), "new new\n")

    def test_path_is_the_standard_library_then_the_application(self):
        code = "import sys\ndef main(): print('\\n'.join(sys.path))"
        expected = self.run_command(sys.executable, "-I", "-S", "-c", "import sys; print('\\n'.join(sys.path))").stdout
        for python in ([sys.executable], [self.hostile], [sys.executable, "-S"], [sys.executable, "-I"]):
            path = self.pack(self.files(code), "zip")
            self.assert_ran(self.run_pyz(path, python=python), expected + path + "\n")
            path = self.pack(self.files(code))
            done = self.run_pyz(path, python=python)
            self.assert_ran(done, expected + self.tree() + "\n")

    def test_clean_interpreters_lose_no_module(self):
        code = "import sys\ndef main(): print(sorted(set(sys.modules) - {'tool'}))"
        path = self.pack(self.files(code), "zip")
        before = (
            "import sys, runpy, zipimport; runpy.run_path; "
            "print(sorted(n for n in sys.modules if not n.startswith('__')))"
        )
        with open(self.path("before.py"), "w") as file:  # With -c some versions load linecache.
            file.write(before)
        listed = self.run_command(sys.executable, "-S", "before.py").stdout
        after = self.run_pyz(path, python=[sys.executable, "-S"]).stdout
        self.assertEqual(sorted(set(eval(listed)) - set(eval(after))), [])


@unittest.skipUnless(os.path.exists("/usr/bin/python3") and sys.platform == "linux", "no system Python")
class SystemPythonTest(Case):
    def test_distribution_packages_cannot_be_imported(self):
        done = self.run_command("/usr/bin/python3", "-I", "-c", "import sys; print(*sys.version_info[:2])")
        if tuple(map(int, done.stdout.split())) < (3, 8):
            self.skipTest("the system's Python is older than 3.8")
        code = "import sys\ndef main(): print([p for p in sys.path if 'packages' in p and p != sys.argv[0]])"
        path = self.pack({"tool.py": code}, "zip")
        self.assert_ran(self.run_pyz(path, python="/usr/bin/python3"), "[]\n")


if __name__ == "__main__":
    unittest.main()
