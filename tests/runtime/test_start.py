"""What a .pyz does as an installed program does it, in both layouts."""

import os
import signal
import subprocess
import sys
import unittest

from packing import Case

METADATA = "Metadata-Version: 2.1\nName: Tool\nVersion: 1.0\n"
LAYOUTS = ("extract", "zip")


class StartTest(Case):
    def each_layout(self, files, **app):
        """The .pyz in each layout, with a tool module that is `files` where that is a text."""
        files = {"tool.py": files} if isinstance(files, str) else files
        return [self.pack(files, layout, name=layout + ".pyz", **app) for layout in LAYOUTS]

    def test_exit_status_is_the_functions(self):
        for body, status, stderr in [
            ("return 3", 3, ""),
            ("return None", 0, ""),
            ("import sys; sys.exit(4)", 4, ""),
            ("return 'said'", 1, "said\n"),
        ]:
            for path in self.each_layout("def main(): " + body):
                self.assert_ran(self.run_pyz(path), "", status, stderr)
                self.assert_ran(self.run_pyz(path), "", status, stderr)

    def test_signals_are_those_of_the_process(self):
        for path in self.each_layout("import os, signal\ndef main(): os.kill(os.getpid(), signal.SIGTERM)"):
            self.assert_ran(self.run_pyz(path), "", -signal.SIGTERM)
        for path in self.each_layout("import os, signal\ndef main(): os.kill(os.getpid(), signal.SIGINT)"):
            done = self.run_pyz(path)
            self.assertEqual(done.returncode, -signal.SIGINT)
            self.assertIn("KeyboardInterrupt", done.stderr)

    def test_argv_is_as_invoked(self):
        for path in self.each_layout("import sys\ndef main(): print(sys.argv)"):
            self.assert_ran(self.run_pyz(path, "a", "-b c"), "%r\n" % [path, "a", "-b c"])
            relative = os.path.basename(path)
            self.assert_ran(self.run_pyz(relative, "a"), "%r\n" % [relative, "a"])

    def test_main_looks_like_an_installed_scripts(self):
        code = "import __main__ as m\ndef main(): print(m.__name__, m.__spec__, m.__package__, m.__file__)"
        for path in self.each_layout(code):
            self.assert_ran(self.run_pyz(os.path.basename(path)), "__main__ None None %s\n" % path)

    def test_dotted_attribute_is_called(self):
        code = "class A:\n    class B:\n        @staticmethod\n        def main(): print('dotted')"
        for path in self.each_layout(code, entry=("object", "tool", "A.B.main")):
            self.assert_ran(self.run_pyz(path), "dotted\n")

    def test_traceback_shows_the_applications_lines(self):
        code = "def main():\n    fail()\ndef fail():\n    raise ValueError('no good')  # here\n"
        for path in self.each_layout(code):
            done = self.run_pyz(path)
            self.assertEqual(done.returncode, 1)
            self.assertIn("raise ValueError('no good')  # here", done.stderr)
            self.assertIn("    fail()\n", done.stderr)
            self.assertTrue(done.stderr.endswith("\nValueError: no good\n"), done.stderr)

    @unittest.skipIf(os.name == "nt", "a shell")
    def test_nothing_of_a_traceback_goes_to_standard_output(self):
        for path in self.each_layout("def main():\n    print('said', flush=True)\n    raise ValueError('no good')\n"):
            done = self.run_command("sh", "-c", 'exec "$@" 2>&-', "sh", self.python, path)
            self.assert_ran(done, "said\n", 1)

    def test_exported_path_is_the_packages_and_what_their_pth_files_add(self):
        code = (
            "import os, subprocess, sys\ndef main():\n    print(os.environ['PYTHONPATH'].replace(sys.argv[1], 'SITE'))\n"
            "    sys.stdout.flush()\n    sys.exit(subprocess.call([sys.executable, '-c', 'import dep, extra']))\n"
        )
        files = {"tool.py": code, "dep.py": "", "more/extra.py": "", "a.pth": "more\n"}
        for layout in LAYOUTS:
            path = self.pack(files, layout, layout + ".pyz", pth=("a.pth",), export_path=1)
            self.run_pyz(path, "x")
            site = path if layout == "zip" else self.tree()
            expected = os.pathsep.join(["SITE", os.path.join("SITE", "more")])
            self.assert_ran(self.run_pyz(path, site), expected + "\n")
            given = os.pathsep.join([self.path("a"), site])
            expected = os.pathsep.join([self.path("a"), expected])
            self.assert_ran(self.run_pyz(path, site, env={"PYTHONPATH": given}), expected + "\n")

    def test_module_entry_runs_as_main(self):
        files = {
            "pkg/__init__.py": "",
            "pkg/__main__.py": "import sys\nprint(__name__, __package__, sys.argv[1:], 'APP' in dir())\nsys.exit(5)",
        }
        for path in self.each_layout(files, entry=("module", "pkg")):
            self.assert_ran(self.run_pyz(path, "x"), "__main__ pkg ['x'] False\n", 5)

    def test_script_entry_runs_as_main(self):
        script = "#!python\nimport sys, helper\nprint(__name__, helper.A, sorted(n for n in dir() if n[0] != '_'))\n"
        files = {"bin/tool": (script, 0o755), "helper.py": "A = 1"}
        for path in self.each_layout(files, entry=("script", "bin/tool")):
            self.assert_ran(self.run_pyz(path), "__main__ 1 ['helper', 'sys']\n")

    @unittest.skipIf(os.name == "nt", "a shell script")
    def test_executable_entry_takes_the_process_over(self):
        files = {"bin/tool": ('#!/bin/sh\necho "$@" ${0##*/}\nexit 7\n', 0o755)}
        path = self.pack(files, entry=("executable", "bin/tool"))
        for _ in range(2):
            self.assert_ran(self.run_pyz(path, "a", "b c"), "a b c tool\n", 7)

    def test_metadata_resources_and_pkgutil_find_the_packages(self):
        code = """
            import sys, pkgutil, inspect
            if sys.version_info >= (3, 9):
                from importlib.resources import files
            def main():
                import importlib.metadata as metadata
                import tool
                print(metadata.version("tool"), [str(f) for f in metadata.files("tool")])
                points = metadata.entry_points()
                points = points.get("tool.plugins", ()) if hasattr(points, "get") and not hasattr(points, "select") \
                    else points.select(group="tool.plugins")
                print([p.load()() for p in points])
                if sys.version_info >= (3, 9):
                    print((files("tool") / "data.txt").read_text())
                else:
                    print(pkgutil.get_data("tool", "data.txt").decode())
                print([m.name for m in pkgutil.iter_modules(tool.__path__)])
                print(inspect.getsource(tool.plugin).strip())
            def plugin(): return "plugged"
        """
        lines = [line[12:] for line in code.split("\n")]
        files = {
            "tool/__init__.py": "\n".join(lines),
            "tool/sub.py": "",
            "tool/data.txt": "data",
            "Tool-1.0.dist-info/METADATA": METADATA,
            "Tool-1.0.dist-info/RECORD": "tool/__init__.py,,\ntool/sub.py,,\n",
            "Tool-1.0.dist-info/entry_points.txt": "[tool.plugins]\np = tool:plugin\n",
        }
        expected = (
            "1.0 ['tool/__init__.py', 'tool/sub.py']\n['plugged']\ndata\n['sub']\ndef plugin(): return \"plugged\"\n"
        )
        for path in self.each_layout(files):
            self.assert_ran(self.run_pyz(path), expected)

    def test_namespace_packages_span_distributions(self):
        files = {"ns/a.py": "A = 1", "ns/deep/b.py": "B = 2"}
        files["tool.py"] = "def main():\n    import ns.a, ns.deep.b\n    print(ns.a.A, ns.deep.b.B)"
        for path in self.each_layout(files):
            self.assert_ran(self.run_pyz(path), "1 2\n")

    def test_data_files_lie_beside_the_module(self):
        code = "import os\ndef main(): print(open(os.path.join(os.path.dirname(__file__), 'x', 'd.txt')).read())"
        path = self.pack({"tool.py": code, "x/d.txt": "data"})
        self.assert_ran(self.run_pyz(path), "data\n")

    def test_changing_the_directory_loses_no_module(self):
        code = "import os\ndef main():\n    os.chdir('/')\n    import late\n    print(late.A)"
        for path in self.each_layout({"tool.py": code, "late.py": "A = 1"}):
            self.assert_ran(self.run_pyz(os.path.basename(path)), "1\n")

    def test_atexit_and_threads_run(self):
        code = (
            "import atexit, threading, time\n"
            "def late():\n    time.sleep(0.2)\n    import other\n    print('thread', other.A, flush=True)\n"
            "def main():\n    atexit.register(print, 'atexit')\n    threading.Thread(target=late).start()\n"
        )
        for path in self.each_layout({"tool.py": code, "other.py": "A = 1"}):
            self.assert_ran(self.run_pyz(path), "thread 1\natexit\n")

    def test_deep_recursion_works(self):
        code = "def f(n): return n and 1 + f(n - 1)\ndef main(): print(f(900))"
        for path in self.each_layout(code):
            self.assert_ran(self.run_pyz(path), "900\n")

    @unittest.skipIf(os.name == "nt", "there is spawn alone")
    def test_multiprocessing_children_find_the_packages(self):
        code = (
            "import multiprocessing, sys\n"
            "def double(x):\n    import dep\n    return dep.TWO * x\n"
            "def main():\n    context = multiprocessing.get_context(sys.argv[1])\n"
            "    with context.Pool(2) as pool:\n        print(pool.map(double, [1, 2, 3]))\n"
        )
        for path in self.each_layout({"tool.py": code, "dep.py": "TWO = 2"}):
            for method in ("spawn", "fork", "forkserver"):
                with self.subTest(method=method):
                    self.assert_ran(self.run_pyz(os.path.basename(path), method), "[2, 4, 6]\n")

    @unittest.skipIf(os.name == "nt", "there is spawn alone")
    def test_multiprocessing_children_run_the_pth_files(self):
        code = (
            "import multiprocessing, sys\n"
            "def ask(_):\n    import extra\n    return extra.A, sys.flag, sys.path.count(sys.flag_dir)\n"
            "def main():\n    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:\n"
            "        print(pool.map(ask, [1]))\n"
        )
        line = "import sys; sys.flag = 'ran'; sys.flag_dir = sys._getframe(1).f_locals['sitedir']\n"
        files = {"tool.py": code, "more/extra.py": "A = 1", "a.pth": "more\n" + line}
        for count in (0, 1, 2):
            layout = {"layout": "extract", "payload_count": count} if count else {"layout": "zip"}
            path = self.pack(files, pth=("a.pth",), **layout)
            for method in ("spawn", "fork", "forkserver"):
                with self.subTest(method=method, payload_count=count):
                    self.assert_ran(self.run_pyz(path, method), "[(1, 'ran', 1)]\n")

    def test_multiprocessing_children_find_the_functions_of_a_script(self):
        script = (
            "import multiprocessing\ndef double(x): return 2 * x\n"
            "if __name__ == '__main__':\n    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
            "        print(pool.map(double, [1, 2]))\n"
        )
        path = self.pack({"bin/tool": script}, entry=("script", "bin/tool"))
        self.assert_ran(self.run_pyz(path), "[2, 4]\n")
        path = self.pack({"pkg/tool.py": script}, entry=("module", "pkg.tool"))
        self.assert_ran(self.run_pyz(path), "[2, 4]\n")

    @unittest.skipIf(os.name == "nt", "a shared library of this Python")
    def test_native_extensions_load_from_the_tree(self):
        code = "import sysconfig,glob;print(*glob.glob(sysconfig.get_path('stdlib') + '/lib-dynload/_json.*so'))"
        found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8").stdout.split()
        if not found:
            self.skipTest("_json is built in here")
        with open(found[0], "rb") as file:
            library = file.read()
        # The same library under another package: its initialiser goes by the last part of the name.
        files = {"pkg/__init__.py": "", "pkg/" + os.path.basename(found[0]): (library, 0o755)}
        files["tool.py"] = "def main():\n    import pkg._json as j\n    print(j.__file__.startswith(__file__[:-7]))"
        self.assert_ran(self.run_pyz(self.pack(files)), "True\n")

    def test_bytecode_is_written_as_usual(self):
        files = {"tool.py": "def main(): pass", "pkg/__init__.py": ""}
        path = self.pack(files)
        self.assert_ran(self.run_pyz(path, env={"PYTHONDONTWRITEBYTECODE": "1"}), "")
        cached = os.path.join(self.tree(), "__pycache__")
        self.assertEqual(os.listdir(cached), [])
        self.assert_ran(self.run_pyz(path), "")
        # The application's module, and the start itself.
        self.assertEqual(sorted(name.split("-")[0].split(".")[0] for name in os.listdir(cached)), ["_pyzpack", "tool"])
        self.assertEqual(os.stat(self.tree()).st_mtime, 946684800)

    def test_zip_layout_writes_nothing(self):
        self.assert_ran(self.run_pyz(self.pack({"tool.py": "def main(): pass"}, "zip")), "")
        self.assertEqual([os.listdir(self.home), os.listdir(self.path("tmp"))], [[], []])

    def test_pth_files_are_run_as_site_runs_them(self):
        files = {
            "tool.py": "def main():\n    import extra, sys\n    print(extra.A, sys.flag, sys.flag_dir)",
            "more/extra.py": "A = 1",
            "a.pth": "# comment\n\nmore\nnot-there\n",
            "b.pth": "import sys; sys.flag = 'ran'; sys.flag_dir = sys._getframe(1).f_locals['sitedir']\n",
            "c.pth": "import nothing_of_this_name\nmore\n",
        }
        for path in self.each_layout(files, pth=("a.pth", "b.pth")):
            done = self.run_pyz(path)
            self.assertEqual(done.stderr, "")
            self.assertTrue(done.stdout.startswith("1 ran "), done.stdout)
        for path in self.each_layout(files, pth=("c.pth", "a.pth", "b.pth")):
            done = self.run_pyz(path)
            self.assertIn("Error processing line 1 of ", done.stderr)
            self.assertTrue(done.stdout.startswith("1 ran "), done.stdout)

    def test_paths_may_be_unusual(self):
        for name in ("with space", "d\u00e9j\u00e0 \u4e16\u754c", "%s{}'\"", "x" * 200):
            with self.subTest(name=name):
                os.mkdir(self.path(name))
                for path in self.each_layout("import sys\ndef main(): print(sys.argv[0])", scripts={}):
                    moved = self.path(name, os.path.basename(path))
                    os.rename(path, moved)
                    self.assert_ran(self.run_pyz(moved), moved + "\n")

    def test_non_ascii_names_in_the_tree_work_in_any_locale(self):
        files = {"tool.py": "def main():\n    import m\u00f6dul\n    print(m\u00f6dul.A)", "m\u00f6dul.py": "A = 1"}
        path = self.pack(files)
        self.assert_ran(self.run_pyz(path, env={"LC_ALL": "C"}), "1\n")

    @unittest.skipIf(os.name == "nt", "no removing of open files")
    def test_archive_may_vanish_while_running(self):
        code = "import os, sys\ndef main():\n    os.unlink(sys.argv[0])\n    import late\n    print(late.A)"
        self.assert_ran(self.run_pyz(self.pack({"tool.py": code, "late.py": "A = 1"})), "1\n")


class ModuleTest(Case):
    @unittest.skipIf(os.name == "nt", "a shebang line")
    def test_file_is_executable(self):
        bin_dir = self.path("bin")
        os.mkdir(bin_dir)
        os.symlink(sys.executable, os.path.join(bin_dir, "python3"))
        path = self.pack({"tool.py": "import sys\ndef main(): print(sys.argv)"})
        env = {"PATH": bin_dir + os.pathsep + self.env["PATH"]}
        self.assert_ran(self.run_command("./tool.pyz", "x", env=env), "['./tool.pyz', 'x']\n")
        self.assertEqual(os.path.basename(path), "tool.pyz")


if __name__ == "__main__":
    unittest.main()
