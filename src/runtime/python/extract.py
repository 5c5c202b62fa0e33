"""Unpacks a .pyz's payload into the cache: at its first start, and where the cache was found damaged.

Promises: a tree under its final name is whole; many processes may start at once; what fails or is interrupted leaves
no half-written tree.
"""

import errno
import os
import queue
import struct
import sys
import threading
import time
import types
import zlib

reader = types.SimpleNamespace(**support("payload.py"))
cache = types.SimpleNamespace(**support("cache.py"))

BATCH = 256 << 10
UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


class Writers:
    """Threads that inflate and write entries while the main thread reads: zlib and system calls release the lock."""

    def __init__(self, tree, count):
        self.tree, self.error = tree, None
        self.jobs = queue.Queue(maxsize=4 * count)
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self):
        while True:
            batch = self.jobs.get()
            if batch is None:
                return
            for entry, blob in batch:
                if self.error:
                    break
                try:
                    path = os.path.join(self.tree, entry.name)
                    cache.write_file(path, entry.mode, (reader.inflate(entry, blob),) if entry.size else ())
                except BaseException as error:
                    self.error = error

    def put(self, batch):
        self.jobs.put(batch)
        if self.error:
            raise self.error

    def finish(self):
        """Wait for all that was put; safe to call again."""
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()
        self.threads = []
        if self.error:
            raise self.error

    def abandon(self):
        """Stop without a word."""
        self.error = self.error or cache.Refused("interrupted")
        for _ in self.threads:
            self.jobs.put(None)
        for thread in self.threads:
            thread.join()


class Progress:
    """A line on a terminal's standard error when unpacking takes over a second."""

    def __init__(self, label, total, environ):
        self.quiet = not sys.stderr or environ.get("PYZPACK_QUIET", "0") not in ("", "0")
        self.shown = False
        self.label, self.total, self.done = label, max(total, 1), 0
        self.next = time.monotonic() + 1 if not self.quiet and sys.stderr.isatty() else None

    def add(self, count):
        self.done += count
        if self.next and time.monotonic() > self.next:
            self.shown = True
            self.next = time.monotonic() + 0.1
            sys.stderr.write("\r%s: unpacking for the first start, %d %%" % (self.label, 100 * self.done // self.total))
            sys.stderr.flush()

    def close(self):
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def say_restored(self, restored):
        """That files of the cache were changed or missing is news to whoever asked for a check."""
        if restored and not self.quiet:
            text = "%s: restored %d of the unpacked files, the first is %s\n"
            sys.stderr.write(text % (self.label, len(restored), ascii(restored[0])[1:-1]))


def make_directories(tree, payloads):
    """All directories of a new tree, each before those in it; `__pycache__`, so that the root stays as it is."""
    names = {b"__pycache__"}
    for payload in payloads:
        for entry in payload.entries:
            name = entry.name.rpartition(b"/")[0]
            while name and name not in names:
                names.add(name)
                name = name.rpartition(b"/")[0]
    for name in sorted(names):
        os.mkdir(os.path.join(tree, name), 0o755)


def write_tree(tree, payloads, progress):
    """Write every file of the payloads into an empty directory."""
    make_directories(tree, payloads)
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:
        processors = os.cpu_count() or 1
    writers = Writers(tree, min(4, processors))
    try:
        for payload in payloads:
            batch, size = [], 0
            for entry, content in payload.read_all():
                if isinstance(content, bytes):
                    batch.append((entry, content))
                    size += len(content) + entry.size
                    if size >= BATCH:
                        writers.put(batch)
                        batch, size = [], 0
                else:
                    cache.write_file(os.path.join(tree, entry.name), entry.mode, reader.inflate_chunks(entry, content))
                progress.add(entry.end - entry.offset)
            writers.put(batch)
        writers.finish()
    except BaseException:
        writers.abandon()
        raise


def extract(apps, tree, payloads, progress):
    """Unpack into a temporary directory and give it the tree's name; another process's tree is as good."""
    cache.remove_stale(apps)
    temporary, lock = cache.new_temporary(apps)
    try:
        write_tree(temporary, payloads, progress)
        cache.mark_whole(temporary)
        try:
            os.rename(temporary, tree)
        except OSError:
            if not os.path.isdir(tree):
                raise
            cache.remove_tree(temporary)
    except BaseException:
        cache.remove_tree(temporary)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def unpack_into(apps, name, payloads, progress, thorough):
    """A whole tree in this cache, made, awaited or repaired."""
    tree = os.path.join(apps, name.encode())
    lock_path = os.path.join(apps, b"." + name.encode() + b".lock")
    lock = cache.wait_for_lock(lock_path, tree)
    try:
        if cache.is_whole(tree) and not thorough:
            return tree
        if os.path.lexists(tree) and (not os.path.isdir(tree) or thorough and os.path.islink(tree)):
            cache.remove_tree(tree)
        if not os.path.isdir(tree):
            extract(apps, tree, payloads, progress)
            # Else another process's tree was damaged since, or the file system keeps no such times.
            if cache.is_whole(tree) and not thorough:
                return tree
        restored = support("repair.py")["repair"](tree, payloads, thorough, reader, cache)
        if thorough:
            progress.say_restored(restored)
        return tree
    finally:
        if lock is not None:
            cache.remove_tree(lock_path)
            os.close(lock)


def find_place(app, file, roots, name, environ, label):
    """Unpack into the first cache directory that can be used."""
    explicit = bool(environ.get("PYZPACK_CACHE"))
    thorough = environ.get("PYZPACK_VERIFY", "0") not in ("", "0")
    problem = None
    payloads = [reader.Payload(file, *payload) for payload in app["payloads"]]
    for root in roots:
        if root != roots[-1] and getattr(os, "geteuid", int)() == 0 and cache.owner_of(root) not in (0, -1):
            continue  # sudo with its caller's HOME: leave nothing of root's there.
        try:
            apps = cache.open_root(root, explicit)
        except OSError as error:
            problem = problem or cache.explain(error, root)
            continue
        progress = Progress(label, sum(payload.size for payload in payloads), environ)
        try:
            return os.fsdecode(unpack_into(apps, name, payloads, progress, thorough))
        except OSError as error:
            problem = problem or cache.explain(error, root)
            if error.errno not in UNUSABLE:
                break
        finally:
            progress.close()
    raise cache.Refused(problem)


def unpack(app, archive, roots, name, environ):
    """The directory with the application's files; says why in one line and exits with status 1 where that fails."""
    label = os.path.basename(sys.argv[0]) or app["name"]
    umask = os.umask(0o022)
    try:
        with open(archive, "rb") as file:
            return find_place(app, file, roots, name, environ, label)
    except cache.Refused as refused:
        problem = str(refused)
    except (reader.Damaged, struct.error, zlib.error, UnicodeDecodeError) as damaged:
        problem = "%s is damaged: %s; get it again" % (archive, damaged)
    except OSError as error:
        problem = "cannot read %s: %s" % (archive, error.strerror or error)
    except KeyboardInterrupt:
        if os.name == "posix":
            import signal

            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        raise
    finally:
        os.umask(umask)
    sys.exit("%s: %s" % (label, problem))
