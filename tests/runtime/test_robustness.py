"""What happens to a cache, to the machine around it and to the file itself: the start mends it, or says it in one line."""

import glob
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
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
        for mode, another in ((0o700, 65533), (0o755, 65532)):
            for path in (os.path.dirname(self.cache), self.cache):
                os.chmod(path, mode)
            self.assertEqual(self.start(0), self.fallback(0))
            self.assertEqual(self.start(0, PYZPACK_VERIFY="1", PYZPACK_QUIET="1"), self.fallback(0))
            self.assertEqual(self.start(another), self.fallback(another))
        self.assertEqual(self.start(65534), self.cache)
        self.assertEqual(self.owners(self.home), {65534})
        self.assertEqual(self.owners(self.fallback(0)), {0})
        self.assertEqual(self.owners(self.fallback(65532)), {65532})

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


class SurroundingsTest(Case):
    """What a process is started with, and where."""

    TOOL = "import os, sys\ndef main():\n    with open(os.environ['OUT'], 'w') as file: file.write('ran')\n"

    def setUp(self):
        super().setUp()
        if not POSIX:
            self.skipTest("a shell, and what POSIX says of processes")
        self.env["OUT"] = self.path("out")
        self.tool = self.pack({"tool.py": self.TOOL, "d/" + "n" * 200: "x" * 9000})

    def shell(self, script, tool=None, **options):
        """Start it as `"$@"` of a shell's script, twice, without and with a tree."""
        for _ in range(2):
            done = self.run_command("sh", "-c", script, "sh", self.python, tool or self.tool, **options)
            yield done

    def assert_runs(self, script, stdout="", stderr="", **options):
        for done in self.shell(script, **options):
            self.assert_ran(done, stdout, stderr=stderr)
            with open(self.path("out")) as file:
                self.assertEqual(file.read(), "ran")
            os.unlink(self.path("out"))

    def test_without_standard_streams(self):
        zipped = self.pack({"tool.py": self.TOOL}, "zip", "zip.pyz")
        for closed in ("<&- >&- 2>&-", "2>&-"):
            self.assert_runs('"$@" ' + closed, env={"PYZPACK_CACHE": self.path("cache" + str(len(closed)))})
        self.assert_runs('"$@" <&- >&- 2>&-', tool=zipped)
        # As python3 does.
        for done in self.shell('"$@" <&-', env={"PYZPACK_INTERPRETER": "1"}):
            self.assert_ran(done, "")
        done = self.run_command("sh", "-c", '"$@" 2>&-', "sh", self.python, self.pack({}, "zip", "no.pyz", pythons=()))
        self.assertEqual((done.stdout, done.returncode), ("", 1))

    def test_in_a_directory_that_was_removed(self):
        os.mkdir(self.path("gone"))
        self.assert_runs('rmdir ../gone; "$@"; status=$?; mkdir ../gone; exit $status', cwd=self.path("gone"))

    def test_with_few_descriptors_and_any_mask(self):
        self.assert_runs('ulimit -n 8; "$@"', env={"PYZPACK_CACHE": self.path("few")})
        os.mkdir(self.path("group"))
        os.chmod(self.path("group"), 0o3777)
        for mask in ("000", "077", "777"):
            cache = self.path("group", mask)
            self.assert_runs(
                'umask %s; touch made; stat -c %%a made > mode; rm -f made; "$@"' % mask, env={"PYZPACK_CACHE": cache}
            )
            modes = {directory: stat.S_IMODE(os.stat(directory).st_mode) for directory, _, _ in os.walk(cache)}
            self.assertEqual({mode & 0o022 for mode in modes.values()}, {0}, modes)
            self.assertEqual(modes[cache] & 0o777, 0o700)

    def test_where_no_thread_can_be_started(self):
        with open(self.path("sitecustomize.py"), "w") as file:
            file.write('import _thread\ndef fail(*_, **__): raise RuntimeError("can\'t start new thread")\n')
            file.write("_thread.start_new_thread = _thread.start_joinable_thread = fail\n")
        self.assert_runs('"$@"', env={"PYTHONPATH": self.dir})

    def test_where_files_may_not_grow(self):
        cache = self.path("cache")
        text = "tool.pyz: cannot unpack into %s: File too large%s\n" % (cache, ADVICE)
        for done in self.shell('ulimit -f 8; "$@"', env={"PYZPACK_CACHE": cache}):
            self.assert_ran(done, "", 1, text)
            self.assertEqual(self.apps(cache), [])
        self.assert_runs('"$@"', env={"PYZPACK_CACHE": cache})

    def test_whatever_the_paths(self):
        self.tool = self.pack({"tool.py": "import os\ndef main(): print(os.path.isfile(__file__))\n"})
        deep = self.path()
        while len(deep) < 4090:
            deep += "/" + "d" * min(200, 4092 - len(deep))
        for name in ("a b", "caf\u00e9", "new\nline", "quote'\"$x", b"\xff\xfe", "n" * 251, deep):
            directory = name if name is deep else os.path.join(os.fsencode(self.dir), b"at", os.fsencode(name))
            os.makedirs(directory)
            path = os.path.join(os.fsencode(directory), b"t" if name is deep else os.fsencode(name) + b".pyz")
            shutil.copy(self.tool, path)
            cache = os.path.join(os.fsencode(directory), b"cache") if name is not deep else None
            for _ in range(2):
                done = self.run_command(self.python, path, env={"PYZPACK_CACHE": cache})
                self.assert_ran(done, "True\n")
            if cache:
                self.assertEqual(sorted(os.listdir(cache)), [b"CACHEDIR.TAG", b"apps"])

    def test_where_the_caches_path_is_too_long(self):
        # Whatever can be unpacked can be run.
        name, seen = self.path("c"), set()
        while len(name) < 3900:
            name += "/" + "d" * 99
        for length in (3950, 4010, 4020, 4090):
            cache = name + "/" + "e" * (length - len(name) - 1)
            for done in self.shell('"$@"', env={"PYZPACK_CACHE": cache}):
                text = "tool.pyz: cannot unpack into %s: File name too long%s\n" % (cache, ADVICE)
                self.assertIn((done.stderr, done.returncode), [("", 0), (text, 1)])
                seen.add(done.returncode)
        self.assertEqual(seen, {0, 1})


class FileTest(Case):
    """What is done to the file while its program runs."""

    def test_the_file_goes_while_its_program_runs(self):
        code = (
            "import sys\n"
            "def main():\n    print('up', flush=True)\n    sys.stdin.read()\n    from late import A\n    print(A)\n"
        )

        def truncate(path):
            with open(path, "w"):
                pass

        def link_elsewhere(path):
            os.link(path, path + ".link")
            os.unlink(path)

        for change in (os.unlink, truncate, link_elsewhere, lambda path: os.rename(path, path + ".old")):
            path = self.pack({"tool.py": code, "late.py": "A = 'late'"})
            process = subprocess.Popen(
                [self.python, path], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            self.assertEqual(process.stdout.readline(), b"up\n")
            change(path)
            self.assertEqual(process.communicate(b""), (b"late\n", b""))

    @unittest.skipUnless(POSIX, "links")
    def test_links_start_the_same_tree(self):
        path = self.pack({"tool.py": "import sys\ndef main(): print(sys.argv[0])"})
        os.link(path, self.path("hard.pyz"))
        os.symlink("tool.pyz", self.path("soft.pyz"))
        os.rename(path, self.path("moved.pyz"))
        shutil.copy(self.path("moved.pyz"), path)
        for name in ("hard.pyz", "soft.pyz", "moved.pyz"):
            self.assert_ran(self.run_pyz(self.path(name)), self.path(name) + "\n")
            self.assertEqual(len(self.apps()), 1)

    def test_pythons_share_a_tree(self):
        found = os.environ.get("PYZPACK_TEST_PYTHONS", "").split(os.pathsep)
        others = [path for path in found if os.path.basename(path) in ("python3.8", "python3.13")]
        path = self.pack({"tool.py": "import sys\ndef main(): print('%d.%d' % sys.version_info[:2])"})
        seen = set()
        for python in 2 * ([self.python] + others):
            done = self.run_pyz(path, python=python)
            self.assertEqual((done.stderr, done.returncode), ("", 0))
            seen.add(done.stdout)
        kept = os.listdir(os.path.join(self.tree(), "__pycache__"))
        self.assertEqual(len([name for name in kept if name.startswith("_pyzpack-")]), len(seen), kept)


class PlantedTest(Case):
    """PYZPACK_VERIFY=1 runs nothing that was planted in a tree, whatever it is."""

    def test_nothing_planted_runs_or_stays(self):
        files = {"tool.py": "import pkg\ndef main(): print('ran')", "pkg/__init__.py": "", "pkg/data": "x" * 99}
        path = self.pack(files)
        self.assert_ran(self.run_pyz(path), "ran\n")
        tree = self.tree()
        (kept,) = glob.glob(os.path.join(tree, "__pycache__", "_pyzpack-*"))
        evil = self.path("evil.py")
        with open(evil, "w") as file:
            file.write("import os\nos.write(1, b'evil ')\n")
        compiled = self.path("evil.pyc")
        code = "import py_compile; py_compile.compile(%r, %r)"
        self.assertEqual(self.run_command(self.python, "-c", code % (evil, compiled)).returncode, 0)
        with open(compiled, "rb") as file:
            magic, code = file.read(16)[:4], file.read()
        tag = sys.implementation.cache_tag
        for name in (
            "__pycache__/tool.%s.pyc" % tag,
            "pkg/__pycache__/__init__.%s.pyc" % tag,
            "pkg/hashlib.pyc",
            "late.pyc",
        ):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            shutil.copy(compiled, os.path.join(tree, name))
        # As marshal writes a tuple of two.
        with open(kept, "wb") as file:
            file.write(magic + b")\2" + code + code)
        if POSIX:
            os.unlink(os.path.join(tree, "pkg", "data"))
            for name in ("fifo", "pkg/data"):
                os.mkfifo(os.path.join(tree, name))
            os.symlink(self.dir, os.path.join(tree, "pkg", "up"))
            os.symlink("tool.py", os.path.join(tree, "soft.py"))
        os.makedirs(os.path.join(tree, "more", "deep"))
        os.utime(tree, (WHOLE, WHOLE))
        # The proof that all of this would have run.
        self.assertIn("evil", self.run_pyz(path).stdout)
        env = {"PYZPACK_VERIFY": "1", "PYZPACK_QUIET": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.assert_ran(self.run_pyz(path, env=env), "ran\n")
        found = {os.path.relpath(os.path.join(top, name), tree) for top, _, names in os.walk(tree) for name in names}
        self.assertEqual(found, {os.path.join(*name.split("/")) for name in files} | {".pyzpack"})
        self.assertTrue(os.path.isfile(os.path.join(tree, "pkg", "data")))
        self.assertFalse(os.path.exists(os.path.join(tree, "more")))
        self.assert_ran(self.run_pyz(path), "ran\n")


class MountTest(Case):
    """File systems that take nothing, or run nothing, in a namespace of the test's own."""

    def setUp(self):
        super().setUp()
        probe = "mount --make-rprivate / && mount -t tmpfs none %s" % self.path("tmp")
        done = subprocess.run(["sh", "-c", "unshare -m sh -c '%s' 2>&1" % probe], stdout=subprocess.PIPE)
        if done.returncode:
            why = "no mounts here: " + done.stdout.decode(errors="replace").strip()
            sys.stderr.write("SKIPPED %s: %s\n" % (self.id(), why))
            self.skipTest(why)
        os.mkdir(self.path("mounted"), 0o700)

    def start(self, script, tool, **env):
        """Start it where the script's mounts are."""
        script = 'set -e; mount --make-rprivate /; %s; exec "$@"' % script
        return self.run_command("unshare", "-m", "sh", "-c", script, "sh", self.python, tool, env=env)

    def test_no_place_can_be_written_to(self):
        read_only = (
            "for at in / $(findmnt -rno TARGET -t notmpfs,noproc,nosysfs | grep -v '^/\\(proc\\|sys\\|dev\\)'); do "
        )
        read_only = "mount --bind {0} {0}; mount -o remount,bind,ro {0}".format(self.dir)
        zipped = self.pack({"tool.py": "def main(): print('ran')"}, "zip", "zip.pyz")
        tool = self.pack({"tool.py": "def main(): print('ran')"})
        self.assert_ran(self.start(read_only, zipped), "ran\n")
        text = "tool.pyz: cannot unpack into %s: Read-only file system%s\n"
        home = os.path.join(self.home, ".cache", "pyzpack")
        self.assert_ran(self.start(read_only, tool), "", 1, text % (home, ADVICE))
        self.assert_ran(
            self.start(read_only, tool, PYZPACK_CACHE=self.path("c")), "", 1, text % (self.path("c"), ADVICE)
        )
        self.assert_ran(self.run_pyz(tool, env={"PYTHONDONTWRITEBYTECODE": "1"}), "ran\n")
        self.assert_ran(self.start(read_only, tool), "ran\n")
        self.assert_ran(self.start(read_only + "; mount -t tmpfs none /proc", tool), "ran\n")

    def test_a_library_on_a_file_system_without_execution(self):
        libraries = glob.glob(os.path.join(sysconfig.get_path("platstdlib"), "lib-dynload", "_heapq*.so"))
        if not libraries:
            self.skipTest("this Python has no library of its own to pack")
        with open(libraries[0], "rb") as file:
            library = file.read()
        load = (
            "import os\nfrom importlib import machinery, util\n"
            "path = os.path.join(os.path.dirname(__file__), 'native', '_heapq.so')\n"
            "loader = machinery.ExtensionFileLoader('_heapq', path)\n"
            "def main():\n    util.module_from_spec(util.spec_from_loader('_heapq', loader))\n    print('ran')\n"
        )
        tool = self.pack({"tool.py": load, "native/_heapq.so": library})
        self.assert_ran(self.run_pyz(tool), "ran\n")
        done = self.start("mount -t tmpfs -o noexec none " + self.path("tmp"), tool, HOME=None)
        self.assertEqual((done.stdout, done.returncode), ("", 1))
        tree = self.path("tmp", "pyzpack-%d" % os.geteuid(), "apps", os.path.basename(self.tree()))
        text = "tool.pyz: nothing native can be loaded or run from %s, which is mounted noexec%s\n" % (tree, ADVICE)
        self.assertTrue(done.stderr.startswith(text + "Traceback"), done.stderr)
        # A failure of another kind has nothing to do with it.
        tool = self.pack({"tool.py": "def main(): import missing"})
        done = self.start("mount -t tmpfs -o noexec none " + self.path("tmp"), tool, HOME=None)
        self.assertTrue(done.stderr.startswith("Traceback"), done.stderr)

    def test_no_inodes_left(self):
        tool = self.pack(dict({"d/%d" % number: "" for number in range(90)}, **{"tool.py": "def main(): print('ran')"}))
        small = "mount -t tmpfs -o nr_inodes=%d,mode=700 none " + self.path("mounted")
        cache = self.path("mounted", "c")
        text = "tool.pyz: no space left to unpack into %s; free some, or set PYZPACK_CACHE\n" % cache
        for inodes in (2, 3, 50):
            self.assert_ran(self.start(small % inodes, tool, PYZPACK_CACHE=cache), "", 1, text)
        self.assert_ran(self.start(small % 200, tool, PYZPACK_CACHE=cache), "ran\n")


if __name__ == "__main__":
    unittest.main()
