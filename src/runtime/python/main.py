# The start of a .pyz made by pyzpack. This file is compiled at every start, so it is short and imports nothing that
# Python has not loaded by itself: it finds what earlier starts left in the cache and hands over to _pyzpack/boot.py, of
# which the cache has the compiled code. It must parse on Python 2.7, for boot.py to say there that it does not fit.
import os
import sys

APP = {}  # pyzpack: constants

# The modification time of a whole tree's root. Adding or removing a name there resets it, so that one stat tells a
# whole tree from a half-deleted one. Even seconds, after 1980: every file system can hold it.
WHOLE = 946684800


def support(name, compiled=None):
    """Run a file of _pyzpack/ under its real name, for tracebacks, and hand back what it defines."""
    path = os.path.join(__loader__.archive, "_pyzpack", name)
    if compiled is None:
        code = compile(__loader__.get_data(path), path, "exec")
    else:
        code = compiled
        sys.modules["_imp"]._fix_co_filename(code, path)
    names = {"__name__": "_pyzpack_" + name[:-3], "__file__": path, "__loader__": __loader__, "__code__": code}
    exec(code, names)
    return names


def user():
    """The number of the user; Windows has none."""
    return getattr(os, "geteuid", int)()


def cache_roots(environ):
    """Where the cache may be, best first."""
    if environ.get("PYZPACK_CACHE"):
        return [os.path.abspath(environ["PYZPACK_CACHE"])]
    temporary = environ.get("TMPDIR") or environ.get("TEMP") or "/tmp"
    roots = [os.path.abspath(os.path.join(temporary, "pyzpack-%d" % user()))]
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    base = environ.get("XDG_CACHE_HOME") or ""
    if os.path.isabs(base):  # The XDG specification has relative ones ignored.
        roots.insert(0, os.path.join(base, "pyzpack"))
    elif os.path.isabs(home):
        roots.insert(0, os.path.join(home, ".cache", "pyzpack"))
    return roots


def find_tree(environ):
    """The directory with the application's files, if it is there and whole."""
    # A directory, not a link, that nobody else can write to. Windows has no such bits.
    private = 0o170022 if os.name == "posix" else 0o170000
    for root in cache_roots(environ):
        tree = os.path.join(root, "apps", APP["tree"])
        try:
            owner = os.lstat(root)
            if owner.st_uid == user() and owner.st_mode & private == 0o040000 and os.stat(tree).st_mtime == WHOLE:
                return tree
        except OSError:
            pass
    return None


def compiled_name():
    """What the code of boot.py and tree.py is called in a tree's __pycache__, which Pythons and versions share."""
    return "_pyzpack-%s.%s-%d.pyc" % (APP["boot"], sys.implementation.cache_tag, sys.flags.optimize)


def boot(environ):
    """What boot.py defines, the tree, and the code of tree.py. Of a cache that is to be checked nothing is run."""
    tree = None
    if APP["tree"] and sys.version_info >= (3, 8) and environ.get("PYZPACK_VERIFY", "0") in ("", "0"):
        tree = find_tree(environ)
    if tree:
        import _frozen_importlib_external
        import marshal

        try:
            with open(os.path.join(tree, "__pycache__", compiled_name()), "rb") as file:
                data = file.read()
            if data[:4] == _frozen_importlib_external.MAGIC_NUMBER:
                code, compiled = marshal.loads(data[4:])
                return support("boot.py", code), tree, compiled
        except (OSError, EOFError, ValueError, TypeError):
            pass
    return support("boot.py"), tree, None


if __name__ == "__main__":
    names, tree, compiled = boot(os.environ)
    names["start"](globals(), tree, compiled)
elif __name__ == "__mp_main__":
    names, tree, compiled = boot(os.environ)
    names["resume"](globals(), compiled)
