# The start of a .pyz made by pyzpack. This file is compiled at every start, so it is short and imports nothing that
# Python has not loaded by itself; what is seldom needed is in _pyzpack/. It must parse on Python 2.7, to say so there.
import os
import sys

APP = {}  # pyzpack: constants

# The modification time of a whole tree's root. Adding or removing a name there resets it, so that one stat tells a
# whole tree from a half-deleted one. Even seconds, after 1980: every file system can hold it.
WHOLE = 946684800


def support(name):
    """Run a file of _pyzpack/ under its real name, for tracebacks, and hand back what it defines."""
    path = os.path.join(__loader__.archive, "_pyzpack", name)
    names = {"__name__": "_pyzpack_" + name[:-3], "__file__": path, "__loader__": __loader__}
    exec(compile(__loader__.get_data(path), path, "exec"), names)
    return names


def fits():
    """Whether this Python and this machine are among those that the wheels inside were chosen for."""
    version = sys.version_info[:2]
    if version not in APP["pythons"] and not (APP["newest"] and version > APP["newest"]):
        return False
    if "refused" in APP and sys.version_info[2] in APP["refused"].get(version, ((),))[0]:
        return False
    if not APP["platform"]:
        return True
    _, system, machines, libc, minimum = APP["platform"]
    if sys.platform != system or sys.implementation.name != "cpython":
        return False
    if system == "win32":
        bits = "win-amd64" if "amd64" in sys.version.lower() else "win32"
        return ("win-arm64" if "(ARM64)" in sys.version else bits) in machines
    kernel = os.uname()
    machine = kernel.machine
    if sys.maxsize < 2**32:  # A 32-bit Python under a 64-bit kernel.
        machine = {"x86_64": "i686", "aarch64": "armv7l", "armv8l": "armv7l"}.get(machine, machine)
    if machine not in machines:
        return False
    if system == "darwin":
        return int(kernel.release.split(".")[0]) >= minimum
    if libc:
        try:
            found = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        except ValueError:  # musl does not know the name.
            found = []
        if (found[:1] == ["glibc"]) != (libc == "glibc"):
            return False
        return not found or tuple(int(part) for part in found[1].split(".")[:2]) >= minimum
    return True


def cache_roots(environ, uid):
    """Where the cache may be, best first."""
    if environ.get("PYZPACK_CACHE"):
        return [os.path.abspath(environ["PYZPACK_CACHE"])]
    temporary = environ.get("TMPDIR") or environ.get("TEMP") or "/tmp"
    roots = [os.path.abspath(os.path.join(temporary, "pyzpack-%d" % uid))]
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    base = environ.get("XDG_CACHE_HOME") or ""
    if os.path.isabs(base):  # The XDG specification has relative ones ignored.
        roots.insert(0, os.path.join(base, "pyzpack"))
    elif os.path.isabs(home):
        roots.insert(0, os.path.join(home, ".cache", "pyzpack"))
    return roots


def tree_name():
    """What the cache calls the application's files."""
    payloads = APP["payloads"]
    return payloads[0][1] if len(payloads) == 1 else support("extract.py")["join_digests"](payloads)


def find_tree(environ, verify):
    """The directory with the application's files; unpacked first where it is not whole."""
    name = tree_name()
    uid = getattr(os, "geteuid", int)()
    roots = cache_roots(environ, uid)
    # A directory, not a link, that nobody else can write to. Windows has no such bits.
    private = 0o170022 if os.name == "posix" else 0o170000
    if not verify:
        for root in roots:
            tree = os.path.join(root, "apps", name)
            try:
                owner = os.lstat(root)
                if owner.st_uid == uid and owner.st_mode & private == 0o040000 and os.stat(tree).st_mtime == WHOLE:
                    return tree
            except OSError:
                pass
    return support("extract.py")["unpack"](APP, __loader__.archive, roots, name, environ)


def isolate():
    """Undo what the host's site-packages brought before this file ran, and hand back the standard library's path."""
    import _frozen_importlib as builtin
    import _frozen_importlib_external as external

    library = os.path.dirname(os.__file__)
    tails = (os.sep + "lib-dynload", os.sep + "python%d%d.zip" % sys.version_info[:2])
    paths = [p for p in sys.path if p == library or p.endswith(tails)]
    if os.name == "nt":
        ours = (sys.base_prefix, os.path.join(sys.base_prefix, "DLLs"))
        paths = [p for p in sys.path if p in paths or p in ours]
    homes = tuple(p + os.sep for p in paths if p != sys.prefix)
    packages = tuple(p + d + "-packages" + os.sep for p in homes for d in ("site", "dist"))

    foreign = set()
    for name, module in list(sys.modules.items()):
        if "." not in name and name not in sys.builtin_module_names and name not in ("__main__", "__mp_main__"):
            file = getattr(module, "__file__", None)
            if not file:
                if getattr(getattr(module, "__spec__", None), "origin", None) != "frozen":
                    foreign.add(name)
            elif not file.startswith(homes) or file.startswith(packages):
                foreign.add(name)
    for name in [name for name in sys.modules if name.partition(".")[0] in foreign]:
        del sys.modules[name]

    finders = (builtin.BuiltinImporter, builtin.FrozenImporter, external.PathFinder)
    sys.meta_path[:] = finders
    modules = ("zipimport", external.__name__, "_frozen_importlib_external")
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if getattr(hook, "__module__", None) in modules]
    for path, finder in list(sys.path_importer_cache.items()):
        if finder is not None and type(finder).__module__ not in modules:
            del sys.path_importer_cache[path]
    return paths


def choose_entry(environ):
    """The entry point, or the console script that PYZPACK_SCRIPT or a symbolic link's name asks for."""
    scripts, invoked = APP["scripts"], sys.argv[0]
    wanted = environ.pop("PYZPACK_SCRIPT", None)
    if wanted:
        if wanted not in scripts:
            support("commands.py")["refuse_script"](APP, wanted)
        sys.argv[0] = os.path.join(os.path.dirname(invoked), wanted)
        return scripts[wanted]
    name = os.path.basename(invoked)
    entry = scripts.get(name) or (name.endswith(".pyz") and scripts.get(name[:-4]))
    return entry if entry and os.path.islink(invoked) else APP["entry"]


def run(entry, site):
    """Run an entry point as an installed script would."""
    kind, target = entry[:2]
    if kind == "object":
        __import__(target)
        function = sys.modules[target]
        for name in entry[2].split("."):
            function = getattr(function, name)
        sys.exit(function())
    elif kind == "module":
        import runpy

        for name in [name for name in globals() if not name.startswith("__")]:
            del globals()[name]
        runpy._run_module_as_main(target, alter_argv=False)
    else:
        support("run.py")["run_" + kind](globals(), site, target)


def print_exception(kind, value, trace):
    """Show the source lines of zipped modules too; before 3.13 the interpreter looks for files only."""
    if not issubclass(kind, Exception):
        # Importing traceback runs code that makes CPython forget to end by SIGINT after a KeyboardInterrupt.
        return sys.__excepthook__(kind, value, trace)
    import traceback

    return traceback.print_exception(kind, value, trace)


def start():
    """From the interpreter's start to the application's."""
    if not fits():
        support("refuse.py")["refuse"](APP)
    environ = os.environ
    interpreter = environ.pop("PYZPACK_INTERPRETER", "0")
    if environ.pop("PYZPACK_INFO", "0") not in ("", "0"):
        roots = cache_roots(environ, getattr(os, "geteuid", int)())
        support("commands.py")["print_info"](APP, [os.path.join(root, "apps", tree_name()) for root in roots], WHOLE)
    entry = choose_entry(environ)
    verify = environ.get("PYZPACK_VERIFY", "0") not in ("", "0")
    # First, so that unpacking and checking import from the standard library alone.
    sys.path[:] = isolate()
    # Absolute, for the program may change its directory.
    site = find_tree(environ, verify) if APP["payloads"] else os.path.abspath(__loader__.archive)
    if verify:
        support("verify.py")["verify"](APP, support("extract.py"), __loader__.archive, site)
    sys.path.append(site)
    if APP["pth"]:
        support("pth.py")["run_pth"](site, APP["pth"], __loader__)
    if environ.get("PYTHONPATH") and not sys.flags.ignore_environment:
        sys.path += [os.path.abspath(path) for path in environ["PYTHONPATH"].split(os.pathsep)]
    # As in an installed script. A child of multiprocessing runs __file__ again, as __mp_main__.
    main = globals()
    main.update(__file__=os.path.abspath(__loader__.archive), __spec__=None, __package__=None)
    if interpreter not in ("", "0"):
        support("commands.py")["interpret"](main)
    if not APP["payloads"] and sys.version_info < (3, 13) and sys.excepthook is sys.__excepthook__:
        sys.excepthook = print_exception
    if (3, 11) <= sys.version_info < (3, 15):
        # From 3.11 on CPython maps and unmaps a chunk of its data stack at each call that crosses the chunk's edge,
        # thousands of times in some programs (python/cpython gh-142183). One large frame makes one large chunk.
        run.__code__ = run.__code__.replace(co_stacksize=1 << 15)
    run(entry, site)


def resume():
    """What a child of multiprocessing needs beside sys.path, which it inherits."""
    isolate()
    if APP["pth"]:
        # An older Python's fork server has not got the tree on its path; its children have, and come here again.
        name = tree_name() if APP["payloads"] else os.path.basename(__loader__.archive)
        for site in [path for path in sys.path if os.path.basename(path) == name][:1]:
            support("pth.py")["run_pth"](site, APP["pth"], __loader__)


if __name__ == "__main__":
    start()
elif __name__ == "__mp_main__":
    resume()
