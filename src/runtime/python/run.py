"""What few applications have: entry points of other kinds, and a path that is exported."""

import os
import sys


def export_path(site, environ):
    """Have every Python that the program starts find its packages, after what PYTHONPATH names already."""
    paths = environ["PYTHONPATH"].split(os.pathsep) if environ.get("PYTHONPATH") else []
    own = [path for path in sys.path if path == site or path.startswith(site + os.sep)]
    # A program that starts itself again has exported them before.
    environ["PYTHONPATH"] = os.pathsep.join(paths + [path for path in own if path not in paths])


def run_script(main, site, target):
    """Run a Python script of the tree as __main__."""
    path = os.path.join(site, target)
    if os.path.isfile(site):
        source = __loader__.get_data(os.path.join(__loader__.archive, target))
    else:
        with open(path, "rb") as file:
            source = file.read()
        main["__file__"] = path
    code = compile(source, path, "exec", dont_inherit=True)
    for name in list(main):
        if not name.startswith("__"):
            del main[name]
    exec(code, main)


def run_executable(main, site, target):
    """Become an executable of the tree."""
    path = os.path.join(site, *target.split("/"))
    try:
        if os.name == "posix":
            os.execv(path, [path] + sys.argv[1:])
        import subprocess

        sys.exit(subprocess.call([path] + sys.argv[1:]))
    except OSError as error:
        label = os.path.basename(sys.argv[0] or target)
        sys.exit("%s: cannot run %s: %s" % (label, path, error.strerror))
