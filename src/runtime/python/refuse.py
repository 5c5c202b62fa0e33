# Said by a .pyz that does not run on this Python or this machine. Must run on Python 2.7.
import os
import sys


def join_versions(pythons, newest):
    """`3.8 to 3.10, 3.12`, or `3.8 or newer`."""
    ranges = []
    for version in pythons:
        if ranges and ranges[-1][1][0] == version[0] and ranges[-1][1][1] + 1 == version[1]:
            ranges[-1][1] = version
        else:
            ranges.append([version, version])
    texts = []
    for first, last in ranges:
        text = "%d.%d" % first
        if newest and last == newest:
            text += " or newer"
        elif first != last:
            text += " to %d.%d" % last
        texts.append(text)
    return ", ".join(texts)


def describe_platform(platform):
    """What a platform tag asks for, in words."""
    _, system, machines, libc, minimum = platform
    text = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(system, system)
    text += " on " + " or ".join(machines) if machines else ""
    if libc == "glibc":
        text += " with glibc %d.%d or newer" % minimum
    elif libc == "musl":
        text += " with musl"
    elif system == "darwin":
        # Darwin's release follows macOS's: 19 is 10.15, 20 is 11, 24 is 15, 25 is 26.
        found = "10.%d" % (minimum - 4) if minimum < 20 else "%d" % (minimum - 9 if minimum < 25 else minimum + 1)
        text += " with macOS " + found + " or newer"
    return text


def describe_host():
    """This machine, in the same words."""
    if os.name != "posix":
        return "%s (%s)" % (sys.platform, sys.version.split("[")[-1].rstrip("]"))
    text = "%s on %s" % (os.uname()[0], os.uname()[4])
    if sys.maxsize < 2**32:
        text += ", 32-bit Python"
    if sys.platform.startswith("linux"):
        try:
            text += " with " + (os.confstr("CS_GNU_LIBC_VERSION") or "another libc than glibc")
        except ValueError:
            text += " with another libc than glibc"
    elif sys.platform == "darwin":
        text += " with Darwin " + os.uname()[2]
    return text


def is_interpreter(path, name):
    """Whether a file looks like the CPython of its name, as far as that can be told without starting it.

    A version manager's shim is a script, which may start nothing or another version. PyPy and free-threaded builds are
    called so where a link leads to: `python3.10 -> pypy3.10`, `python3.13 -> python3.13t`.
    """
    if os.path.basename(os.path.realpath(path)) != name or not os.path.isfile(path) or not os.access(path, os.X_OK):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(2) != b"#!"
    except (IOError, OSError):  # May be executed, not read.
        return True


def find_pythons(app):
    """The interpreters on PATH whose names fit, the newest first, without this one.

    Those come last of whose version a patch release does not fit.
    """
    pythons, newest, doubtful = set(app["pythons"]), app["newest"], app.get("refused", {})
    if newest:
        pythons.update((newest[0], newest[1] + further) for further in range(1, 10))
    found, seen = [], {os.path.realpath(sys.executable or "")}
    for version in sorted(pythons, key=lambda version: (version not in doubtful, version), reverse=True):
        name = "python%d.%d" % version
        for directory in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(directory, name)
            if os.path.isabs(path) and is_interpreter(path, name):
                if os.path.realpath(path) not in seen:
                    found.append(path)
                    seen.add(os.path.realpath(path))
                break  # One a version is enough.
    return found


def quote(text):
    """As a shell takes it. Nothing is imported here: the application may have a shlex of its own."""
    if text and all(letter.isalnum() or letter in "/._-+=:,@%" for letter in text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def refuse(app, fits_machine):
    """Say in one line what is needed, what was found and what to do; exit with status 1.

    `fits_machine` tells whether this machine is one of a platform's.
    """
    name = os.path.basename(sys.argv[0]) or app["name"]
    version, file = sys.version_info[:2], quote(sys.argv[0])
    refused = app.get("refused", {}).get(version, ((), ""))
    implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
    needs = "CPython " if app["platform"] else "Python "
    needs += refused[1] if sys.version_info[2] in refused[0] else join_versions(app["pythons"], app["newest"])
    found = {"cpython": "Python", "pypy": "PyPy"}.get(implementation, implementation)
    found += " %d.%d.%d (%s)" % (sys.version_info[:3] + (sys.executable or "unknown path",))
    fitting = find_pythons(app)
    if fitting:
        advice = "run: %s %s" % (quote(fitting[0]), file)
        if len(fitting) > 1:
            advice = "on PATH: %s; %s" % (", ".join(fitting), advice)
    else:
        advice = "none of those is on PATH: install one, then run: pythonX.Y " + file
    if app["platform"]:
        needs += ", " + describe_platform(app["platform"])
        # Before Python 3.3 not enough is known of the machine.
        if sys.version_info >= (3, 3) and not fits_machine(app["platform"]):
            found += ", " + describe_host()
            advice = "get the file for this platform, or build one here with pyzpack"
    sys.stderr.write("%s: needs %s; this is %s; %s\n" % (name, needs, found, advice))
    sys.stderr.flush()
    sys.exit(1)
