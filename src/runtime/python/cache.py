"""The cache directory: where it is, who may work on it, and what of it goes.

Promises: nothing is written where another user could write; what a killed process left is told by its lock, and removed
by the next one that unpacks; so is a tree that no start used for a month, unless a process that started from it lives.

A tree that is called SHA256 has a pipe beside it, `.SHA256.used`. Each start opens it for reading and leaves it open;
forks inherit that, and the kernel ends it. Its time is that of the last start, to the day. In this order nobody loses:
a start opens the pipe, then looks whether the tree is whole; who removes it makes it not whole, then asks for readers.
"""

import binascii
import errno
import os
import stat
import time

try:
    import fcntl
except ImportError:  # Windows: temporaries are told dead by their age alone.
    fcntl = None  # type: ignore[assignment]

WHOLE = 946684800  # As in find.py.
MARKER = ".pyzpack"
TEMPORARY = b".unpacking-"
REMOVED = b".removing-"
UNUSED_SECONDS = 30 * 24 * 3600
STALE_SECONDS = 24 * 3600  # For temporaries whose lock cannot be asked.
LOCK_PATIENCE_SECONDS = 120  # After that unpack beside the other process: the lock only saves work.
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
CACHEDIR_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Files unpacked by pyzpack; all can be deleted.\n"


class Refused(Exception):
    """Why the application cannot be started, for its user."""


def write_file(path, mode, chunks, dir_fd=None):
    """Create a file, which must not exist. `unpack` sets a umask of 022, so that 0644 and 0755 come out as such."""
    descriptor = os.open(path, CREATE, mode, dir_fd=dir_fd)
    try:
        for chunk in chunks:
            written = os.write(descriptor, chunk) if len(chunk) else 0
            while written < len(chunk):
                written += os.write(descriptor, memoryview(chunk)[written:])
    finally:
        os.close(descriptor)


def is_foreign(root):
    """Whether a place is another user's whose HOME is in the environment. Root leaves nothing new there either."""
    uid, path = getattr(os, "geteuid", int)(), root
    while path != os.path.dirname(path):
        try:
            return os.lstat(path).st_uid != uid and (uid == 0 or path == root)
        except OSError:
            path = os.path.dirname(path)
    return False


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


def is_private(found):
    """Whether this is a directory, not a link, of the user's that nobody else can write to."""
    mode = found.st_mode & (0o170022 if os.name == "posix" else 0o170000)  # Windows has no such bits.
    return mode == 0o040000 and found.st_uid == getattr(os, "geteuid", int)()


def check_private(path):
    """Refuse a directory that is a link, another user's, or writable by others."""
    found = os.lstat(path)
    if is_private(found):
        return
    uid = getattr(os, "geteuid", int)()
    if not stat.S_ISDIR(found.st_mode):
        raise Refused("cache directory %s is not a directory%s" % (path, advice()))
    if found.st_uid != uid:
        raise Refused("cache directory %s belongs to user %d, not to user %d%s" % (path, found.st_uid, uid, advice()))
    raise Refused("cache directory %s can be written by others; run: chmod go-w %s" % (path, path))


def advice():
    return "; set PYZPACK_CACHE to a directory of yours"


def explain(error, root):
    """An operating system's refusal in one line."""
    if error.errno in FULL:
        return "no space left to unpack into %s; free some, or set PYZPACK_CACHE" % root
    here = "" if error.errno in (errno.EMFILE, errno.ENFILE) else advice()
    return "cannot unpack into %s: %s%s" % (root, error.strerror or error, here)


def mark_whole(tree):
    """Make a tree known as whole.

    The marker is never read, so a cleaner that removes what was not used for long takes it no later than any file of
    the tree: repair.py makes those that are older as young. Every change of the root's names resets the root's time.
    """
    marker = os.path.join(tree, os.fsencode(MARKER))
    if not os.path.lexists(marker):
        write_file(marker, 0o644, [b"Unpacked by pyzpack. The whole directory can be deleted, not single files.\n"])
    os.utime(tree, (time.time(), WHOLE))


def is_whole(tree):
    """Whether a tree is there and whole, and nobody else's."""
    try:
        found = os.lstat(tree)
        os.lstat(os.path.join(tree, os.fsencode(MARKER)))
    except OSError:
        return False
    return found.st_mtime == WHOLE and is_private(found)


def remove_tree(path, end=None):
    """Remove what is under a path, whatever can be removed, and until when there is time."""
    directories = [path]
    for directory in directories:
        if end and time.monotonic() > end:
            return
        try:
            if directory is path and not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                return
            with os.scandir(directory) as items:
                for item in items:
                    if item.is_dir(follow_symlinks=False):
                        directories.append(item.path)
                    else:
                        os.unlink(item.path)
        except OSError:
            pass
    for directory in reversed(directories):
        try:
            os.rmdir(directory)
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
        # Else its last holder has removed it, and it keeps nobody out.
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.ENOENT):
            raise Busy() from None
        return None
    os.close(descriptor)
    raise Busy()


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


def lock_path(apps, name):
    return os.path.join(apps, b"." + name + b".lock")


def release(path, lock):
    """Give up a lock and remove its file, which nobody else has locked."""
    if lock is not None:
        remove_tree(path)
        os.close(lock)


def provide_pipe(tree):
    """The pipe by which starts say that they use a tree. Where there are none, no last use is known: the tree stays."""
    apps, name = os.path.split(tree)
    pipe = os.path.join(apps, b"." + name + b".used")
    try:
        if os.path.lexists(pipe) and not stat.S_ISFIFO(os.lstat(pipe).st_mode):
            remove_tree(pipe)
        os.mkfifo(pipe, 0o600)
    except (OSError, AttributeError):
        pass


def is_used(pipe):
    """Whether somebody has a pipe open for reading (or its file system cannot say so)."""
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True


def retire(apps, name):
    """Take an unused tree out of use, with its pipe; what is left of it to be removed, None where it stays."""
    tree, pipe = os.path.join(apps, name), os.path.join(apps, b"." + name + b".used")
    if time.time() - os.lstat(pipe).st_mtime <= UNUSED_SECONDS:
        return None
    lock = try_lock(lock_path(apps, name), os.O_CREAT)
    try:
        if lock is None or is_used(pipe):
            return None
        removed = os.path.join(apps, REMOVED + binascii.hexlify(os.urandom(8)))
        if os.path.lexists(tree):
            if not stat.S_ISDIR(os.lstat(tree).st_mode):
                return None
            os.utime(tree)
            if is_used(pipe):  # It starts just now, and may find the tree damaged: that is put right.
                return None
            os.rename(tree, removed)
        os.unlink(pipe)
        return removed
    finally:
        release(lock_path(apps, name), lock)


def collect(apps, seconds):
    """Remove trees that were not used for long, and what earlier removals left; what takes too long is left again."""
    end = time.monotonic() + seconds
    try:
        items = sorted(os.listdir(apps))
    except OSError:
        return
    for item in items:
        path = os.path.join(apps, item)
        try:
            if item.startswith(REMOVED):
                remove_tree(path, end)
            elif len(item) == 70 and item.endswith(b".used"):
                path = retire(apps, item[1:-5])
                if path:
                    remove_tree(path, end)
            elif len(item) == 70 and item.endswith(b".lock"):  # Of a process that was killed.
                release(path, try_lock(path))
        except (OSError, Busy):
            pass
        if time.monotonic() > end:
            return


def new_temporary(apps):
    """A directory for this process alone, and the descriptor whose lock says that the process lives.

    Its name is as long as a tree's, so that no path in the tree is longer than what can be written.
    """
    while True:
        path = os.path.join(apps, TEMPORARY + b"%d-%s" % (os.getpid(), binascii.hexlify(os.urandom(26))))
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
        if name.startswith(TEMPORARY):
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
