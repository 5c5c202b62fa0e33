"""Compares an unpacked tree with its payload and puts right what is not as it was unpacked.

Promises: nothing is written before the payload's digest was checked; each file is replaced at once, so that running
processes keep what they opened. `reader` is what reader.py defines, `cache` what cache.py does.
"""

import binascii
import errno
import os
import stat
import sys
import time
import types


def repair(tree, payloads, thorough, reader, cache):
    """Write again what is missing or wrong in a tree, each file at once; running processes keep what they opened.

    Their names are handed back. Nothing is written before the payload's digest was checked. Sizes and modes are
    compared, contents too where `thorough`, which removes unlisted files first.
    """
    if thorough:
        for payload in payloads:
            payload.check_digest()
        os.chmod(tree, 0o755)
        remove_unlisted(tree, payloads, reader, cache)
    restored = []
    listed = {entry.name for payload in payloads for entry in payload.entries}
    for payload in payloads:
        for entry in find_wrong(tree, payload, thorough, reader):
            restored.append(os.fsdecode(entry.name))
            path = os.path.join(tree, entry.name)
            make_parents(tree, entry.name, cache)
            # At the root, for a name here may be as long as names can be.
            fresh = os.path.join(tree, b".%d-%s.tmp" % (os.getpid(), binascii.hexlify(os.urandom(6))))
            try:
                cache.write_file(fresh, entry.mode, payload.read(entry))
                if os.path.isdir(path) and not os.path.islink(path):
                    cache.remove_tree(path)
                os.replace(fresh, path)
            except BaseException:
                cache.remove_tree(fresh)
                raise
            if entry.name.endswith(b".py"):
                remove_bytecode(tree, entry.name, listed, cache)
    make_parents(tree, b"__pycache__/x", cache)
    if not os.path.lexists(os.path.join(tree, os.fsencode(cache.MARKER))):
        # Of what a cleaner left, nothing may go before the new marker.
        for path in [os.path.join(tree, name) for name in listed]:
            os.utime(path, (time.time(), os.lstat(path).st_mtime))
    cache.mark_whole(tree)
    return restored


def remove_bytecode(tree, name, listed, cache):
    """Remove what a restored module's source was compiled to while it was wrong; nobody compares their times."""
    directory, _, module = name.rpartition(b"/")
    directory = (directory + b"/" if directory else b"") + b"__pycache__/"
    try:
        found = os.listdir(os.path.join(tree, directory))
    except OSError:
        return
    for compiled in found:
        if compiled.startswith(module[:-2]) and directory + compiled not in listed:
            cache.remove_tree(os.path.join(tree, directory + compiled))


def find_wrong(tree, payload, thorough, reader):
    """The entries of a payload that are missing or wrong in the tree; contents are compared only where `thorough`."""
    wrong = []
    for batch in payload.read_batches():
        for entry, packed in batch:
            path = os.path.join(tree, entry.name)
            try:
                found = os.lstat(path)
                good = found.st_size == entry.size and stat.S_ISREG(found.st_mode)
                if os.name == "posix":
                    good = good and stat.S_IMODE(found.st_mode) == entry.mode
            except OSError:
                good = False
            if not good or thorough and not same_content(path, reader.contents(entry, packed)):
                wrong.append(entry)
    return wrong


def same_content(path, content):
    """Whether a file holds exactly these pieces."""
    same = True
    with open(path, "rb") as file:
        for chunk in content:
            same = same and file.read(len(chunk)) == chunk
        return same and not file.read(1)


def remove_unlisted(tree, payloads, reader, cache):
    """Remove from a tree what no payload lists: planted .pyc files, links, directories; let only its owner add more."""
    files = {entry.name for payload in payloads for entry in payload.entries} | {reader.MARKER}
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
                    cache.remove_tree(item.path)
            elif name not in files or item.is_symlink():
                os.unlink(item.path)


def make_parents(tree, name, cache):
    """The directories above a file, in place of whatever else has their names."""
    parts = name.split(b"/")
    for count in range(1, len(parts)):
        path = os.path.join(tree, *parts[:count])
        if os.path.islink(path) or not os.path.isdir(path):
            cache.remove_tree(path)
            os.mkdir(path, 0o755)


def explain_failure(app, archive, tree, error):
    """After the application failed: say what of its tree can be the reason.

    Files may be missing or cut short: deep in a tree no start looks for them. The time of its root is reset, so that
    the next start restores them. And nothing native can be loaded from a file system that is mounted noexec.
    """
    label = os.path.basename(sys.argv[0]) or app["name"]
    try:
        reader, lost = types.SimpleNamespace(**support("reader.py")), []
        with open(archive, "rb") as file:
            for payload in [reader.Payload(file, *payload) for payload in app["payloads"]]:
                found = [entry.name for entry in payload.entries if size_of(tree, entry.name) < entry.size]
                if found:
                    payload.check_digest()  # Else the archive has been replaced by another version.
                lost += found
        if lost:
            os.utime(tree)
            text = (
                "%s: %d of the unpacked files are missing or cut short, the first is %s; the next start restores them"
            )
            sys.stderr.write(text % (label, len(lost), ascii(os.fsdecode(lost[0]))[1:-1]) + "\n")
        elif is_native(error) and os.statvfs(tree).f_flag & os.ST_NOEXEC:
            text = "%s: nothing native can be loaded or run from %s, which is mounted noexec%s\n"
            sys.stderr.write(text % (label, tree, support("cache.py")["advice"]()))
    except Exception:  # The application's own failure is what has to be told.
        pass


def is_native(error):
    """Whether an exception may be a library's that was not loaded, or an executable's that was not run."""
    if isinstance(error, ImportError):
        return not isinstance(error, ModuleNotFoundError)
    return isinstance(error, OSError) and error.errno in (None, errno.EACCES)


def size_of(tree, name):
    """The size of a file of a tree; -1 where there is none."""
    try:
        return os.lstat(os.path.join(os.fsencode(tree), name)).st_size
    except OSError:
        return -1
