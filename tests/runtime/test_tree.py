"""What the unpacked tree brings: modules found as importlib finds them, and a start that is compiled once."""

import importlib.util
import os
import shutil
import subprocess
import sys
import unittest

from packing import SOURCES, Case, forget_bytecode

# Every module of the tree and some of the standard library, as the start's own finder and as importlib's describes it.
COMPARE = """
import importlib.machinery, os, sys
import tool

def describe(spec):
    if spec is None:
        return None
    places = spec.submodule_search_locations
    return (spec.name, type(spec.loader).__mro__[-4:], getattr(spec.loader, "path", None), spec.origin, spec.cached,
            spec.has_location, spec.parent, None if places is None else list(places))

def main():
    site, library = os.path.dirname(tool.__file__), os.path.dirname(os.__file__)
    details = importlib._bootstrap_external._get_supported_file_loaders()
    count = 0
    places = list(os.walk(site)) + [(library, [], [])] + list(os.walk(os.path.join(library, "email")))
    for directory, _, names in places:
        ours = sys.path_importer_cache.get(directory) or importlib._bootstrap_external.PathFinder._path_importer_cache(directory)
        theirs = importlib.machinery.FileFinder(directory, *details)
        assert type(ours).__name__ == "QuickFinder", ours
        prefix = os.path.relpath(directory, site).replace(os.sep, ".").strip(".")
        for module in sorted({name.split(".")[0] for name in names + os.listdir(directory)} | {"missing"}):
            name = prefix + "." + module if prefix else module
            found, expected = describe(ours.find_spec(name)), describe(theirs.find_spec(name))
            assert found == expected, (found, expected)
            count += found is not None
    print(count)
"""
FILES = {
    "tool.py": COMPARE,
    "pkg/__init__.py": "VALUE = 1\n",
    "pkg/mod.py": "def where():\n    raise ValueError('here')\n",
    "pkg/both.py": "KIND = 'module'\n",
    "pkg/both/__init__.py": "KIND = 'package'\n",
    "pkg/data/file.txt": "text\n",
    "space/inner.py": "",
    "plain.txt": "",
    "late/__init__.py": "",
}


def main_of(*lines):
    return "def main():\n" + "".join("    %s\n" % line for line in lines)


class TreeTest(Case):
    def test_modules_are_found_as_importlib_finds_them(self):
        extension = {"native%s" % end: b"no library" for end in __import__("_imp").extension_suffixes()[:1]}
        path = self.pack(dict(FILES, **extension))
        for _ in range(2):  # Without and with bytecode.
            done = self.run_pyz(path)
            self.assertEqual((done.stderr, done.returncode), ("", 0))
            self.assertGreaterEqual(int(done.stdout), 10)

    def test_what_programs_ask_of_modules_is_answered(self):
        tool = main_of(
            "import importlib, importlib.resources, inspect, pkgutil, pkg, pkg.mod, pkg.both, space.inner",
            "print(sorted(module.name for module in pkgutil.iter_modules(pkg.__path__)))",
            "print(pkgutil.get_data('pkg', 'data/file.txt'), inspect.getsource(pkg.mod.where).split()[1])",
            "print(importlib.resources.read_text('pkg', '__init__.py').strip(), pkg.both.KIND)",
            "print(importlib.reload(pkg.mod) is pkg.mod, type(space.__path__).__name__)",
        )
        said = "['both', 'mod']\nb'text\\n' where():\nVALUE = 1 package\nTrue _NamespacePath\n"
        path = self.pack(dict(FILES, **{"tool.py": tool}))
        for _ in range(2):
            self.assert_ran(self.run_pyz(path, env={"PYTHONWARNINGS": "ignore"}), said)

    def test_a_module_that_the_program_writes_is_found(self):
        tool = main_of(
            "import importlib, os, late",
            "try: import late.made",
            "except ImportError: print('not yet')",
            "open(os.path.join(os.path.dirname(late.__file__), 'made.py'), 'w').write('print(\"made\")')",
            "importlib.invalidate_caches()",
            "import late.made",
        )
        self.assert_ran(self.run_pyz(self.pack(dict(FILES, **{"tool.py": tool}))), "not yet\nmade\n")

    def test_bytecode_that_does_not_fit_is_made_anew(self):
        tool = main_of("import pkg.mod", "print(pkg.mod.where.__name__)")
        path = self.pack(dict(FILES, **{"tool.py": tool}))
        self.assert_ran(self.run_pyz(path), "where\n")
        cache = os.path.join(self.tree(), "pkg", "__pycache__")
        (name,) = [name for name in os.listdir(cache) if name.startswith("mod.")]
        os.unlink(os.path.join(cache, name))  # The first was perhaps compiled while others were unpacked.
        self.assert_ran(self.run_pyz(path), "where\n")
        with open(os.path.join(cache, name), "rb") as file:
            whole = file.read()
        for broken in (b"", whole[:4], whole[:40], b"\0\0\r\n" + whole[4:], whole[:16] + b"\xff" * 20):
            with open(os.path.join(cache, name), "wb") as file:
                file.write(broken)
            self.assert_ran(self.run_pyz(path), "where\n")
        with open(os.path.join(cache, name), "rb") as file:
            self.assertEqual(file.read(), whole)

    def test_bytecode_of_the_library_is_compared_with_its_source(self):
        module, library = self.path("library/mod.py"), self.path("library")
        os.mkdir(library)
        code = "import os, sys; os.__file__ = %r; names = {}; sys.path.insert(0, %r)\n" % (library + "/os.py", library)
        code += "exec(open(%r).read(), names); names['quicken'](%r)\n" % (SOURCES + "/tree.py", self.path("tree"))
        code += "import mod; print(mod.VALUE, type(mod.__loader__).__name__)"

        def run(said, value, time):
            with open(module, "w") as file:
                file.write("VALUE = %s\n" % value)
            os.utime(module, (time, time))
            done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
            self.assertEqual((done.stdout, done.stderr), (said + " QuickLoader\n", ""))

        run("1", "1", 1000)
        run("2", "2", 2000)  # Another time.
        run("10", "10", 2000)  # Another size.
        run("10", "20", 2000)  # Neither: as importlib would.
        (compiled,) = os.listdir(library + "/__pycache__")
        with open(os.path.join(library, "__pycache__", compiled), "r+b") as file:
            file.truncate(20)
        done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
        self.assertIn("EOFError", done.stderr)
        self.assertEqual(os.listdir(library + "/__pycache__"), [compiled], "it is not ours to remove")

    def test_a_changed_prefix_for_bytecode_is_followed(self):
        tool = main_of("import pkg.mod", "print(pkg.mod.__cached__)")
        path = self.pack(dict(FILES, **{"tool.py": tool}))
        done = self.run_pyz(path, env={"PYTHONPYCACHEPREFIX": self.path("elsewhere")})
        self.assertTrue(done.stdout.startswith(self.path("elsewhere")), done.stdout)


# What the collector did, as the program that starts it sees it.
WATCH = """import gc
before, collections = gc.get_threshold(), []
gc.callbacks.append(lambda phase, info: phase == "stop" and collections.append(info["generation"]))
"""


class CollectorTest(Case):
    """The garbage collector lets what is imported alone; otherwise it does as in any Python."""

    def pack_importer(self, *lines):
        modules = {"many/m%02d.py" % number: "KEPT = [[] for _ in range(600)]\n" for number in range(30)}
        imports = "".join("import many.m%02d\n" % number for number in range(30))
        tool = WATCH + "import many\n" + main_of(*lines)
        return self.pack(dict(modules, **{"tool.py": tool, "many/__init__.py": imports}))

    def test_does_not_collect_while_modules_are_imported(self):
        path = self.pack_importer("print(collections, before[0], gc.isenabled(), gc.get_freeze_count())")
        for _ in range(2):  # Without and with bytecode.
            self.assert_ran(self.run_pyz(path), "[] 2000 True 0\n")

    def test_does_as_usual_from_the_first_collection_on(self):
        usual = self.run_command(sys.executable, "-S", "-c", "import gc; print(gc.get_threshold())").stdout
        done = self.run_pyz(
            self.pack_importer(
                "kept = [[] for _ in range(6000)]",
                "print(collections[:1], gc.get_threshold(), len(gc.callbacks))",
                "kept += [[] for _ in range(6000)]",
                "print(len(collections) > 2)",
            )
        )
        # Behind ours in the list there is another, which the collector would pass over were ours taken out. 3.13 has 2,000
        # by itself.
        self.assert_ran(done, "[0] %s %d\nTrue\n" % (usual.strip(), 1 + (sys.version_info < (3, 13))))

    def test_comes_back_with_the_next_import(self):
        lines = "gc.collect()", "print(gc.get_threshold()[0])", "import late", "print(gc.get_threshold()[0])"
        path = self.pack({"tool.py": WATCH + main_of(*lines), "late.py": ""})
        usual = 2000 if sys.version_info >= (3, 13) else 700
        self.assert_ran(self.run_pyz(path), "%d\n2000\n" % usual)

    def test_leaves_no_callback_behind(self):
        path = self.pack({"tool.py": main_of("import gc", "gc.collect()", "print(gc.callbacks)")})
        self.assert_ran(self.run_pyz(path), "[]\n")

    def test_leaves_what_the_program_sets(self):
        lines = "gc.set_threshold(900, 5, 5)", "gc.collect()", "gc.freeze()", "frozen = gc.get_freeze_count()"
        late = "import late", "print(gc.get_threshold(), gc.get_freeze_count() >= frozen)"
        path = self.pack({"tool.py": WATCH + main_of(*lines, *late), "late.py": ""})
        self.assert_ran(self.run_pyz(path), "(900, 5, 5) True\n")

    def test_finds_the_garbage_of_imports(self):
        garbage = "import weakref\nclass A: pass\na = A()\na.a = a\nfound = weakref.ref(a)\ndel a\nimport other\n"
        lines = (
            "import garbage",
            "print(garbage.found() is None)",
            "gc.collect()",
            "print(garbage.found() is None)",
        )
        path = self.pack({"tool.py": WATCH + main_of(*lines), "garbage.py": garbage, "other.py": ""})
        self.assert_ran(self.run_pyz(path), "False\nTrue\n")

    def test_garbage_between_imports_does_not_grow_old(self):
        files = {"late%02d.py" % number: "import deep%02d\n" % number for number in range(20)}
        files.update({"deep%02d.py" % number: "" for number in range(20)})
        lines = (
            "class Cycle: pass",
            "import importlib, weakref",
            "alive, most = weakref.WeakSet(), 0",
            "for number in range(20):",
            "    importlib.import_module('late%02d' % number)",
            "    most = max(most, len(alive))",
            "    for _ in range(300):",
            "        one = Cycle()",
            "        one.one = one",
            "        alive.add(one)",
            "print(most < 1000)",
        )
        path = self.pack(dict(files, **{"tool.py": WATCH + main_of(*lines)}))
        self.assert_ran(self.run_pyz(path), "True\n")

    def test_spares_a_module_once(self):
        lines = "import importlib, late", "for _ in range(9000): importlib.reload(late)", "print(len(collections) > 2)"
        late = "class Late: pass\na = Late()\na.a = a\n"
        self.assert_ran(self.run_pyz(self.pack({"tool.py": WATCH + main_of(*lines), "late.py": late})), "True\n")


class CompiledStartTest(Case):
    FILES = {"tool.py": main_of("import sys", "print('ran', sys.argv[1:])")}

    def compiled(self, count=1):
        found = [name for name in os.listdir(os.path.join(self.tree(), "__pycache__")) if name.startswith("_pyzpack-")]
        self.assertEqual(len(found), count, found)
        return [os.path.join(self.tree(), "__pycache__", name) for name in sorted(found)]

    def test_is_kept_by_the_first_start_and_used_by_the_next(self):
        path = self.pack(self.FILES)
        self.assert_ran(self.run_pyz(path), "ran []\n")
        (kept,) = self.compiled()
        magic = importlib.util.MAGIC_NUMBER.hex()
        self.assertEqual(os.path.basename(kept), "_pyzpack-0123456789abcdef.%s-0.pyc" % magic)
        # What is in it is what runs: no source of it is compiled any more.
        with open(kept, "rb") as file:
            data = file.read()
        with open(kept, "wb") as file:
            file.write(data.replace(b"PYZPACK_INTERPRETER", b"PYZPACK_INTERPRETEX"))
        env = {"PYZPACK_INTERPRETER": "1"}
        self.assert_ran(self.run_pyz(path, "-c", "print(1)", env=env), "ran ['-c', 'print(1)']\n")
        # Not where the cache is to be checked.
        env.update(PYZPACK_VERIFY="1", PYZPACK_QUIET="1")
        self.assert_ran(self.run_pyz(path, "-c", "print(1)", env=env), "1\n")

    def test_is_made_anew_where_it_does_not_fit(self):
        path = self.pack(self.FILES)
        self.run_pyz(path)
        (kept,) = self.compiled()
        with open(kept, "rb") as file:
            whole = file.read()
        for broken in (b"", whole[:4], whole[:60], b"\0\0\r\n" + whole[4:], b"i\0\0\0\0", b"{0"):
            with open(kept, "wb") as file:
                file.write(broken)
            self.assert_ran(self.run_pyz(path), "ran []\n")
            self.assertGreater(os.path.getsize(kept), len(whole) // 2)

    @unittest.skipIf(os.name != "posix", "elsewhere boot.py is compiled at each start")
    def test_is_found_in_the_usual_places_by_the_short_start(self):
        home = self.path("home")
        usual = [
            {"HOME": home},
            {"HOME": home + "/"},
            {"HOME": home, "XDG_CACHE_HOME": self.path("xdg")},
            {"HOME": home, "PYZPACK_CACHE": self.path("own")},
            {"HOME": home, "PYZPACK_CACHE": self.path("own/../other/")},
        ]
        others = [{}, {"HOME": "relative"}, {"HOME": home, "XDG_CACHE_HOME": "relative"}, {"PYZPACK_CACHE": "relative"}]
        tool = main_of("print(__file__)")
        for given in usual + others:
            env = dict(
                {"HOME": None, "XDG_CACHE_HOME": None, "PYZPACK_CACHE": None, "TMPDIR": self.path("tmp")}, **given
            )
            said = self.run_pyz(self.pack({"tool.py": tool}), env=env, cwd=self.path("tmp")).stdout
            self.assertTrue(os.path.isabs(said), (given, said))
            for _ in range(2):
                self.assert_ran(self.run_pyz(self.pack({"tool.py": tool}), env=env, cwd=self.path("tmp")), said)
            # Without a boot.py that could be compiled the same is said, or what stands in its place.
            broken = self.pack({"tool.py": tool}, extra={"_pyzpack/boot.py": "raise SystemExit('compiled')"})
            done = self.run_pyz(broken, env=env, cwd=self.path("tmp"))
            expected = (said, "", 0) if given in usual else ("", "compiled\n", 1)
            self.assertEqual((done.stdout, done.stderr, done.returncode), expected, given)

    def test_is_another_for_optimised_code_and_for_another_version_of_pyzpack(self):
        path = self.pack(self.FILES)
        self.run_pyz(path)
        self.assert_ran(self.run_pyz(path, python=[self.python, "-O"]), "ran []\n")
        self.compiled(2)
        self.assert_ran(self.run_pyz(self.pack(self.FILES, boot="fedcba9876543210")), "ran []\n")
        self.compiled(3)

    def test_is_not_written_where_no_bytecode_is(self):
        path = self.pack(self.FILES)
        self.assert_ran(self.run_pyz(path, env={"PYTHONDONTWRITEBYTECODE": "1"}), "ran []\n")
        self.compiled(0)

    @unittest.skipIf(os.name != "posix", "needs limits of a process")
    def test_leaves_nothing_half_written_on_a_full_disk(self):
        import resource

        path = self.pack(self.FILES)
        self.run_pyz(path)
        forget_bytecode(self.tree())

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

        self.assert_ran(self.run_pyz(path, preexec_fn=limit), "ran []\n")
        names = os.listdir(os.path.join(self.tree(), "__pycache__"))
        self.assertEqual([name for name in names if name.startswith("_pyzpack")], [])
        self.assert_ran(self.run_pyz(path), "ran []\n")
        self.compiled()

    def test_shows_the_lines_of_the_file_that_runs(self):
        path = self.pack({"tool.py": main_of("raise ValueError('here')")})
        first = self.run_pyz(path).stderr
        self.assertEqual(self.run_pyz(path).stderr, first)
        moved = self.path("moved.pyz")
        shutil.move(path, moved)
        self.assertEqual(self.run_pyz(moved).stderr, first.replace(path, moved))
        self.assertIn(os.path.join(moved, "_pyzpack", "boot.py"), first.replace(path, moved))

    def test_many_at_once_leave_one(self):
        path = self.pack(self.FILES)
        self.run_pyz(path)
        forget_bytecode(self.tree())
        command = [self.python, path]
        running = [subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE) for _ in range(8)]
        self.assertEqual([process.communicate()[0] for process in running], [b"ran []\n"] * 8)
        names = [name for name in os.listdir(os.path.join(self.tree(), "__pycache__")) if name.startswith("_pyzpack")]
        self.assertEqual(len(names), 1, names)


if __name__ == "__main__":
    unittest.main()
