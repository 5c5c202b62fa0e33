"""Looks for what an earlier start left in the usual place, and gets boot.py, which knows the other places.

boot.py's compiled code is there; this file's is not, so it is short.
"""

import os
import sys

APP = {}  # pyzpack: constants

# The modification time of a whole tree's root. Adding or removing a name there resets it, so that one stat tells a
# whole tree from a half-deleted one. Even seconds, after 1980: every file system can hold it.
WHOLE = 946684800


def find(get):
    """The directory with the application's files, if it is whole, and what it keeps compiled."""
    import marshal
    from importlib.util import MAGIC_NUMBER

    home = get("XDG_CACHE_HOME") or os.path.join(get("HOME", ""), ".cache")
    root = os.path.normpath(get("PYZPACK_CACHE") or home + "/pyzpack")
    tree = root + "/apps/" + APP["tree"]
    name = "/__pycache__/_pyzpack-%s.%s-%d.pyc" % (APP["boot"], MAGIC_NUMBER.hex(), sys.flags.optimize)
    for found in os.lstat(root), os.lstat(tree):
        # Directories, not links, that nobody else can write to. Of a cache that is to be checked nothing is run.
        if (found.st_uid, found.st_mode & 0o170022, root[0]) != (os.geteuid(), 0o040000, "/") or get("PYZPACK_VERIFY"):
            raise OSError
    with open(tree + name, "rb") as file:
        return found.st_mtime == WHOLE and tree, marshal.loads(file.read())


path = os.path.join(__loader__.archive, "_pyzpack", "boot.py")
names = {"__name__": "_pyzpack_boot", "__file__": path, "__loader__": __loader__}
try:
    tree, codes = find(os.environ.get)
    exec(codes["boot.py"], names)
except Exception:
    tree, codes = None, {"boot.py": compile(__loader__.get_data(path), path, "exec")}
    exec(codes["boot.py"], names)
begin = names["begin"]
