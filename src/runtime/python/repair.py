"""Compares an unpacked tree with its payload and puts right what is not as it was unpacked.

Promises: nothing is written before the payload's digest was checked; each file is replaced at once, so that running
processes keep what they opened. `reader` is what reader.py defines, `cache` what cache.py does.
"""

import binascii
import os
import stat


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
    for payload in payloads:
        for entry in find_wrong(tree, payload, thorough, reader):
            restored.append(os.fsdecode(entry.name))
            path = os.path.join(tree, entry.name)
            make_parents(tree, entry.name, cache)
            fresh = path + os.fsencode(".%d-%s.tmp" % (os.getpid(), binascii.hexlify(os.urandom(6)).decode()))
            try:
                cache.write_file(fresh, entry.mode, payload.read(entry))
                if os.path.isdir(path) and not os.path.islink(path):
                    cache.remove_tree(path)
                os.replace(fresh, path)
            except BaseException:
                cache.remove_tree(fresh)
                raise
    make_parents(tree, b"__pycache__/x", cache)
    cache.mark_whole(tree)
    return restored


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
