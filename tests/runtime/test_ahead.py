"""Modules are compiled while their files are still being unpacked: which, to what, and that nothing is lost by it."""

import errno
import glob
import importlib.util
import marshal
import os
import shutil
import signal
import sys
import time
import types
import unittest

from packing import SOURCES, Case, write_zip


def load(name):
    """What a file of the start defines."""
    names = {"__name__": name[:-3], "support": load}
    with open(os.path.join(SOURCES, name)) as file:
        exec(compile(file.read(), name, "exec"), names)
    return names


KIT = types.SimpleNamespace(**load("reader.py")), types.SimpleNamespace(**load("cache.py"))
AHEAD = types.SimpleNamespace(**load("ahead.py"))
# What is imported by a start of tool:main, with what only looks like it.
FILES = {
    "tool/__init__.py": "from . import first\n",
    "tool/first.py": "import plain, os, tool\nfrom .sub.deep import *\nfrom tool.sub import other, CONSTANT\n",
    "tool/sub/__init__.py": "from .. import first\nCONSTANT = 1\n",
    "tool/sub/deep.py": "try:\n    import missing\nexcept ImportError:\n    import fallback.inner\n",
    "tool/sub/other.py": "def function():\n    import uncalled\n",
    "plain.py": "class A:\n    pass\n",
    "fallback/__init__.py": "",
    "fallback/inner.py": "PLUGINS = ['named.plugin', 'plain text.', 'named.none', 'named']\n",
    "named/__init__.py": "",
    "named/plugin.py": "import inside.there\nimport carried\nfrom vendored import thing\n",
    "named/inside/__init__.py": "",
    "named/inside/there.py": "",
    "named/_vendor/__init__.py": "",
    "named/_vendor/carried.py": "",
    "named/vendored/__init__.py": "",
    "named/vendored/thing.py": "",
    "tool/cli.py": "def main():\n    from tool import late\n    print('ran')\n",
    "tool/late.py": "%s\nimport last\n" % "\n".join("import m%d" % number for number in range(300)),
    "last.py": "",
    "uncalled.py": "",
    "not_python.txt": "import uncalled\n",
}
ORDER = """tool tool/first plain tool/sub tool/sub/deep fallback fallback/inner tool/sub/other tool/cli tool/late last
named named/plugin named/inside named/inside/there named/_vendor named/_vendor/carried named/vendored
named/vendored/thing""".split()


class AheadTest(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, sys, "dont_write_bytecode", sys.dont_write_bytecode)
        sys.dont_write_bytecode = False

    def payload(self, files):
        """The one payload of a zip that holds another, and the descriptor of a directory to write to."""
        with open(self.path("outer.zip"), "wb") as file:
            file.write(write_zip({"_pyzpack/payload.zip": write_zip(files)}))
        file = open(self.path("outer.zip"), "rb")
        self.addCleanup(file.close)
        tree = self.path("tree")
        os.makedirs(os.path.join(tree, "__pycache__"), exist_ok=True)
        for name in files:
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
        descriptor = os.open(tree, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return [KIT[0].Payload(file, "_pyzpack/payload.zip", "")], types.SimpleNamespace(
            descriptor=descriptor, start=b""
        )

    def compiled(self):
        """Every .pyc in the tree, by its source's name without the end, and when it was written."""
        found = {}
        for directory, _, names in os.walk(self.path("tree")):
            for name in set(names) - {".ahead"}:
                path = os.path.join(directory, name)
                source = importlib.util.source_from_cache(path)
                found[os.path.relpath(source, self.path("tree"))[:-3]] = path
        return found

    def follow(self, entry, files):
        """The modules that are compiled for an entry point, in their order, packages by their names."""
        payloads, place = self.payload(files)
        compiler = AHEAD.Compiler(place, os.fsencode(self.path("tree")), payloads, KIT, lambda: False)
        order, write = [], compiler.write
        compiler.write = lambda name, source, code: (order.append(name.decode()), write(name, source, code))
        compiler.follow_entry(entry)
        return [name[: -len("/__init__.py")] if name.endswith("/__init__.py") else name[:-3] for name in order]

    def test_compiles_what_will_be_imported_in_its_order(self):
        self.assertEqual(self.follow(("object", "tool.cli", "main"), FILES), ORDER)

    def test_compiles_to_what_importlib_would(self):
        self.follow(("object", "tool.cli", "main"), FILES)
        compiled = self.compiled()
        self.assertEqual(sorted(compiled), sorted(name + "/__init__" * (name + ".py" not in FILES) for name in ORDER))
        for name, path in compiled.items():
            source = FILES[name + ".py"].encode()
            with open(path, "rb") as file:
                data = file.read()
            header = importlib.util.MAGIC_NUMBER + b"\3\0\0\0" + importlib.util.source_hash(source)
            self.assertEqual(data[:16], header, "checked against its source, PEP 552")
            code = compile(source, os.path.join(self.path("tree"), name + ".py"), "exec", dont_inherit=True)
            self.assertEqual(marshal.loads(data[16:]), code)

    def test_begins_where_each_kind_of_entry_point_does(self):
        files = {"a/__init__.py": "", "a/__main__.py": "def f():\n    import b\n", "b.py": "", "bin/run": "import b\n"}
        for entry, order in (
            (("module", "a"), ["a", "a/__main__", "b"]),
            (("module", "b"), ["b"]),
            (("object", "a", "main"), ["a"]),
            (("script", "bin/run"), ["b"]),
            (("executable", "bin/run"), []),
            (("object", "nowhere.at.all", "main"), []),
        ):
            with self.subTest(entry=entry):
                self.assertEqual(self.follow(entry, files), order)
                for path in self.compiled().values():
                    os.unlink(path)

    def test_compiles_nothing_that_is_not_what_the_directory_says(self):
        payloads, place = self.payload({"a.py": "VALUE = 'good'\n"})
        compiler = AHEAD.Compiler(place, os.fsencode(self.path("tree")), payloads, KIT, lambda: False)
        compiler.entries[b"a.py"][1].crc ^= 1  # As if the file was written to meanwhile.
        with self.assertRaises(KIT[0].Damaged):
            compiler.follow_entry(("module", "a"))
        self.assertEqual(self.compiled(), {})

    def test_ends_at_once(self):
        files = {"m%03d.py" % number: "import m%03d\n%s" % (number + 1, "x = 1\n" * 2000) for number in range(300)}
        payloads, place = self.payload(files)
        child = AHEAD.begin(("module", "m000"), place, os.fsencode(self.path("tree")), payloads, KIT)
        deadline = time.monotonic() + 60
        while len(self.compiled()) < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        AHEAD.end(child, place)
        self.assertNotIn(".ahead", os.listdir(self.path("tree", "__pycache__")))
        compiled = self.compiled()
        self.assertIn(len(compiled), range(3, len(files)))
        with self.assertRaises(ChildProcessError):
            os.waitpid(child, 0)
        for path in compiled.values():
            with open(path, "rb") as file:
                self.assertEqual(type(marshal.loads(file.read()[16:])), types.CodeType, "whole")

    def begin_elsewhere(self, files, then):
        """Have another process begin, and do something more; how it ended. It prints the child's number."""
        code = "import os, signal, sys; sys.path.insert(0, %r); import test_ahead\n" % os.path.dirname(__file__)
        code += "case = test_ahead.AheadTest('payload'); case.setUp(); case.dir = %r\n" % self.dir
        code += "payloads, place = case.payload(%s)\n" % files
        code += "child = test_ahead.AHEAD.begin(('module', 'm000'), place, b'tree', payloads, test_ahead.KIT)\n"
        return self.run_command(self.python, "-c", code + "print(child, flush=True)\n" + then)

    def test_does_not_outlive_its_parent(self):
        files = "{'m%03d.py' % n: 'import m%03d\\n' % (n + 1) + 'x = 1\\n' * 2000 for n in range(300)}"
        done = self.begin_elsewhere(files, "os.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual((done.stderr, done.returncode), ("", -signal.SIGKILL))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                os.kill(int(done.stdout), 0)
            except ProcessLookupError:
                break
            time.sleep(0.01)
        else:
            self.fail("it lives")
        self.assertLess(len(self.compiled()), 300)

    def test_says_nothing_of_what_the_compiler_warns_of(self):
        files = {"m000.py": "assert (1, 'always')\nx = 1 is 1\n"}
        with self.assertWarns(SyntaxWarning):
            compile(files["m000.py"], "m000.py", "exec")
        done = self.begin_elsewhere(repr(files), "os.waitpid(child, 0); os._exit(0)")
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        self.assertEqual(list(self.compiled()), ["m000"])

    def test_goes_wrong_without_a_word(self):
        files = {"a.py": "import b, c, d\nx = '\\ud800.'\n", "b.py": "syntax error\n", "c.py": "\0", "d.py": ""}
        payloads, place = self.payload(files)
        child = AHEAD.begin(("module", "a"), place, b"tree", payloads, KIT)
        self.assertEqual(os.waitpid(child, 0), (child, 0))
        self.assertEqual(sorted(self.compiled()), ["a", "d"])

    def test_does_not_begin_where_it_would_be_in_vain(self):
        shipped = {"a.py": "", "__pycache__/a.%s.pyc" % sys.implementation.cache_tag: "x"}
        for files, change in (
            (shipped, None),
            ({"a.py": ""}, (sys, "dont_write_bytecode", True)),
            ({"a.py": ""}, (sys, "pycache_prefix", self.path("prefix"))),
        ):
            payloads, place = self.payload(files)
            with self.subTest(change=change):
                if change:
                    self.addCleanup(setattr, *change[:2], getattr(*change[:2]))
                    setattr(*change)
                self.assertIsNone(AHEAD.begin(("module", "a"), place, b"tree", payloads, KIT))
                if change:
                    setattr(*change[:2], None if change[1] == "pycache_prefix" else False)
        handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGCHLD, handler)
        payloads, place = self.payload({"a.py": ""})
        self.assertIsNone(AHEAD.begin(("module", "a"), place, b"tree", payloads, KIT))

    def test_leaves_the_last_space_to_the_files(self):
        extract, calls = load("extract.py"), []
        tree, progress = os.fsencode(self.path("new")), types.SimpleNamespace(done=1)

        def fail(apps, tree, payloads, progress, entry):
            calls.append(entry)
            if entry or len(calls) == 3:
                raise OSError(errno.ENOSPC if len(calls) < 4 else errno.EIO, "no")
            os.mkdir(tree)
            extract["cache"].mark_whole(tree)

        extract["extract"] = fail
        entry = ("module", "a")
        extract["make_whole"](os.fsencode(self.dir), tree, [], progress, False, entry)
        self.assertEqual((calls, progress.done), ([entry, None], 0))
        for given in (None, entry):  # Full without it too; and another error.
            shutil.rmtree(tree, True)
            with self.assertRaises(OSError):
                extract["make_whole"](os.fsencode(self.dir), tree, [], progress, False, given)
        self.assertEqual(calls, [entry, None, None, entry])

    @unittest.skipIf((os.cpu_count() or 1) < 2, "needs two processors")
    def test_a_first_start_uses_it_and_the_program_has_no_child(self):
        main = "import os, pkg.mod\ndef main():\n    try: os.waitpid(-1, 0)\n    except ChildProcessError: print('alone')\n"
        files = {"data/%04d.bin" % number: bytes(250000) for number in range(250)}
        path = self.pack(dict(files, **{"tool.py": main, "pkg/__init__.py": "", "pkg/mod.py": ""}))

        def kinds(name, **environment):
            cache, found = self.path(name), set()
            done = self.run_pyz(path, env=dict(environment, PYZPACK_CACHE=cache, PYZPACK_QUIET="1"))
            self.assert_ran(done, "alone\n")
            for name in glob.glob(self.tree(cache) + "/**/__pycache__/[!_]*.pyc", recursive=True):
                with open(name, "rb") as file:
                    found.add(file.read()[4])
            return found

        # On a busy machine all may be unpacked before it has begun.
        self.assertTrue(any(kinds("cache%d" % number) == {3} for number in range(5)))
        self.assertEqual(kinds("checked", PYZPACK_VERIFY="1"), {0})


if __name__ == "__main__":
    unittest.main()
