"""From the interpreter's start to the application's. The cache keeps what this compiles to."""

import os
import sys
import time

# The files of _pyzpack/ that starts as a rule run: what they compile to is kept in the tree. Of all, what was compiled.
KEPT = ("boot.py", "pth.py", "run.py", "tree.py")
CODES = {}


def fits(app):
    """Whether this Python and this machine are among those that the wheels inside were chosen for; else refuse.py."""
    version = sys.version_info[:2]
    if version not in app["pythons"] and not (app["newest"] and version > app["newest"]):
        return False
    if "refused" in app and sys.version_info[2] in app["refused"].get(version, ((),))[0]:
        return False
    return not app["platform"] or sys.implementation.name == "cpython" and fits_machine(app["platform"])


def fits_machine(platform):
    """Whether this machine is one of the platform's."""
    _, system, machines, libc, minimum = platform
    if sys.platform != system:
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


def choose_entry(environ, app):
    """The entry point, or the console script that PYZPACK_SCRIPT or a symbolic link's name asks for."""
    scripts, invoked = app["scripts"], sys.argv[0]
    wanted = environ.pop("PYZPACK_SCRIPT", None)
    if wanted:
        if wanted not in scripts:
            support("commands.py")["refuse_script"](app, wanted)
        sys.argv[0] = os.path.join(os.path.dirname(invoked), wanted)
        return scripts[wanted]
    name = os.path.basename(invoked)
    entry = scripts.get(name) or (name.endswith(".pyz") and scripts.get(name[:-4]))
    return entry if entry and os.path.islink(invoked) else app["entry"]


def run(main, entry, site, others):
    """Run an entry point as an installed script would; `others` runs the rarer kinds."""
    kind, target = entry[:2]
    if kind == "object":
        __import__(target)
        function = sys.modules[target]
        for name in entry[2].split("."):
            function = getattr(function, name)
        sys.exit(function())  # type: ignore[operator]
    elif kind == "module":
        import runpy

        for name in [name for name in main if not name.startswith("__")]:
            del main[name]
        runpy._run_module_as_main(target, alter_argv=False)  # type: ignore[attr-defined]
    else:
        others["run_" + kind](main, site, target)


def print_exception(kind, value, trace):
    """Show the source lines of zipped modules too; before 3.13 the interpreter looks for files only."""
    if not issubclass(kind, Exception):
        # Importing traceback runs code that makes CPython forget to end by SIGINT after a KeyboardInterrupt.
        return sys.__excepthook__(kind, value, trace)
    if sys.stderr is None:  # It was closed; traceback would take standard output.
        return None
    import traceback

    return traceback.print_exception(kind, value, trace)


def support(name):
    """Run a file of _pyzpack/ under its real name, for tracebacks, and hand back what it defines."""
    path = os.path.join(__loader__.archive, "_pyzpack", name)
    if name in CODES:
        sys.modules["_imp"]._fix_co_filename(CODES[name], path)
    else:
        CODES[name] = compile(__loader__.get_data(path), path, "exec")
    names = {"__name__": "_pyzpack_" + name[:-3], "__file__": path, "__loader__": __loader__, "support": support}
    exec(CODES[name], names)
    return names


def cache_roots(get):
    """Where the cache may be, best first: the first of them is where find.py looks. `get` asks the environment."""
    if get("PYZPACK_CACHE"):
        return [os.path.abspath(get("PYZPACK_CACHE"))]
    base = get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(base):  # The XDG specification has relative ones ignored.
        base = os.path.join(get("HOME") or get("USERPROFILE") or "", ".cache")
    own = "pyzpack-%d" % getattr(os, "geteuid", int)()
    roots = [os.path.abspath(os.path.join(get("TMPDIR") or get("TEMP") or "/tmp", own))]
    return [os.path.normpath(os.path.join(base, "pyzpack"))] + roots if os.path.isabs(base) else roots


def find_tree(roots, name, whole):
    """The directory with the application's files, if it is there and whole."""
    for root in roots:
        tree = os.path.join(root, "apps", name)
        try:
            # Directories, not links, that nobody else can write to. Windows has no such bits.
            found = os.lstat(root), os.lstat(tree)
            kinds = {(one.st_uid, one.st_mode & 0o170022) for one in found}
            if os.name != "posix" or kinds == {(os.geteuid(), 0o040000)}:
                if found[1].st_mtime == whole:
                    return tree
        except OSError:
            pass
    return None


def name_codes(app, tree):
    """Where a tree keeps what KEPT compile to, for this Python and this version of pyzpack."""
    magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER.hex()
    name = "_pyzpack-%s.%s-%d.pyc" % (app["boot"], magic, sys.flags.optimize)
    return os.path.join(tree, "__pycache__", name)


def read_codes(path):
    """What a tree keeps compiled, if it does."""
    import marshal

    try:
        with open(path, "rb") as file:
            codes = marshal.loads(file.read())
    except (OSError, EOFError, ValueError, TypeError):
        codes = None
    return codes if isinstance(codes, dict) else {}


def hold(tree, whole, inherit=False):
    """Whether a tree is there and whole. If so it stays, as long as this process and its forks live (see cache.py)."""
    try:
        # A lock would say the same, but needs fcntl, in many Pythons a shared object: 0.4 ms.
        apps, name = os.path.split(tree)
        pipe = os.open(os.path.join(apps, ".%s.used" % name), os.O_RDONLY | os.O_NONBLOCK)
        if inherit:
            os.set_inheritable(pipe, True)
        if time.time() - os.fstat(pipe).st_mtime > 24 * 3600:
            os.utime(pipe)
    except (OSError, AttributeError):  # Without pipes no last use is known either, and the tree stays.
        pass
    try:
        # A cleaner that goes by age may set the root's time back (systemd-tmpfiles); the marker, which no start
        # reads, it removes no later than any other file.
        return os.stat(tree).st_mtime == whole and bool(os.lstat(os.path.join(tree, ".pyzpack")))
    except OSError:
        return False


def begin(main, found):
    """What __main__.py calls: `main` are its names, `found` are those of find.py.

    There, `tree` is where the application is unpacked, if it is; `codes` are what files of _pyzpack/ were compiled to,
    this one at least.
    """
    codes = found["codes"]
    CODES.update(codes)
    if len(codes) > 1:  # Compiled before, perhaps when the .pyz had another name.
        sys.modules["_imp"]._fix_co_filename(codes["boot.py"], __file__)
    if main["__name__"] == "__main__":
        start(main, found["APP"], found["tree"], found["WHOLE"])
    elif main["__name__"] == "__mp_main__":
        resume(found["APP"], found["WHOLE"])


def start(main, app, tree, whole):
    """Start the application."""
    if not fits(app):
        support("refuse.py")["refuse"](app, fits_machine)
    environ = os.environ
    interpreter = environ.pop("PYZPACK_INTERPRETER", "0")
    if environ.pop("PYZPACK_INFO", "0") not in ("", "0"):
        trees = [os.path.join(root, "apps", app["tree"] or "") for root in cache_roots(environ.get)]
        support("commands.py")["print_info"](app, trees, whole)
    entry = choose_entry(environ, app)
    verify = environ.get("PYZPACK_VERIFY", "0") not in ("", "0")
    # First, so that unpacking and checking import from the standard library alone.
    sys.path[:] = isolate()
    # What takes the process over goes on in the tree.
    how = whole, entry[0] == "executable"
    if app["payloads"] and not (tree or verify):
        tree = find_tree(cache_roots(environ.get), app["tree"], whole)
        CODES.update(read_codes(name_codes(app, tree)) if tree else {})
    found = set(CODES)
    if app["payloads"] and not (tree and hold(tree, *how)):
        roots = cache_roots(environ.get)
        app = dict(app, entry=entry)
        tree = support("extract.py")["unpack"](app, __loader__.archive, roots, environ, lambda tree: hold(tree, *how))
    # Absolute, for the program may change its directory.
    site = tree or os.path.abspath(__loader__.archive)
    if verify:
        support("verify.py")["verify"](app, support("reader.py"), __loader__.archive, site)
    if tree:
        unpacked = support("tree.py")
        unpacked["quicken"](tree)
    sys.path.append(site)
    if app["pth"]:
        support("pth.py")["run_pth"](site, app["pth"], __loader__)
    if environ.get("PYTHONPATH") and not sys.flags.ignore_environment:
        for path in map(os.path.abspath, environ["PYTHONPATH"].split(os.pathsep)):
            if path not in sys.path:
                sys.path.append(path)
    others = None
    if "export_path" in app or entry[0] in ("script", "executable"):
        others = support("run.py")
        if "export_path" in app:
            others["export_path"](site, environ)
    codes = {name: CODES[name] for name in KEPT if name in CODES}
    if tree and not verify and not found.issuperset(codes):
        unpacked["keep"](codes, name_codes(app, tree))
    # As in an installed script, which imports sys. A child of multiprocessing runs __file__ again, as __mp_main__.
    file = os.path.abspath(__loader__.archive)
    main.update(__file__=file, __spec__=None, __package__=None, sys=sys)
    if interpreter not in ("", "0"):
        support("commands.py")["interpret"](main)
    if not tree and sys.version_info < (3, 13) and sys.excepthook is sys.__excepthook__:
        sys.excepthook = print_exception
    if (3, 11) <= sys.version_info < (3, 15):
        # From 3.11 on CPython maps and unmaps a chunk of its data stack at each call that crosses the chunk's edge,
        # thousands of times in some programs (python/cpython gh-142183). One large frame makes one large chunk.
        run.__code__ = run.__code__.replace(co_stacksize=1 << 15)
    try:
        run(main, entry, site, others)
    except Exception as error:
        if tree:
            support("repair.py")["explain_failure"](app, file, tree, error)
        raise


def resume(app, whole):
    """What a child of multiprocessing needs beside sys.path, which it inherits."""
    isolate()
    # An older Python's fork server has not got the tree on its path; its children have, and come here again.
    name = app["tree"] or os.path.basename(__loader__.archive)
    for site in [path for path in sys.path if os.path.basename(path) == name][:1]:
        if app["tree"]:
            hold(site, whole)
            support("tree.py")["quicken"](site)
        if app["pth"]:
            support("pth.py")["run_pth"](site, app["pth"], __loader__)
