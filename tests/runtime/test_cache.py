"""Unpacking: whole or not at all, whatever happens, and only where nobody else can write."""

import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest

from packing import WHOLE, Case, forget_bytecode

POSIX = os.name == "posix"
ROOT_USER = POSIX and os.geteuid() == 0
RAN = "import sys\ndef main(): print('ran')"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def listing(top):
    """Every path under a directory with kind, mode and content, without bytecode."""
    found = {}
    for directory, directories, names in os.walk(top):
        for name in directories + names:
            path = os.path.join(directory, name)
            if "__pycache__" not in path:
                info = os.lstat(path)
                content = None
                if stat.S_ISREG(info.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                found[os.path.relpath(path, top)] = (oct(info.st_mode), content)
    return found


class CacheTest(Case):
    def setUp(self):
        super().setUp()
        self.cache = os.path.join(self.home, ".cache", "pyzpack")
        self.files = {
            "tool.py": RAN,
            "pkg/__init__.py": "A = 1\n" * 100,
            "pkg/data/deep.bin": bytes(range(256)) * 40000,
            "pkg/empty": "",
            "bin/run": ("#!/bin/sh\n", 0o755),
        }

    def test_tree_has_the_files_with_their_modes_whatever_the_umask(self):
        path = self.pack(self.files)
        before = os.umask(0o077)
        try:
            self.assert_ran(self.run_pyz(path), "ran\n")
        finally:
            os.umask(before)
        found = listing(self.tree())
        self.assertEqual(
            sorted(found),
            sorted([".pyzpack", "bin", "pkg", "pkg/data"] + list(self.files)),
        )
        for name, content in self.files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            content = content.encode() if isinstance(content, str) else content
            self.assertEqual(found[name][1], content)
            if POSIX:
                self.assertEqual(found[name][0], oct(0o100000 | mode))
        if POSIX:
            self.assertEqual(stat.S_IMODE(os.stat(self.cache).st_mode), 0o700)
            self.assertEqual(found["pkg"][0], oct(0o40755))
        self.assertEqual(os.stat(self.tree()).st_mtime, WHOLE)
        with open(os.path.join(self.cache, "CACHEDIR.TAG")) as file:
            self.assertEqual(file.readline(), "Signature: 8a477f597d28d172789f06886806bc55\n")

    def test_tree_is_named_by_the_payloads_digest(self):
        for count in (1, 2, 3):
            path = self.pack(self.files, name="t%d.pyz" % count, payload_count=count)
            cache = self.path("cache%d" % count)
            env = {"PYZPACK_CACHE": cache}
            for _ in range(2):
                self.assert_ran(self.run_pyz(path, env=env), "ran\n")
            with open(path, "rb") as file:
                text = file.read()
            constants = text[text.index(b"APP = {") + 6 :]
            digests = [d for _, d in eval(constants[: constants.index(b"\n")])["payloads"]]
            name = digests[0] if count == 1 else hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest()
            self.assertEqual(self.apps(cache), [name])
            self.assertEqual(len(digests), count)

    def test_warm_start_does_not_touch_the_tree(self):
        path = self.pack(self.files)
        self.run_pyz(path)
        inode = os.stat(self.tree()).st_ino
        self.assert_ran(self.run_pyz(path), "ran\n")
        self.assertEqual(os.stat(self.tree()).st_ino, inode)

    def test_renamed_and_copied_files_share_a_tree(self):
        path = self.pack(self.files)
        self.run_pyz(path)
        os.rename(path, self.path("renamed.pyz"))
        self.assert_ran(self.run_pyz(self.path("renamed.pyz")), "ran\n")
        self.assertEqual(len(self.apps()), 1)

    def test_half_deleted_trees_are_repaired(self):
        path = self.pack(self.files)
        self.run_pyz(path)
        whole = listing(self.tree())
        tree = self.tree()

        def cleaned_by_age():
            # What was never read goes, the marker with it.
            os.unlink(os.path.join(tree, ".pyzpack"))
            os.unlink(os.path.join(tree, "pkg", "data", "deep.bin"))

        def directory_gone():
            import shutil

            shutil.rmtree(os.path.join(tree, "pkg"))

        def all_gone():
            import shutil

            shutil.rmtree(tree)
            os.mkdir(tree)

        def file_became_a_directory():
            os.unlink(os.path.join(tree, "tool.py"))
            os.mkdir(os.path.join(tree, "tool.py"))

        def tree_became_a_file():
            import shutil

            shutil.rmtree(tree)
            with open(tree, "w"):
                pass

        for damage in (cleaned_by_age, directory_gone, all_gone, file_became_a_directory, tree_became_a_file):
            with self.subTest(damage=damage.__name__):
                damage()
                self.assert_ran(self.run_pyz(path), "ran\n")
                self.assertEqual(listing(tree), whole)
                self.assertEqual(os.stat(tree).st_mtime, WHOLE)
                self.assertEqual(len(self.apps()), 1)

    def test_program_that_writes_to_its_tree_keeps_starting(self):
        code = "import os\ndef main(): open(os.path.join(os.path.dirname(__file__), 'mine'), 'a').close(); print('ran')"
        path = self.pack({"tool.py": code})
        for _ in range(3):
            self.assert_ran(self.run_pyz(path), "ran\n")

    def test_verify_restores_contents_and_removes_what_is_unlisted(self):
        path = self.pack(self.files)
        self.run_pyz(path)
        tree = self.tree()
        whole = listing(tree)
        planted = os.path.join(tree, "pkg", "__pycache__", "__init__.cpython-%d%d.pyc" % sys.version_info[:2])
        os.mkdir(os.path.dirname(planted))
        for name, content in [
            (planted, b"planted"),
            (os.path.join(tree, "pkg", "planted.py"), b""),
            (os.path.join(tree, "tool.py"), RAN.replace("ran", "bad").encode()),
            (os.path.join(tree, "pkg", "data", "deep.bin"), bytes(256 * 40000)),
        ]:
            with open(name, "wb") as file:
                file.write(content)
        if POSIX:
            os.rename(os.path.join(tree, "bin"), self.path("moved"))
            os.symlink(self.path("moved"), os.path.join(tree, "bin"))
            os.chmod(os.path.join(tree, "pkg", "__init__.py"), 0o600)
        forget_bytecode(tree)
        self.assert_ran(self.run_pyz(path), "bad\n")
        env = {"PYZPACK_VERIFY": "1", "PYZPACK_QUIET": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.assert_ran(self.run_pyz(path, env=env), "ran\n")
        self.assertEqual(listing(tree), whole)
        self.assertFalse(os.path.exists(planted))
        self.assertEqual(os.stat(tree).st_mtime, WHOLE)
        self.assert_ran(self.run_pyz(path, env=env), "ran\n")
        self.assert_ran(self.run_pyz(path), "ran\n")

    def test_verify_unpacks_a_missing_tree(self):
        env = {"PYZPACK_VERIFY": "1", "PYZPACK_QUIET": "1"}
        self.assert_ran(self.run_pyz(self.pack(self.files), env=env), "ran\n")

    def test_damaged_files_leave_nothing(self):
        path = self.pack(self.files)
        with open(path, "rb") as file:
            good = file.read()
        start = good.index(b"_pyzpack/payload.zipPK\3\4") + len(b"_pyzpack/payload.zip")
        end = good.index(b"PK\5\6") + 22
        attempted = 0
        for at in list(range(start, end, (end - start) // 60)) + list(range(end - 400, end, 7)):
            bad = bytearray(good)
            bad[at] ^= 0x41
            with open(path, "wb") as file:
                file.write(bad)
            done = self.run_pyz(path)
            self.assertEqual((done.stdout, done.returncode), ("", 1), (at - start, done.stderr))
            self.assertTrue(done.stderr.startswith("tool.pyz: %s is damaged: " % path), done.stderr)
            self.assertTrue(done.stderr.endswith("; get it again\n"), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertEqual(self.apps(), [])
            attempted += 1
        self.assertGreater(attempted, 60)
        with open(path, "wb") as file:
            file.write(good)
        self.assert_ran(self.run_pyz(path), "ran\n")

    def test_first_start_is_silent_where_warnings_are_errors(self):
        for payload_count in (1, 2):
            path = self.pack({"tool.py": RAN, "a.txt": "a"}, payload_count=payload_count)
            self.assert_ran(self.run_pyz(path, python=[self.python, "-W", "error"]), "ran\n")
        with open(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"x")
        done = self.run_pyz(path, python=[self.python, "-W", "error"], env={"PYZPACK_VERIFY": "1"})
        self.assertEqual((done.stdout, done.stderr.count("\n"), done.returncode), ("", 1, 1), done.stderr)

    def test_names_that_leave_the_tree_are_refused(self):
        for name in ("../out", "/out", "a/../../out", "a//b", "./a", "a\\..\\b", ".pyzpack", ".pyzpack/a"):
            with self.subTest(name=name):
                path = self.pack({"tool.py": RAN, name: "x"})
                done = self.run_pyz(path)
                expected = "tool.pyz: %s is damaged: it holds an unsafe name: %r; get it again\n" % (path, name)
                self.assert_ran(done, "", 1, expected)
        for name in ("..out", "a/..b/c", "a b", "pyzpack"):
            with self.subTest(name=name):
                self.assert_ran(self.run_pyz(self.pack({"tool.py": RAN, name: "x"})), "ran\n")
        self.assertFalse(os.path.exists("/out"))

    def test_fifty_first_starts_at_once(self):
        path = self.pack(self.files)
        command = [self.python, path]
        started = [
            subprocess.Popen(
                command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
            )
            for _ in range(50)
        ]
        for process in started:
            self.assertEqual(process.communicate() + (process.returncode,), (b"ran\n", b"", 0))
        self.assertEqual(len(self.apps()), 1)

    def many_files(self, count):
        files = {"pkg/m%d.py" % number: "x = %d\n" % number * 50 for number in range(count)}
        return dict(files, **{"tool.py": RAN})

    def test_unpacks_where_no_thread_can_be_started(self):
        limit = self.path("limit")
        os.mkdir(limit)
        with open(os.path.join(limit, "sitecustomize.py"), "w") as file:
            file.write("import threading\ndef start(self): raise RuntimeError\nthreading.Thread.start = start\n")
        self.assert_ran(self.run_pyz(self.pack(self.files), env={"PYTHONPATH": limit}), "ran\n")

    def test_large_files_are_streamed(self):
        large = os.urandom(17 << 20)  # Packs to more than reader.py holds in memory.
        files = dict(self.files, **{"large": large, "pkg/larger": large + b"x"})
        path = self.pack(files)
        self.assert_ran(self.run_pyz(path), "ran\n")
        for name in ("large", "pkg/larger"):
            with open(os.path.join(self.tree(), name), "rb") as file:
                self.assertTrue(file.read() == files[name], name)
        with open(path, "r+b") as file:
            content = file.read()
            file.seek(content.index(large[-99:]))
            file.write(bytes(99))
        env = {"PYZPACK_CACHE": self.path("other")}
        done = self.run_pyz(path, env=env)
        self.assert_ran(done, "", 1, "tool.pyz: %s is damaged: the file large in it is broken; get it again\n" % path)
        self.assertEqual(self.apps(env["PYZPACK_CACHE"]), [])

    @unittest.skipUnless(POSIX, "signals")
    def test_killed_unpacking_starts_again_and_is_cleaned_up(self):
        path = self.pack(self.many_files(3000))
        for _ in range(4):
            process = subprocess.Popen([self.python, path], env=self.env, stdout=subprocess.PIPE)
            before = self.temporaries()
            end = time.monotonic() + 30
            while not self.temporaries() - before and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            process.kill()
            process.communicate()
            self.assertEqual(self.trees(), [])
        self.assertEqual(len(self.temporaries()), 1)
        self.assert_ran(self.run_pyz(path), "ran\n")
        self.assertEqual(self.apps(), self.trees())
        self.assertEqual(len(self.apps()), 1)

    def temporaries(self):
        return {name for name in self.apps() if name.startswith(".unpacking-")}

    def trees(self):
        return [name for name in self.apps() if not name.startswith(".")]

    @unittest.skipUnless(POSIX, "signals")
    def test_interrupted_unpacking_leaves_nothing(self):
        path = self.pack(self.many_files(6000))
        for delay in (0, 0, 0, 0.002, 0.005, 0.01, 0.02, 0.05):
            process = subprocess.Popen(
                [self.python, path], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            end = time.monotonic() + 30
            while not any(name.startswith(".unpacking") for name in self.apps()) and time.monotonic() < end:
                pass
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.communicate() + (process.returncode,), (b"", b"", -signal.SIGINT))
            self.assertEqual(self.apps(), [])

    @unittest.skipUnless(POSIX, "signals")
    def test_ignored_interrupt_does_not_end_unpacking(self):
        path = self.pack(self.many_files(3000))
        process = subprocess.Popen(
            [self.python, path],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        end = time.monotonic() + 30
        while not self.temporaries() and time.monotonic() < end:
            pass
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate() + (process.returncode,), (b"ran\n", b"", 0))

    @unittest.skipUnless(POSIX, "locks")
    def test_temporary_of_a_living_process_is_left_alone(self):
        import fcntl

        apps = os.path.join(self.cache, "apps")
        os.makedirs(apps, 0o700)
        os.chmod(self.cache, 0o700)
        living, dead = os.path.join(apps, ".unpacking-1-aa"), os.path.join(apps, ".unpacking-1-bb")
        os.mkdir(living)
        os.mkdir(dead)
        lock = os.open(living, os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.assert_ran(self.run_pyz(self.pack(self.files)), "ran\n")
        self.assertTrue(os.path.isdir(living))
        self.assertFalse(os.path.exists(dead))

    @unittest.skipUnless(POSIX, "a pseudo-terminal")
    def test_progress_line_shows_on_a_terminal_after_a_second(self):
        import pty

        path = self.pack(self.files)
        # The clock of this process runs a hundred times as fast.
        clock = self.path("clock")
        os.mkdir(clock)
        with open(os.path.join(clock, "sitecustomize.py"), "w") as file:
            file.write("import time\nreal = time.monotonic\ntime.monotonic = lambda: real() * 1e5\n")
        for quiet, expected in ((None, True), ("1", False), ("0", True)):
            master, slave = pty.openpty()
            env = dict(self.env, PYTHONPATH=clock, PYZPACK_CACHE=self.path("cache-%s" % quiet))
            if quiet:
                env["PYZPACK_QUIET"] = quiet
            process = subprocess.Popen([self.python, path], env=env, stderr=slave, stdout=subprocess.PIPE)
            os.close(slave)
            self.assertEqual(process.communicate()[0], b"ran\n")
            seen = b""
            try:
                for part in iter(lambda: os.read(master, 10000), b""):  # noqa: B023
                    seen += part
            except OSError:  # The other end is closed.
                pass
            os.close(master)
            self.assertEqual(b"tool.pyz: unpacking for the first start, " in seen, expected, seen)
            self.assertEqual(seen.endswith(b"\r\x1b[K"), expected)


class PlaceTest(Case):
    """Which directory is taken, and which is refused."""

    def setUp(self):
        super().setUp()
        self.tool = self.pack({"tool.py": "def main(): print(__file__)"})
        self.fallback = self.path("tmp", "pyzpack-%d" % (os.geteuid() if POSIX else 0))

    def assert_unpacked_under(self, root, env, **options):
        for _ in range(2):
            done = self.run_pyz(self.tool, env=env, **options)
            self.assertEqual((done.stderr, done.returncode), ("", 0))
            self.assertTrue(done.stdout.startswith(os.path.join(root, "apps") + os.sep), (done.stdout, root))

    def test_order_of_places(self):
        self.assert_unpacked_under(os.path.join(self.home, ".cache", "pyzpack"), {})
        xdg = self.path("xdg")
        self.assert_unpacked_under(os.path.join(xdg, "pyzpack"), {"XDG_CACHE_HOME": xdg})
        own = self.path("deep", "own")
        self.assert_unpacked_under(own, {"XDG_CACHE_HOME": xdg, "PYZPACK_CACHE": own})
        self.assert_unpacked_under(self.path("relative"), {"PYZPACK_CACHE": "relative"})
        if POSIX:
            self.assertEqual(stat.S_IMODE(os.stat(self.path("deep")).st_mode) & 0o022, 0)

    @unittest.skipUnless(POSIX, "HOME")
    def test_fallback_where_there_is_no_home(self):
        for env in (
            {"HOME": None},
            {"HOME": ""},
            {"HOME": "relative"},
            {"HOME": "/nonexistent"},
            {"HOME": "/dev/null"},
            {"HOME": "/proc"},
            {"HOME": None, "XDG_CACHE_HOME": "relative"},
        ):
            with self.subTest(env=env):
                self.assert_unpacked_under(self.fallback, env)
        self.assertFalse(os.path.exists("/nonexistent"))
        self.assertFalse(os.path.exists(self.path("relative")))

    @unittest.skipUnless(ROOT_USER, "needs root to become another user")
    def test_unwritable_home_falls_back(self):
        os.chmod(self.dir, 0o755)
        os.chmod(self.path("tmp"), 0o1777)
        fallback = self.path("tmp", "pyzpack-65534")
        self.assert_unpacked_under(fallback, {}, python=NOBODY + [self.nobodys_python()])
        self.assertEqual(os.listdir(self.home), [])

    @unittest.skipUnless(ROOT_USER, "needs root to own a directory as another user")
    def test_sudo_leaves_nothing_of_roots_in_a_users_home(self):
        os.chown(self.home, 65534, 65534)
        self.assert_unpacked_under(self.fallback, {})
        self.assertEqual(os.listdir(self.home), [])

    def nobodys_python(self):
        for path in (self.python, os.path.realpath(self.python), "/usr/bin/python3"):
            done = self.run_command(*NOBODY, path, "-c", "import sys; print(sys.version_info >= (3, 8))")
            if done.stdout == "True\n":
                return path
        return self.skipTest("no Python that another user can run")

    def assert_refused(self, text, env=None, **options):
        self.assert_ran(self.run_pyz(self.tool, env=env, **options), "", 1, "tool.pyz: %s\n" % text)

    @unittest.skipUnless(POSIX, "modes")
    def test_directory_that_others_can_write_to_is_refused(self):
        cache = self.path("cache")
        os.mkdir(cache)
        for mode in (0o770, 0o702, 0o777):
            os.chmod(cache, mode)
            text = "cache directory %s can be written by others; run: chmod go-w %s" % (cache, cache)
            self.assert_refused(text, {"PYZPACK_CACHE": cache})
        os.chmod(cache, 0o755)
        self.assert_unpacked_under(cache, {"PYZPACK_CACHE": cache})
        os.chmod(cache, 0o770)  # A tree in it does not help.
        self.assert_refused(text, {"PYZPACK_CACHE": cache})

    @unittest.skipUnless(POSIX, "links")
    def test_link_in_the_directorys_place_is_refused(self):
        os.mkdir(self.path("real"), 0o700)
        os.symlink(self.path("real"), self.fallback)
        advice = "; set PYZPACK_CACHE to a directory of yours"
        text = "cache directory %s is not a directory%s" % (self.fallback, advice)
        self.assert_refused(text, {"HOME": None})
        self.assertEqual(os.listdir(self.path("real")), [])
        os.unlink(self.fallback)
        self.assert_unpacked_under(self.fallback, {"HOME": None})

    @unittest.skipUnless(ROOT_USER, "needs root to own a directory as another user")
    def test_directory_of_another_user_is_refused(self):
        cache = self.path("cache")
        os.mkdir(cache, 0o700)
        os.chown(cache, 65534, 65534)
        advice = "; set PYZPACK_CACHE to a directory of yours"
        text = "cache directory %s belongs to user 65534, not to user 0%s" % (cache, advice)
        self.assert_refused(text, {"PYZPACK_CACHE": cache})
        os.chown(cache, 0, 0)
        self.assert_unpacked_under(cache, {"PYZPACK_CACHE": cache})

    @unittest.skipUnless(POSIX, "a file system of the kernel")
    def test_unwritable_places_are_named_in_one_line(self):
        advice = "; set PYZPACK_CACHE to a directory of yours"
        done = self.run_pyz(self.tool, env={"PYZPACK_CACHE": "/proc/x"})
        self.assert_ran(done, "", 1, "tool.pyz: cannot unpack into /proc/x: No such file or directory%s\n" % advice)
        done = self.run_pyz(self.tool, env={"HOME": "/nonexistent", "TMPDIR": "/nonexistent"})
        self.assertEqual((done.stdout, done.returncode, done.stderr.count("\n")), ("", 1, 1), done.stderr)
        self.assertFalse(os.path.exists("/nonexistent"))

    def mount(self, options):
        if not ROOT_USER or sys.platform != "linux":
            self.skipTest("needs root to mount")
        place = self.path("mounted")
        os.mkdir(place)
        done = self.run_command("mount", "-t", "tmpfs", "-o", options, "none", place)
        if done.returncode:
            self.skipTest("cannot mount here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", place])
        os.chmod(place, 0o700)
        return place

    def test_full_disk_is_one_line_and_leaves_nothing(self):
        place = self.mount("size=1m")
        big = {"tool.py": RAN, "big.bin": bytes(range(256)) * 8000, "x/small.py": ""}
        many = {"tool.py": RAN, **{"d/f%d.bin" % n: b"%d" % n * 9000 for n in range(200)}}
        for files in (big, many):
            path = self.pack(files)
            done = self.run_pyz(path, env={"PYZPACK_CACHE": os.path.join(place, "c")})
            text = "no space left to unpack into %s; free some, or set PYZPACK_CACHE" % os.path.join(place, "c")
            self.assert_ran(done, "", 1, "tool.pyz: %s\n" % text)
            self.assertEqual(self.apps(os.path.join(place, "c")), [])
        self.assertEqual(self.run_pyz(path).returncode, 0)

    def test_read_only_file_system_falls_back(self):
        place = self.mount("size=1m")
        self.run_command("mount", "-o", "remount,ro", place)
        self.assert_unpacked_under(self.fallback, {"HOME": place})
        advice = "; set PYZPACK_CACHE to a directory of yours"
        own = os.path.join(place, "c")
        self.assert_refused("cannot unpack into %s: Read-only file system%s" % (own, advice), {"PYZPACK_CACHE": own})

    def test_read_only_cache_with_a_whole_tree_is_used(self):
        place = self.mount("size=1m")
        self.assert_unpacked_under(place, {"PYZPACK_CACHE": place})
        self.run_command("mount", "-o", "remount,ro", place)
        self.assert_unpacked_under(place, {"PYZPACK_CACHE": place})

    def test_executable_on_a_file_system_without_execution_is_one_line(self):
        place = self.mount("size=1m,noexec")
        path = self.pack({"bin/x": ("#!/bin/sh\n", 0o755)}, entry=("executable", "bin/x"))
        done = self.run_pyz(path, env={"PYZPACK_CACHE": place})
        self.assertEqual((done.stdout, done.returncode, done.stderr.count("\n")), ("", 1, 1))
        self.assertTrue(done.stderr.endswith("/bin/x: Permission denied\n"), done.stderr)


class ReplaceTest(Case):
    @unittest.skipUnless(POSIX, "no replacing of open files")
    def test_replaced_while_running(self):
        code = (
            "import sys\ndef main():\n    print('up', flush=True)\n    sys.stdin.read()\n"
            "    from late import A\n    print(A)"
        )
        path = self.pack({"tool.py": code, "late.py": "A = 'old'"})
        process = subprocess.Popen(
            [self.python, path], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.assertEqual(process.stdout.readline(), "up\n")
        other = self.pack({"tool.py": "def main(): print('new')"}, name="other.pyz")
        os.replace(other, path)
        self.assert_ran(self.run_pyz(path), "new\n")
        self.assertEqual(process.communicate("")[0], "old\n")

    def test_threads_that_start_it_again_do_no_harm(self):
        path = self.pack({"tool.py": RAN})
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.run_pyz(path).stdout)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, ["ran\n"] * 4)


if __name__ == "__main__":
    unittest.main()
