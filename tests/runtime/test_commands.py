"""The PYZPACK_ variables and links named like console scripts."""

import os
import sys
import unittest

from packing import Case

CODE = (
    "import os, sys\n"
    "def show(name):\n"
    "    left = sorted(k for k in os.environ if k.startswith('PYZPACK_'))\n"
    "    print(name, os.path.basename(sys.argv[0]), sys.argv[1:], left)\n"
    "def main(): show('main')\n"
    "def other(): show('other')\n"
)
SCRIPTS = {"tool": ("object", "tool", "main"), "other": ("object", "tool", "other")}


class CommandsTest(Case):
    def setUp(self):
        super().setUp()
        self.zip = self.pack({"tool.py": CODE}, "zip", "tool-zip.pyz", scripts=SCRIPTS)
        self.tool = self.pack({"tool.py": CODE, "dep.py": "A = 1"}, scripts=SCRIPTS)

    def test_script_variable_chooses_a_console_script(self):
        for path in (self.tool, self.zip):
            done = self.run_pyz(path, "x", env={"PYZPACK_SCRIPT": "other"})
            self.assert_ran(done, "other other ['x'] []\n")

    def test_other_variables_of_the_tool_are_ignored(self):
        env = {"PYZPACK_OUTPUT": "x", "PYZPACK_CACHE": self.path("cache"), "PYZPACK_INFO": "0"}
        self.assert_ran(self.run_pyz(self.tool, env=env), "main tool.pyz [] ['PYZPACK_CACHE', 'PYZPACK_OUTPUT']\n")

    @unittest.skipIf(os.name == "nt", "links need rights there")
    def test_link_named_like_a_console_script_runs_it(self):
        for link in ("other", "other.pyz"):
            os.symlink(self.tool, self.path(link))
            self.assert_ran(self.run_pyz(self.path(link)), "other %s [] []\n" % link)
            os.unlink(self.path(link))
        os.symlink(self.tool, self.path("unrelated"))
        self.assert_ran(self.run_pyz(self.path("unrelated")), "main unrelated [] []\n")
        os.rename(self.tool, self.path("other.pyz"))
        self.assert_ran(self.run_pyz(self.path("other.pyz")), "main other.pyz [] []\n")

    def test_info_is_printed_and_nothing_unpacked(self):
        digest = self.app_digest()
        tree = os.path.join(self.home, ".cache", "pyzpack", "apps", digest)
        lines = [
            "name:            tool",
            "version:         1.0",
            "requires-python: >=3.8",
            "runs on:         Python 3.8 to 3.14",
            "layout:          extract",
            "entry point:     tool:main",
            "console scripts: other, tool",
        ]
        expected = "\n".join(lines + ["cache:           %s (not unpacked yet)\n" % tree])
        self.assert_ran(self.run_pyz(self.tool, env={"PYZPACK_INFO": "1"}), expected)
        self.assertEqual(os.listdir(self.home), [])
        self.run_pyz(self.tool)
        expected = "\n".join(lines + ["cache:           %s (unpacked)\n" % tree])
        self.assert_ran(self.run_pyz(self.tool, env={"PYZPACK_INFO": "1"}), expected)
        lines[4] = "layout:          zip"
        self.assert_ran(self.run_pyz(self.zip, env={"PYZPACK_INFO": "1"}), "\n".join(lines + [""]))

    def app_digest(self):
        probe = self.path("probe")
        done = self.run_pyz(self.tool, env={"PYZPACK_CACHE": probe})
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.apps(probe)[0]

    def interpret(self, *arguments, **options):
        env = dict(options.pop("env", {}), PYZPACK_INTERPRETER="1")
        return self.run_pyz(self.tool, *arguments, env=env, **options)

    def test_interpreter_runs_code_modules_and_files(self):
        with open(self.path("script.py"), "w") as file:
            file.write("import sys, dep\nprint(__name__, __file__, sys.argv, dep.A, 'APP' in globals())\n")
        os.mkdir(self.path("package"))
        with open(self.path("package", "__main__.py"), "w") as file:
            file.write("import sys, dep\nprint(__name__, sys.argv, dep.A)\n")
        script = self.path("script.py")
        code = "import sys, dep; print(__name__, sys.argv, dep.A)"
        self.assert_ran(self.interpret("-c", code, "x"), "__main__ ['-c', 'x'] 1\n")
        self.assert_ran(self.interpret("-m", "script", "x"), "__main__ %s ['%s', 'x'] 1 False\n" % (script, script))
        self.assert_ran(self.interpret(script, "x"), "__main__ %s ['%s', 'x'] 1 False\n" % (script, script))
        self.assert_ran(self.interpret("package", "x"), "__main__ ['package', 'x'] 1\n")
        self.assert_ran(self.interpret(self.zip, "x"), "main tool-zip.pyz ['x'] []\n")
        with open(script) as file:
            done = self.interpret(
                "-c", "import sys; exec(sys.stdin.read().split(chr(10))[0]); print(dep.A)", stdin=file
            )
        self.assert_ran(done, "1\n")
        for arguments in ((), ("-",)):
            with open(self.path("code"), "w") as file:
                file.write("import sys, dep\nprint(sys.argv, dep.A)\n")
            with open(self.path("code")) as file:
                self.assert_ran(self.interpret(*arguments, stdin=file), "%r 1\n" % [*(arguments or ("",))])

    def test_interpreter_passes_status_and_refuses_what_it_does_not_know(self):
        self.assert_ran(self.interpret("-c", "import sys; sys.exit(3)"), "", 3)
        self.assertEqual(self.interpret("-c", "1/0").returncode, 1)
        self.assertEqual(self.interpret("-c").returncode, 2)
        self.assertEqual(self.interpret("not-there.py").returncode, 2)
        done = self.interpret("-Z")
        self.assertIn("unknown option -Z", done.stderr)
        self.assertEqual(done.returncode, 2)
        self.assert_ran(self.interpret("-V"), "Python %s\n" % sys.version.split()[0])

    @unittest.skipIf(os.name == "nt", "no pseudo-terminal")
    def test_interpreter_opens_a_prompt_on_a_terminal(self):
        import pty

        with open(self.path("startup.py"), "w") as file:
            file.write("started = 41\n")
        master, slave = pty.openpty()
        os.write(master, b"import dep; print('sum', started + dep.A)\nexit(6)\n")
        done = self.interpret(stdin=slave, env={"PYTHONSTARTUP": self.path("startup.py")})
        os.close(slave)
        os.close(master)
        self.assertIn("sum 42", done.stdout)
        self.assertIn("Python %s" % sys.version.split()[0], done.stderr)
        self.assertEqual(done.returncode, 6)


if __name__ == "__main__":
    unittest.main()
