"""Unpacks a .pyz's payload into the cache: at its first start, and where the cache was found damaged.

Promises: a tree under its final name is whole; many processes may start at once; what fails or is interrupted leaves
no half-written tree.
"""

import errno
import os
import struct
import sys
import threading
import time
import types
import zlib

reader = types.SimpleNamespace(**support("reader.py"))
cache = types.SimpleNamespace(**support("cache.py"))

UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


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


class Place:
    """A new tree, and how its files are named in system calls: from its own directory, which the kernel then need not
    look up for each; by whole paths on Windows."""

    def __init__(self, tree):
        self.start = os.path.join(tree, b"") if os.name == "nt" else b""
        self.descriptor = None if os.name == "nt" else os.open(tree, os.O_RDONLY)

    def make_directories(self, payloads):
        """All directories, each before those in it; `__pycache__`, so that the root stays as it is."""
        names = {b"__pycache__"}
        for payload in payloads:
            for entry in payload.entries:
                name = entry.name.rpartition(b"/")[0]
                while name and name not in names:
                    names.add(name)
                    name = name.rpartition(b"/")[0]
        for name in sorted(names):
            os.mkdir(self.start + name, 0o755, dir_fd=self.descriptor)

    def write(self, batch, interrupts):
        for entry, packed in batch:
            path, pieces = self.start + entry.name, reader.contents(entry, packed)
            if entry.size > reader.CHUNK:
                pieces = interrupts.allow_between(pieces)
            cache.write_file(path, entry.mode, pieces, self.descriptor)

    def close(self):
        if self.descriptor is not None:
            os.close(self.descriptor)


def count_processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class Interrupts:
    """Keeps SIGINT waiting while a tree is made, but for where `allow` is called: else something half-made would stay.

    An exception in the wrong place, such as between making a directory and noting its name, cannot be cleaned up after.
    """

    def __init__(self):
        import _signal as signal  # type: ignore[import-not-found]  # Without enumerations: some milliseconds.

        self.signal, self.mask = signal, None
        # Where it is ignored, as in the background, it would wait nevertheless.
        if hasattr(signal, "pthread_sigmask") and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
            self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])

    def allow(self):
        if self.mask is not None and self.signal.SIGINT in self.signal.sigpending():
            raise KeyboardInterrupt

    def allow_between(self, pieces):
        for piece in pieces:
            self.allow()
            yield piece

    def end(self):
        if self.mask is not None:
            self.signal.pthread_sigmask(self.signal.SIG_SETMASK, self.mask)


def write_payloads(place, payloads, progress, interrupts):
    """Write every file of the payloads. All threads do the same: read what is next, in turn; inflate and write it."""
    batches = (batch for payload in payloads for batch in payload.read_batches())
    turn, errors = threading.Lock(), []

    def work():
        try:
            while not errors:
                with turn:
                    interrupts.allow()
                    batch = next(batches, None)
                    if not batch:
                        return
                    progress.add(sum(entry.end - entry.offset for entry, _ in batch))
                    if not isinstance(batch[0][1], memoryview):
                        place.write(batch, interrupts)  # The file has to be read on before the next turn.
                        continue
                place.write(batch, interrupts)
        except BaseException as error:
            errors.append(error)

    threads = []
    try:
        # zlib and system calls release the interpreter's lock; what is left of it is too much for more threads.
        for _ in range(min(4, count_processors()) - 1):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:  # No more than these may be started; this one does all of it where it must.
        pass
    try:
        work()
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.append(error)
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def write_tree(directory, tree, payloads, progress, entry, interrupts):
    """Write every file of the payloads into an empty directory, which will be the tree."""
    place, compiler = Place(directory), None
    ahead = support("ahead.py") if entry and count_processors() > 1 else {}
    try:
        place.make_directories(payloads)
        if ahead:
            compiler = ahead["begin"](entry, place, tree, payloads, (reader, cache))
        write_payloads(place, payloads, progress, interrupts)
    finally:
        if compiler:
            ahead["end"](compiler, place)
        place.close()


def extract(apps, tree, payloads, progress, entry):
    """Unpack into a temporary directory and give it the tree's name; another process's tree is as good."""
    cache.remove_stale(apps)
    interrupts = Interrupts()
    try:
        temporary, lock = cache.new_temporary(apps)
        try:
            write_tree(temporary, tree, payloads, progress, entry, interrupts)
            cache.mark_whole(temporary)
            cache.provide_pipe(tree)
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
    finally:
        interrupts.end()


def make_whole(apps, tree, payloads, progress, thorough, entry):
    """Make or repair a tree; how many seconds it took to unpack, if it was."""
    if cache.is_whole(tree) and not thorough:
        return 0
    if os.path.lexists(tree) and (not os.path.isdir(tree) or os.path.islink(tree)):
        cache.remove_tree(tree)
    seconds = 0.0
    if not os.path.isdir(tree):
        start = time.monotonic()
        try:
            extract(apps, tree, payloads, progress, entry)
        except OSError as error:
            if error.errno not in cache.FULL or not entry:
                raise
            # Bytecode may have taken what the files need.
            progress.done = 0
            extract(apps, tree, payloads, progress, None)
        seconds = time.monotonic() - start
        # Else another process's tree was damaged since, or the file system keeps no such times.
        if cache.is_whole(tree) and not thorough:
            return seconds
    cache.check_private(os.fsdecode(tree))
    restored = support("repair.py")["repair"](tree, payloads, thorough, reader, cache)
    if thorough:
        progress.say_restored(restored)
    return seconds


def unpack_into(apps, name, payloads, progress, thorough, hold, entry):
    """A whole tree in this cache, made, awaited or repaired, and held."""
    tree = os.path.join(apps, name)
    lock_path = cache.lock_path(apps, name)
    for _ in range(3):
        lock = cache.wait_for_lock(lock_path, tree)
        try:
            seconds = make_whole(apps, tree, payloads, progress, thorough, entry)
            cache.provide_pipe(tree)
            # Without the lock it may be on its way out; with it, it stays.
            if hold(os.fsdecode(tree)) or lock is not None:
                break
        finally:
            cache.release(lock_path, lock)
    if seconds:
        cache.collect(apps, seconds + 0.5)  # At worst a first start takes twice as long.
    return tree


def find_place(app, file, roots, environ, label, hold):
    """Unpack into the first cache directory that can be used."""
    explicit = bool(environ.get("PYZPACK_CACHE"))
    thorough = environ.get("PYZPACK_VERIFY", "0") not in ("", "0")
    problem = None
    entry = None if thorough else app["entry"]  # What a check would remove again is not compiled beforehand.
    payloads = [reader.Payload(file, *payload) for payload in app["payloads"]]
    for root in roots:
        if root != roots[-1] and cache.is_foreign(root):
            continue
        try:
            apps = cache.open_root(root, explicit)
        except OSError as error:
            problem = problem or cache.explain(error, root)
            continue
        progress = Progress(label, sum(payload.size for payload in payloads), environ)
        try:
            return os.fsdecode(unpack_into(apps, app["tree"].encode(), payloads, progress, thorough, hold, entry))
        except OSError as error:
            problem = problem or cache.explain(error, root)
            if error.errno not in UNUSABLE:
                break
        finally:
            progress.close()
    raise cache.Refused(problem)


def unpack(app, archive, roots, environ, hold):
    """The directory with the application's files; says why in one line and exits with status 1 where that fails."""
    label = os.path.basename(sys.argv[0]) or app["name"]
    umask = os.umask(0o022)
    try:
        with open(archive, "rb") as file:
            return find_place(app, file, roots, environ, label, hold)
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
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)
        raise
    finally:
        os.umask(umask)
    sys.exit("%s: %s" % (label, problem))
