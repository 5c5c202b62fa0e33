# The start of a .pyz made by pyzpack. Python compiles this file twice at each start (zipimport does, to find it and to
# get it), so it is short: it looks for what earlier starts left in the cache, and hands over to _pyzpack/boot.py, of
# which the compiled code is there. It must parse on Python 2.7, for boot.py to say there that it does not fit.
import os
import sys

APP = {}  # pyzpack: constants

# The modification time of a whole tree's root. Adding or removing a name there resets it, so that one stat tells a
# whole tree from a half-deleted one. Even seconds, after 1980: every file system can hold it.
WHOLE = 946684800


def cache_roots(get):
    """Where the cache may be, best first; `get` asks the environment."""
    if get("PYZPACK_CACHE"):
        return [os.path.abspath(get("PYZPACK_CACHE"))]
    base = get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(base):  # The XDG specification has relative ones ignored.
        base = os.path.join(get("HOME") or get("USERPROFILE") or "", ".cache")
    own = "pyzpack-%d" % getattr(os, "geteuid", int)()
    roots = [os.path.abspath(os.path.join(get("TMPDIR") or get("TEMP") or "/tmp", own))]
    return [os.path.join(base, "pyzpack")] + roots if os.path.isabs(base) else roots


def find_tree(get):
    """The directory with the application's files, if it is there and whole."""
    for root in cache_roots(get):
        tree = os.path.join(root, "apps", APP["tree"])
        try:
            # Directories, not links, that nobody else can write to. Windows has no such bits.
            found = os.lstat(root), os.lstat(tree)
            kinds = {(one.st_uid, one.st_mode & 0o170022) for one in found}
            if os.name != "posix" or kinds == {(os.geteuid(), 0o040000)}:
                if found[1].st_mtime == WHOLE:
                    return tree
        except OSError:
            pass


def name_compiled(tree):
    """Where a tree keeps the code of boot.py and tree.py, beside that for other Pythons and versions of pyzpack."""
    tag = sys.implementation.cache_tag, sys.flags.optimize
    return os.path.join(tree, "__pycache__", "_pyzpack-%s.%s-%d.pyc" % ((APP["boot"],) + tag))


def boot(get):
    """What boot.py defines, the tree, and the code of tree.py. Of a cache that is to be checked nothing is run."""
    tree = code = rest = None
    if APP["tree"] and sys.version_info >= (3, 8) and get("PYZPACK_VERIFY", "0") in ("", "0"):
        tree = find_tree(get)
    if tree:
        import marshal
        from importlib.util import MAGIC_NUMBER

        try:
            with open(name_compiled(tree), "rb") as file:
                data = file.read()
            if data[:4] == MAGIC_NUMBER:
                code, rest = marshal.loads(data[4:])
        except (OSError, EOFError, ValueError, TypeError):
            pass
    path = os.path.join(__loader__.archive, "_pyzpack", "boot.py")
    names = {"__name__": "_pyzpack_boot", "__file__": path, "__loader__": __loader__}
    names["__code__"] = code or compile(__loader__.get_data(path), path, "exec")
    exec(names["__code__"], names)
    names["begin"](globals(), tree, code, rest)


boot(os.environ.get)
