"""What happens to a cache, to the machine around it and to the file itself: the start mends it, or says it in one line."""

import os
import shutil
import unittest

from packing import WHOLE, Case

POSIX = os.name == "posix"
ADVICE = "; set PYZPACK_CACHE to a directory of yours"
FILES = {
    "tool.py": "import pkg.mod\ndef main(): print('ran', pkg.mod.A, open(__file__[:-7] + 'pkg/data.txt').read())\n",
    "pkg/__init__.py": "",
    "pkg/mod.py": "A = 1\n",
    "pkg/other.py": "",
    "pkg/data.txt": "data",
}
RAN = "ran 1 data\n"


class LossTest(Case):
    """Files of a tree that somebody removed."""

    def setUp(self):
        super().setUp()
        self.tool = self.pack(FILES)
        self.assert_ran(self.run_pyz(self.tool), RAN)
        self.inside = lambda *names: os.path.join(self.tree(), *names)

    def assert_mended(self):
        self.assert_ran(self.run_pyz(self.tool), RAN)
        for name, content in FILES.items():
            with open(self.inside(*name.split("/"))) as file:
                self.assertEqual(file.read(), content, name)
        self.assertEqual(os.stat(self.tree()).st_mtime, WHOLE)

    def test_what_a_cleaner_removed_by_age_is_back_though_it_set_the_time_back(self):
        # As systemd-tmpfiles does.
        for names in (FILES, ["pkg/mod.py"], ["pkg/other.py"], []):
            for name in list(names) + [".pyzpack"]:
                os.unlink(self.inside(*name.split("/")))
            os.utime(self.tree(), (WHOLE, WHOLE))
            self.assert_mended()

    def test_after_a_repair_the_marker_is_the_oldest_again(self):
        unread = [self.inside("tool.py"), self.inside("pkg", "other.py")]
        for path in unread:
            os.utime(path, (WHOLE, WHOLE))
        os.unlink(self.inside(".pyzpack"))
        os.unlink(self.inside("pkg", "data.txt"))
        self.assert_ran(self.run_pyz(self.tool), RAN)
        marked = os.stat(self.inside(".pyzpack")).st_atime
        for path in unread:
            # Bytecode goes by the source's time.
            self.assertEqual(os.stat(path).st_mtime, WHOLE)
            self.assertGreater(os.stat(path).st_atime, marked - 5)
        self.assert_mended()

    def test_a_failure_from_a_loss_deep_in_the_tree_is_the_last(self):
        def cut(path):
            with open(path, "w"):
                pass

        said = "tool.pyz: 1 of the unpacked files are missing or cut short, the first is %s; the next start restores them\n"
        for name, damage, error in [
            ("pkg/mod.py", os.unlink, "ModuleNotFoundError: No module named 'pkg.mod'\n"),
            ("pkg/data.txt", os.unlink, "FileNotFoundError: "),
            ("pkg/mod.py", cut, "AttributeError: "),
        ]:
            shutil.rmtree(self.inside("pkg", "__pycache__"))
            damage(self.inside(*name.split("/")))
            self.assertEqual(os.stat(self.tree()).st_mtime, WHOLE)
            done = self.run_pyz(self.tool)
            self.assertEqual((done.stdout, done.returncode), ("", 1))
            self.assertTrue(done.stderr.startswith(said % name + "Traceback"), done.stderr)
            self.assertIn(error, done.stderr)
            self.assert_mended()

    def test_a_failure_of_the_programs_own_is_its_own(self):
        tool = (
            "import os\ndef main():\n    open(os.path.dirname(__file__) + '/data.txt', 'a').write('more')\n    1 / 0\n"
        )
        path = self.pack({"tool.py": tool, "data.txt": "data"}, name="own.pyz")
        env = {"PYZPACK_CACHE": self.path("other")}
        for _ in range(2):
            done = self.run_pyz(path, env=env)
            self.assertTrue(done.stderr.startswith("Traceback"), done.stderr)
            self.assertTrue(done.stderr.endswith("ZeroDivisionError: division by zero\n"), done.stderr)
        tree = self.tree(self.path("other"))
        self.assertEqual(os.stat(tree).st_mtime, WHOLE)
        # Nothing is known of a tree whose file was replaced by another version.
        new = self.pack({"tool.py": tool, "data.txt": "d" * 99, "more.txt": ""}, name="new.pyz")
        tool = "import os\ndef main():\n    os.replace(%r, %r)\n    1 / 0\n" % (new, path)
        path = self.pack({"tool.py": tool, "data.txt": "data"}, name="own.pyz")
        done = self.run_pyz(path, env=env)
        self.assertTrue(done.stderr.startswith("Traceback"), done.stderr)

    def test_a_long_name_is_restored_too(self):
        name = "n" * 255
        path = self.pack({"tool.py": "def main(): print('ran')", "d/" + name: "x"}, name="long.pyz")
        env = {"PYZPACK_CACHE": self.path("long")}
        self.assert_ran(self.run_pyz(path, env=env), "ran\n")
        tree = self.tree(self.path("long"))
        os.unlink(os.path.join(tree, "d", name))
        os.utime(tree)
        self.assert_ran(self.run_pyz(path, env=env), "ran\n")
        self.assertEqual(os.listdir(os.path.join(tree, "d")), [name])


class OtherUserTest(Case):
    """HOME is another user's: sudo, su, a container that runs as somebody."""

    def setUp(self):
        super().setUp()
        if not POSIX or os.geteuid():
            self.skipTest("SKIPPED: needs root to be several users")
        os.chmod(self.dir, 0o755)
        os.chmod(self.path("tmp"), 0o1777)
        self.tool = self.pack({"tool.py": "def main(): print(__file__)"})
        self.cache = os.path.join(self.home, ".cache", "pyzpack")
        self.fallback = lambda uid: self.path("tmp", "pyzpack-%d" % uid)

    def start(self, uid, **env):
        """Start it as a user, and tell in which cache its tree was."""
        command = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", self.python_of(uid)]
        done = self.run_pyz(self.tool, python=command, env=env)
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        return os.path.dirname(os.path.dirname(os.path.dirname(done.stdout)))

    def python_of(self, uid):
        for path in (self.python, "/usr/bin/python3"):
            command = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups", path]
            done = self.run_command(*command, "-c", "import sys; print(sys.version_info >= (3, 8))")
            if done.stdout == "True\n":
                return path
        return self.skipTest("SKIPPED: no Python that another user can run")

    def owners(self, top):
        found = {os.lstat(top).st_uid}
        for directory, directories, names in os.walk(top):
            found |= {os.lstat(os.path.join(directory, name)).st_uid for name in directories + names}
        return found

    def test_nobody_touches_the_cache_of_another(self):
        os.chown(self.home, 65534, 65534)
        self.assertEqual(self.start(0), self.fallback(0))  # sudo, before the user's first start
        self.assertEqual(self.start(65534), self.cache)
        for mode in (0o700, 0o755):
            for path in (os.path.dirname(self.cache), self.cache):
                os.chmod(path, mode)
            self.assertEqual(self.start(0), self.fallback(0))
            self.assertEqual(self.start(0, PYZPACK_VERIFY="1", PYZPACK_QUIET="1"), self.fallback(0))
            self.assertEqual(self.start(65533), self.fallback(65533))
        self.assertEqual(self.start(65534), self.cache)
        self.assertEqual(self.owners(self.home), {65534})
        self.assertEqual(self.owners(self.fallback(0)), {0})
        self.assertEqual(self.owners(self.fallback(65533)), {65533})

    def test_a_named_cache_of_another_is_refused(self):
        os.chown(self.home, 65534, 65534)
        self.start(65534)
        text = "tool.pyz: cache directory %s belongs to user 65534, not to user 0%s\n" % (self.cache, ADVICE)
        self.assert_ran(self.run_pyz(self.tool, env={"PYZPACK_CACHE": self.cache}), "", 1, text)
        # Nor one that somebody made where this user's would be.
        os.mkdir(self.fallback(0), 0o700)
        os.chown(self.fallback(0), 65534, 65534)
        text = text.replace(self.cache, self.fallback(0))
        self.assert_ran(self.run_pyz(self.tool), "", 1, text)


class PrivacyTest(Case):
    """What others can write to is not run, be it the cache or a tree in it."""

    def setUp(self):
        super().setUp()
        self.tool = self.pack({"tool.py": "def main(): print('ran')"})
        self.assert_ran(self.run_pyz(self.tool), "ran\n")
        self.cache = os.path.join(self.home, ".cache", "pyzpack")

    @unittest.skipUnless(POSIX, "modes")
    def test_a_tree_that_others_can_write_to_is_refused(self):
        for path in (self.cache, self.tree()):
            for mode in (0o775, 0o757):
                os.chmod(path, mode)
                text = "tool.pyz: cache directory %s can be written by others; run: chmod go-w %s\n" % (path, path)
                self.assert_ran(self.run_pyz(self.tool), "", 1, text)
                os.chmod(path, 0o755)
                self.assert_ran(self.run_pyz(self.tool), "ran\n")

    @unittest.skipUnless(POSIX and os.geteuid() == 0, "needs root to own a directory as another user")
    def test_a_tree_of_another_user_is_refused(self):
        tree = self.tree()
        os.chown(tree, 65534, 65534)
        text = "tool.pyz: cache directory %s belongs to user 65534, not to user 0%s\n" % (tree, ADVICE)
        for verify in ("0", "1"):
            self.assert_ran(self.run_pyz(self.tool, env={"PYZPACK_VERIFY": verify}), "", 1, text)
        os.chown(tree, 0, 0)
        self.assert_ran(self.run_pyz(self.tool), "ran\n")

    @unittest.skipUnless(POSIX, "links")
    def test_a_link_in_a_trees_place_is_replaced(self):
        tree = self.tree()
        os.rename(tree, self.path("elsewhere"))
        with open(self.path("elsewhere", "tool.py"), "w") as file:
            file.write("def main(): print('bad')")
        os.symlink(self.path("elsewhere"), tree)
        self.assert_ran(self.run_pyz(self.tool), "ran\n")
        self.assertFalse(os.path.islink(tree))


if __name__ == "__main__":
    unittest.main()
