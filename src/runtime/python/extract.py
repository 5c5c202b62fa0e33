"""Unpacks a .pyz's payload into the cache: at its first start, and where the cache was found damaged.

Promises: a tree under its final name is whole; many processes may start at once; what fails or is interrupted leaves
no half-written tree, and what a killed process left is removed by the next one that unpacks.
"""

import binascii
import errno
import hashlib
import os
import queue
import stat
import struct
import sys
import threading
import time
import zlib

try:
    import fcntl
except ImportError:  # Windows: temporaries are told dead by their age alone.
    fcntl = None

WHOLE = 946684800  # As in __main__.py.
MARKER = ".pyzpack"
TEMPORARY = ".unpacking-"
STALE_SECONDS = 24 * 3600  # For temporaries whose lock cannot be asked.
LOCK_PATIENCE_SECONDS = 120  # After that unpack beside the other process: the lock only saves work.
CHUNK = 1 << 20
LARGE = 4 << 20  # Entries from here on are streamed instead of being held in memory.
BATCH = 256 << 10
UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
CACHEDIR_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Files unpacked by pyzpack; all can be deleted.\n"


class Refused(Exception):
    """Why the application cannot be started, for its user."""


class Damaged(Exception):
    """What is wrong with the .pyz."""


class Entry:
    """A file of a payload."""

    __slots__ = ("crc", "deflated", "end", "mode", "name", "offset", "packed", "path", "size")


def read_exactly(file, size):
    """The next `size` bytes."""
    data = file.read(size)
    if len(data) != size:
        raise Damaged("it ends too early")
    return data


def check_name(name):
    """The parts of an entry's name, none of which leads out of the tree."""
    parts = name.split("/")
    if "\0" in name or "\\" in name or (os.name == "nt" and ":" in name):
        raise Damaged("it holds an unsafe name: %r" % name)
    if any(part in ("", ".", "..") for part in parts) or parts[0] == MARKER:
        raise Damaged("it holds an unsafe name: %r" % name)
    return parts


def read_directory(file, base, size):
    """The entries of the zip that takes `size` bytes from offset `base` on, by offset, and where they end.

    Only what pyzpack writes is read: no comment, no zip64, offsets from the zip's first byte (APPNOTE 4.3.12, 4.3.16).
    """
    if size < 22:
        raise Damaged("it ends too early")
    file.seek(base + size - 22)
    magic, disk, start, here, count, length, offset, comment = struct.unpack("<4s4H2LH", read_exactly(file, 22))
    if magic != b"PK\5\6" or disk or start or comment or here != count or offset + length != size - 22:
        raise Damaged("it does not end in a zip directory that pyzpack wrote")
    file.seek(base + offset)
    data = read_exactly(file, length)
    entries, at = [], 0
    for _ in range(count):
        fields = struct.unpack_from("<4s6H3L5H2L", data, at)
        if fields[0] != b"PK\1\2" or fields[4] not in (0, 8) or fields[11] or fields[12]:
            raise Damaged("its zip directory is broken")
        entry = Entry()
        entry.name = data[at + 46 : at + 46 + fields[10]]
        entry.deflated = fields[4] == 8
        entry.crc, entry.packed, entry.size = fields[7:10]
        entry.mode = 0o755 if fields[15] >> 16 & 0o100 else 0o644
        entry.offset = fields[16]
        entries.append(entry)
        at += 46 + fields[10]
    if at != length:
        raise Damaged("its zip directory is broken")
    entries.sort(key=lambda entry: entry.offset)
    for entry, end in zip(entries, [entry.offset for entry in entries[1:]] + [offset]):
        entry.end = end
    return entries, offset


def open_stream(entry, header):
    """Check an entry's local header (APPNOTE 4.3.7), of which `header` has the first 30 bytes; its whole length."""
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise Damaged("a file's header is broken")
    name, extra = struct.unpack_from("<2H", header, 26)
    if entry.offset + 30 + name + extra + entry.packed != entry.end:
        raise Damaged("a file's length is wrong")
    return 30 + name + extra


def inflate(entry, blob):
    """The content of a small entry, from its local header and data."""
    start = open_stream(entry, blob[:30])
    if blob[30 : 30 + len(entry.name)] != entry.name:
        raise Damaged("a file's name is not the directory's")
    data = memoryview(blob)[start:]
    if entry.deflated:
        # Deflate shrinks to 1/1032 at best: a damaged size must not have memory reserved for it.
        data = zlib.decompress(data, -15, max(1, min(entry.size, 1032 * len(data))))
    if len(data) != entry.size or binascii.crc32(data) != entry.crc:
        raise Damaged("the file %s in it is broken" % entry.name.decode("utf-8", "replace"))
    return data


def inflate_chunks(entry, chunks):
    """The content of a large entry, piece by piece, from pieces of its data."""
    size = crc = 0
    stream = zlib.decompressobj(-15) if entry.deflated else None
    for chunk in chunks:
        while chunk:
            data, chunk = (stream.decompress(chunk, CHUNK), stream.unconsumed_tail) if stream else (chunk, b"")
            size += len(data)
            if size > entry.size:
                break
            crc = binascii.crc32(data, crc)
            yield data
    if stream and size <= entry.size:
        data = stream.flush()
        size += len(data)
        crc = binascii.crc32(data, crc)
        yield data
    if size != entry.size or crc != entry.crc:
        raise Damaged("the file %s in it is broken" % entry.name.decode("utf-8", "replace"))


class Payload:
    """One payload inside the .pyz, read from its first byte to its last."""

    def __init__(self, file, name, digest):
        self.file, self.digest = file, digest
        outer, _ = read_directory(self.file, 0, os.fstat(self.file.fileno()).st_size)
        found = [entry for entry in outer if entry.name == name.encode()]
        if not found or found[0].deflated:
            raise Damaged("it has no stored " + name)
        self.file.seek(found[0].offset)
        self.base = found[0].offset + open_stream(found[0], read_exactly(self.file, 30))
        self.size = found[0].packed
        self.entries, self.directory = read_directory(self.file, self.base, self.size)
        at = 0
        for entry in self.entries:
            entry.path = check_name(entry.name.decode("utf-8"))
            if entry.offset != at:
                raise Damaged("there is a gap in it")
            at = entry.end

    def read_all(self):
        """Each entry with its bytes, or with an iterator of its data where it is large; the sha256 is checked last."""
        self.file.seek(self.base)
        seen = hashlib.sha256()

        def stream(entry):
            header = read_exactly(self.file, 30)
            rest = read_exactly(self.file, open_stream(entry, header) - 30)
            seen.update(header + rest)
            left = entry.packed
            while left:
                chunk = read_exactly(self.file, min(left, CHUNK))
                seen.update(chunk)
                left -= len(chunk)
                yield chunk

        for entry in self.entries:
            if entry.end - entry.offset >= LARGE:
                yield entry, stream(entry)
            else:
                blob = read_exactly(self.file, entry.end - entry.offset)
                seen.update(blob)
                yield entry, blob
        seen.update(read_exactly(self.file, self.size - self.directory))
        if seen.hexdigest() != self.digest:
            raise Damaged("its payload's sha256 is %s, expected %s" % (seen.hexdigest(), self.digest))

    def read(self, entry):
        """The content of one entry, piece by piece."""
        self.file.seek(self.base + entry.offset)
        header = read_exactly(self.file, 30)
        read_exactly(self.file, open_stream(entry, header) - 30)
        sizes = [CHUNK] * (entry.packed // CHUNK) + [entry.packed % CHUNK]
        return inflate_chunks(entry, (read_exactly(self.file, size) for size in sizes))

    def check_digest(self):
        """Read everything for its sha256 alone."""
        for _, content in self.read_all():
            if not isinstance(content, bytes):
                for _ in content:
                    pass


def write_file(path, mode, chunks):
    """Create a file, which must not exist. `unpack` sets a umask of 022, so that 0644 and 0755 come out as such."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, mode)
    try:
        for chunk in chunks:
            while len(chunk):
                chunk = memoryview(chunk)[os.write(descriptor, chunk) :]
    finally:
        os.close(descriptor)


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
                    write_file(path, entry.mode, (inflate(entry, blob),) if entry.size else ())
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
        self.error = self.error or Refused("interrupted")
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
                    write_file(os.path.join(tree, entry.name), entry.mode, inflate_chunks(entry, content))
                progress.add(entry.end - entry.offset)
            writers.put(batch)
        writers.finish()
    except BaseException:
        writers.abandon()
        raise


def mark_whole(tree):
    """Make a tree known as whole.

    The marker is never read, so a cleaner that removes what was not used for long takes it no later than any file of
    the tree; that resets the root's time, as does every other change of the root's names.
    """
    marker = os.path.join(tree, os.fsencode(MARKER))
    if not os.path.lexists(marker):
        write_file(marker, 0o644, [b"Unpacked by pyzpack. The whole directory can be deleted, not single files.\n"])
    os.utime(tree, (time.time(), WHOLE))


def is_whole(tree):
    """Whether a tree is there and whole."""
    try:
        return os.stat(tree).st_mtime == WHOLE
    except OSError:
        return False


def remove_tree(path):
    """Remove what is under a path, whatever can be removed."""
    import shutil

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            os.unlink(path)
        except OSError:
            pass


class Busy(Exception):
    """Another process holds the lock."""


def try_lock(path, flags=0):
    """A descriptor that holds the lock of a file or directory, None where there are no locks."""
    if not fcntl:
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | flags, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise Busy() from None
        return None
    return descriptor


def new_temporary(apps):
    """A directory for this process alone, and the descriptor whose lock says that the process lives."""
    while True:
        name = "%s%d-%s" % (TEMPORARY, os.getpid(), binascii.hexlify(os.urandom(6)).decode())
        path = os.path.join(apps, os.fsencode(name))
        os.mkdir(path, 0o755)
        try:
            lock = try_lock(path)
        except Busy:  # A cleaner was quicker, and removes it.
            continue
        if os.path.isdir(path):
            return path, lock


def remove_stale(apps):
    """Remove what killed processes left. Locks tell, across containers too; process numbers would not."""
    for name in os.listdir(apps):
        path = os.path.join(apps, name)
        if name.startswith(os.fsencode(TEMPORARY)):
            try:
                lock = try_lock(path)
            except Busy:
                continue
            try:
                if lock is not None or time.time() - os.lstat(path).st_mtime > STALE_SECONDS:
                    remove_tree(path)
            except OSError:
                pass
            if lock is not None:
                os.close(lock)


def extract(apps, tree, payloads, progress):
    """Unpack into a temporary directory and give it the tree's name; another process's tree is as good."""
    remove_stale(apps)
    temporary, lock = new_temporary(apps)
    try:
        write_tree(temporary, payloads, progress)
        mark_whole(temporary)
        try:
            os.rename(temporary, tree)
        except OSError:
            if not os.path.isdir(tree):
                raise
            remove_tree(temporary)
    except BaseException:
        remove_tree(temporary)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def remove_unlisted(tree, payloads):
    """Remove from a tree what no payload lists: planted .pyc files, links, directories; let only its owner add more."""
    files = {entry.name for payload in payloads for entry in payload.entries} | {os.fsencode(MARKER)}
    directories = {b"__pycache__"}
    for name in files:
        while b"/" in name:
            name = name.rpartition(b"/")[0]
            directories.add(name)
    pending = [b""]
    while pending:
        parent = pending.pop()
        for item in list(os.scandir(os.path.join(tree, parent))):
            name = parent + b"/" + item.name if parent else item.name
            if item.is_dir(follow_symlinks=False):
                if name in directories:
                    os.chmod(item.path, 0o755)
                    pending.append(name)
                else:
                    remove_tree(item.path)
            elif name not in files or item.is_symlink():
                os.unlink(item.path)


def same_content(path, content):
    """Whether a file holds exactly these pieces."""
    same = True
    with open(path, "rb") as file:
        for chunk in content:
            same = same and file.read(len(chunk)) == chunk
        return same and not file.read(1)


def find_wrong(tree, payload, thorough):
    """The entries of a payload that are missing or wrong in the tree; contents are compared only where `thorough`."""
    wrong = []
    for entry, content in payload.read_all():
        path = os.path.join(tree, entry.name)
        try:
            found = os.lstat(path)
            good = found.st_size == entry.size and stat.S_ISREG(found.st_mode)
            if os.name == "posix":
                good = good and stat.S_IMODE(found.st_mode) == entry.mode
        except OSError:
            good = False
        small = isinstance(content, bytes)
        if good and thorough:
            good = same_content(path, (inflate(entry, content),) if small else inflate_chunks(entry, content))
        elif not small:
            for _ in content:  # The digest wants every byte.
                pass
        if not good:
            wrong.append(entry)
    return wrong


def repair(tree, payloads, thorough):
    """Write again what is missing or wrong in a tree, each file at once; running processes keep what they opened.

    Their names are handed back. Nothing is written before the payload's digest was checked. Sizes and modes are
    compared, contents too where `thorough`, which removes unlisted files first.
    """
    if thorough:
        for payload in payloads:
            payload.check_digest()
        os.chmod(tree, 0o755)
        remove_unlisted(tree, payloads)
    restored = []
    for payload in payloads:
        for entry in find_wrong(tree, payload, thorough):
            restored.append(os.fsdecode(entry.name))
            path = os.path.join(tree, entry.name)
            make_parents(tree, entry.name)
            fresh = path + os.fsencode(".%d-%s.tmp" % (os.getpid(), binascii.hexlify(os.urandom(6)).decode()))
            try:
                write_file(fresh, entry.mode, payload.read(entry))
                if os.path.isdir(path) and not os.path.islink(path):
                    remove_tree(path)
                os.replace(fresh, path)
            except BaseException:
                remove_tree(fresh)
                raise
    make_parents(tree, b"__pycache__/x")
    mark_whole(tree)
    return restored


def make_parents(tree, name):
    """The directories above a file, in place of whatever else has their names."""
    parts = name.split(b"/")
    for count in range(1, len(parts)):
        path = os.path.join(tree, *parts[:count])
        if os.path.islink(path) or not os.path.isdir(path):
            remove_tree(path)
            os.mkdir(path, 0o755)


def owner_of(path):
    """Who owns the nearest directory of a path that is there."""
    while True:
        try:
            return os.lstat(path).st_uid
        except OSError:
            parent = os.path.dirname(path)
            if parent == path:
                return -1
            path = parent


def open_root(root, explicit):
    """Create the cache directory where it is missing, refuse one that others can write to; its `apps` directory."""
    above = os.path.dirname(root)
    if explicit:
        os.makedirs(above, 0o700, exist_ok=True)
    elif os.path.basename(root) == "pyzpack" and os.path.isdir(os.path.dirname(above)):
        make_private(above)  # ~/.cache may be missing; the home directory and the temporary one are not ours to make.
    make_private(root)
    check_private(root)
    tag = os.path.join(root, "CACHEDIR.TAG")
    if not os.path.lexists(tag):
        try:
            write_file(tag, 0o644, [CACHEDIR_TAG])
        except FileExistsError:
            pass
    apps = os.path.join(root, "apps")
    make_private(apps)
    check_private(apps)
    return os.fsencode(apps)


def make_private(path):
    """A directory for its owner alone, unless something is there."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass


def check_private(path):
    """Refuse a directory that is a link, another user's, or writable by others."""
    found = os.lstat(path)
    uid = getattr(os, "geteuid", int)()
    if not stat.S_ISDIR(found.st_mode):
        raise Refused("cache directory %s is not a directory%s" % (path, advice()))
    if found.st_uid != uid:
        raise Refused("cache directory %s belongs to user %d, not to user %d%s" % (path, found.st_uid, uid, advice()))
    if os.name == "posix" and found.st_mode & 0o022:
        raise Refused("cache directory %s can be written by others; run: chmod go-w %s" % (path, path))


def advice():
    return "; set PYZPACK_CACHE to a directory of yours"


def wait_for_lock(path, tree):
    """The lock that lets one process unpack while others wait for its tree; None: go on without it."""
    if not fcntl:
        return None  # No need to wait in vain; whoever renames first wins.
    end = time.monotonic() + LOCK_PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            return try_lock(path, os.O_CREAT)
        except Busy:
            if is_whole(tree):
                return None
            time.sleep(0.01)
    return None


def unpack_into(apps, name, payloads, progress, thorough):
    """A whole tree in this cache, made, awaited or repaired."""
    tree = os.path.join(apps, name.encode())
    lock_path = os.path.join(apps, b"." + name.encode() + b".lock")
    lock = wait_for_lock(lock_path, tree)
    try:
        if is_whole(tree) and not thorough:
            return tree
        if os.path.lexists(tree) and (not os.path.isdir(tree) or thorough and os.path.islink(tree)):
            remove_tree(tree)
        if not os.path.isdir(tree):
            extract(apps, tree, payloads, progress)
            # Else another process's tree was damaged since, or the file system keeps no such times.
            if is_whole(tree) and not thorough:
                return tree
        restored = repair(tree, payloads, thorough)
        if thorough:
            progress.say_restored(restored)
        return tree
    finally:
        if lock is not None:
            remove_tree(lock_path)
            os.close(lock)


def explain(error, root):
    """An operating system's refusal in one line."""
    if error.errno in FULL:
        return "no space left to unpack into %s; free some, or set PYZPACK_CACHE" % root
    return "cannot unpack into %s: %s%s" % (root, error.strerror or error, advice())


def find_place(app, file, roots, name, environ, label):
    """Unpack into the first cache directory that can be used."""
    explicit = bool(environ.get("PYZPACK_CACHE"))
    thorough = environ.get("PYZPACK_VERIFY", "0") not in ("", "0")
    problem = None
    payloads = [Payload(file, *payload) for payload in app["payloads"]]
    for root in roots:
        if root != roots[-1] and getattr(os, "geteuid", int)() == 0 and owner_of(root) not in (0, -1):
            continue  # sudo with its caller's HOME: leave nothing of root's there.
        try:
            apps = open_root(root, explicit)
        except OSError as error:
            problem = problem or explain(error, root)
            continue
        progress = Progress(label, sum(payload.size for payload in payloads), environ)
        try:
            return os.fsdecode(unpack_into(apps, name, payloads, progress, thorough))
        except OSError as error:
            problem = problem or explain(error, root)
            if error.errno not in UNUSABLE:
                break
        finally:
            progress.close()
    raise Refused(problem)


def unpack(app, archive, roots, name, environ):
    """The directory with the application's files; says why in one line and exits with status 1 where that fails."""
    label = os.path.basename(sys.argv[0]) or app["name"]
    umask = os.umask(0o022)
    try:
        with open(archive, "rb") as file:
            return find_place(app, file, roots, name, environ, label)
    except Refused as refused:
        problem = str(refused)
    except (Damaged, struct.error, zlib.error, UnicodeDecodeError) as damaged:
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
