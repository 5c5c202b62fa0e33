"""What of the cache goes by itself: trees that nobody used for a month, and none that somebody uses."""

import importlib.util
import os
import subprocess
import threading
import time
import unittest

from packing import SOURCES, WHOLE, Case

DAY = 24 * 3600
WAITS = """
import os, sys
def main():
    {fork}
    print('up', flush=True)
    sys.stdin.readline()
    from late import A
    print(A)
"""
FORK = "if os.fork(): os._exit(0)"


def load_cache():
    spec = importlib.util.spec_from_file_location("cache", os.path.join(SOURCES, "cache.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@unittest.skipUnless(os.name == "posix", "without pipes nothing goes by itself")
class CollectionTest(Case):
    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.home, ".cache", "pyzpack", "apps")
        self.count = 0

    def start_anew(self):
        """A first start, of something that was never started here."""
        self.count += 1
        path = self.pack({"tool.py": "def main(): print(%d)" % self.count}, name="new%d.pyz" % self.count)
        self.assert_ran(self.run_pyz(path), "%d\n" % self.count)
        return self.digest(path)

    def digest(self, path):
        with open(path, "rb") as file:
            text = file.read()
        return text[text.index(b"'tree': '") + 9 :][:64].decode()

    def pipe(self, digest):
        return os.path.join(self.root, ".%s.used" % digest)

    def age(self, digest, days):
        then = time.time() - days * DAY
        os.utime(self.pipe(digest), (then, then))

    def old(self, files=None, name="old.pyz", **app):
        """The path and the tree's name of something that was started 31 days ago for the last time."""
        path = self.pack(files or {"tool.py": "def main(): print('old')"}, name=name, **app)
        self.assert_ran(self.run_pyz(path), "old\n")
        self.age(self.digest(path), 31)
        return path, self.digest(path)

    def test_a_tree_goes_by_its_last_use(self):
        path, digest = self.old()
        tree = os.path.join(self.root, digest)
        os.utime(tree, (WHOLE, WHOLE))
        self.age(digest, 29)
        self.start_anew()
        self.assertIn(digest, self.apps())
        self.age(digest, 31)
        self.assert_ran(self.run_pyz(path), "old\n")  # However old, it was used now.
        self.start_anew()
        self.assertIn(digest, self.apps())
        self.age(digest, 31)
        new = self.start_anew()
        self.assertNotIn(digest, self.apps())
        self.assertFalse(os.path.lexists(self.pipe(digest)))
        self.assertIn(new, self.apps())
        self.assertTrue(os.path.exists(os.path.join(os.path.dirname(self.root), "CACHEDIR.TAG")))
        self.assert_ran(self.run_pyz(path), "old\n")
        self.assertIn(digest, self.apps())

    def test_a_start_leaves_its_mark_once_a_day_and_removes_nothing(self):
        _, other = self.old()
        self.age(other, 0)
        path, digest = self.old({"tool.py": "def main(): print('old')", "x": ""}, "other.pyz")
        self.age(other, 31)
        for hours, marked in ((23, False), (25, True)):
            self.age(digest, hours / 24)
            before = os.stat(self.pipe(digest)).st_mtime
            self.assert_ran(self.run_pyz(path), "old\n")
            self.assertEqual(os.stat(self.pipe(digest)).st_mtime != before, marked)
        self.assertEqual(os.stat(os.path.join(self.root, digest)).st_mtime, WHOLE)
        self.assertEqual(self.apps(), sorted([digest, other]))

    def start_waiting(self, fork="", warm=False, **app):
        """What waits for a line before it imports more from its tree, and its tree's name."""
        files = {
            "tool.py": WAITS.format(fork=fork),
            "late.py": "A = 'late'",
            "bin/x": ("#!/bin/sh\necho up\nread x\n", 0o755),
        }
        path = self.pack(files, name="waits.pyz", **app)
        if warm:
            self.run_pyz(path)
        process = subprocess.Popen(
            [self.python, path], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.assertEqual(process.stdout.readline(), "up\n")
        return process, self.digest(path)

    def test_a_tree_stays_while_its_process_or_a_fork_lives(self):
        for fork, warm in (("", False), ("", True), (FORK, False), (FORK, True)):
            with self.subTest(fork=fork, warm=warm):
                process, digest = self.start_waiting(fork, warm)
                if fork:
                    self.assertEqual(process.wait(), 0)
                self.age(digest, 31)
                self.start_anew()
                self.assertEqual(os.stat(os.path.join(self.root, digest)).st_mtime, WHOLE)
                self.assertEqual(process.communicate("\n")[0], "late\n")
                end = time.monotonic() + 20
                while digest in self.apps() and time.monotonic() < end:  # Its end may take a moment.
                    self.age(digest, 31)
                    self.start_anew()
                self.assertNotIn(digest, self.apps())

    def test_a_tree_stays_while_its_executable_runs(self):
        process, digest = self.start_waiting(entry=("executable", "bin/x"))
        self.age(digest, 31)
        self.start_anew()
        self.assertIn(digest, self.apps())
        process.communicate("\n")
        self.start_anew()
        self.assertNotIn(digest, self.apps())

    def test_a_tree_stays_while_somebody_works_on_it(self):
        import fcntl

        _, digest = self.old()
        lock = os.open(os.path.join(self.root, ".%s.lock" % digest), os.O_CREAT | os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.start_anew()
        self.assertIn(digest, self.apps())
        os.close(lock)
        self.start_anew()
        self.assertFalse([name for name in self.apps() if digest in name])

    def test_what_is_none_of_ours_stays(self):
        outside = self.path("outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "kept"), "w"):
            pass
        _, digest = self.old()
        os.symlink(outside, os.path.join(self.root, digest, "link"))
        linked, foreign, plain = "a" * 64, "b" * 64, "c" * 64
        os.symlink(outside, os.path.join(self.root, linked))
        os.mkdir(os.path.join(self.root, foreign))
        os.mkdir(os.path.join(self.root, plain))
        os.mkdir(os.path.join(self.root, "notes"))
        os.mkfifo(self.pipe(linked))
        os.symlink(self.pipe(digest), self.pipe(foreign))
        with open(self.pipe(plain), "w"):
            pass
        for name in (linked, plain):
            self.age(name, 99)
        new = self.start_anew()
        self.assertEqual(set(self.apps()), {linked, foreign, plain, "notes", new})
        self.assertEqual(os.listdir(outside), ["kept"])

    def test_what_was_left_half_way_is_taken_by_the_next(self):
        _, digest = self.old({"tool.py": "def main(): print('old')", "pkg/deep/x": "x"})
        cache, apps = load_cache(), os.fsencode(self.root)
        cache.collect(apps, -1)
        (left,) = os.listdir(self.root)
        self.assertTrue(left.startswith(".removing-"))
        for name in (digest, "d" * 64):
            with open(os.path.join(self.root, ".%s.lock" % name), "w"):
                pass
        os.mkfifo(self.pipe(digest))
        self.age(digest, 31)
        new = self.start_anew()
        self.assertEqual(sorted(os.listdir(self.root)), sorted([new, ".%s.used" % new]))

    def test_a_tree_without_a_pipe_gets_one_when_it_is_repaired(self):
        path, digest = self.old()
        os.unlink(self.pipe(digest))
        self.assert_ran(self.run_pyz(path), "old\n")
        os.utime(os.path.join(self.root, digest))
        with open(self.pipe(digest), "w"):
            pass
        self.assert_ran(self.run_pyz(path), "old\n")
        self.age(digest, 31)
        self.start_anew()
        self.assertNotIn(digest, self.apps())

    def test_a_tree_that_starts_while_it_is_taken_stays(self):
        cache, apps = load_cache(), os.fsencode(self.root)
        path = self.pack({"tool.py": WAITS.format(fork=""), "late.py": "A = 'late'"})
        self.assertEqual(self.run_pyz(path).stdout, "up\nlate\n")
        digest = self.digest(path)
        tree, real, asked = os.path.join(self.root, digest), cache.is_used, []

        def is_used(pipe):
            used = real(pipe)
            asked.append((used, os.stat(tree).st_mtime == WHOLE))
            if len(asked) == 1:
                asked.append(subprocess.Popen([self.python, path], env=self.env, stdin=-1, stdout=-1, encoding="utf-8"))
                self.assertEqual(asked[-1].stdout.readline(), "up\n")
            return used

        cache.is_used = is_used
        self.age(digest, 31)
        self.assertIsNone(cache.retire(apps, digest.encode()))
        # The start has renewed its time; what counts here is that it reads.
        self.assertEqual(asked[::2], [(False, True), (True, False)])
        self.assertEqual(asked[1].communicate("\n")[0], "late\n")
        self.assertEqual(self.run_pyz(path).stdout, "up\nlate\n")
        self.assertEqual(os.stat(tree).st_mtime, WHOLE)

    def test_a_tree_that_goes_while_it_starts_is_unpacked_again(self):
        path, digest = self.old()
        hook = self.path("hook")
        os.mkdir(hook)
        # Where the start opens the pipe, the tree goes first.
        with open(os.path.join(hook, "sitecustomize.py"), "w") as file:
            file.write(
                "import os\nreal, source, apps, digest = os.open, %r, %r, %r\n"
                "def replaced(path, flags, *rest, **options):\n"
                "    if path == os.path.join(apps, '.%%s.used' %% digest):\n"
                "        os.open = real\n"
                "        names = {}\n"
                "        exec(open(source).read(), names)\n"
                "        removed = names['retire'](os.fsencode(apps), digest.encode())\n"
                "        names['remove_tree'](removed)\n"
                "        print('gone', flush=True)\n"
                "    return real(path, flags, *rest, **options)\n"
                "os.open = replaced\n" % (os.path.join(SOURCES, "cache.py"), self.root, digest)
            )
        self.assert_ran(self.run_pyz(path, env={"PYTHONPATH": hook}), "gone\nold\n")
        self.assertIn(digest, self.apps())

    def test_a_lock_whose_file_was_removed_keeps_nobody_out(self):
        cache, path = load_cache(), self.path("lock")
        real = cache.fcntl

        class Removing:
            LOCK_EX, LOCK_NB = real.LOCK_EX, real.LOCK_NB

            def flock(self, descriptor, how):
                os.unlink(path)
                if self.anew:
                    open(path, "w").close()
                real.flock(descriptor, how)

        cache.fcntl = Removing()
        for Removing.anew in (True, False):
            with self.assertRaises(cache.Busy):
                cache.try_lock(path, os.O_CREAT)

    def test_starts_and_removals_at_once(self):
        path = self.pack({"tool.py": "def main():\n    from late import A\n    print(A)", "late.py": "A = 'ran'"})
        self.assert_ran(self.run_pyz(path), "ran\n")
        cache, stop, removed = load_cache(), threading.Event(), []
        cache.UNUSED_SECONDS = -DAY

        def remove():
            while not stop.is_set():
                try:
                    left = cache.retire(os.fsencode(self.root), self.digest(path).encode())
                except (OSError, cache.Busy):
                    continue
                if left:
                    removed.append(left)
                    cache.remove_tree(left)

        thread = threading.Thread(target=remove)
        thread.start()
        try:
            for _ in range(5):
                started = [
                    subprocess.Popen([self.python, path], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    for _ in range(4)
                ]
                for process in started:
                    self.assertEqual(process.communicate() + (process.returncode,), (b"ran\n", b"", 0))
        finally:
            stop.set()
            thread.join()
        self.assertGreater(len(removed), 2)


if __name__ == "__main__":
    unittest.main()
