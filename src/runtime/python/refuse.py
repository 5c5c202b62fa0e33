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


def find_python(pythons):
    """The newest interpreter on PATH that fits, or None. A version manager's shim is no proof of an interpreter."""
    for major, minor in sorted(pythons, reverse=True):
        for directory in os.environ.get("PATH", "").split(os.pathsep):
            path = os.path.join(directory, "python%d.%d" % (major, minor))
            if os.path.isabs(path) and not directory.endswith("shims") and os.access(path, os.X_OK):
                return path
    return None


def refuse(app):
    """Say in one line what is needed, what was found and what to do; exit with status 1."""
    name = os.path.basename(sys.argv[0]) or app["name"]
    pythons, newest, refused = app["pythons"], app["newest"], app.get("refused", {})
    needs = "needs Python " + join_versions(pythons, newest)
    version = sys.version_info[:2]
    found = "this is Python %d.%d.%d (%s)" % (sys.version_info[:3] + (sys.executable or "unknown path",))
    implementation = getattr(getattr(sys, "implementation", None), "name", "cpython")
    if version not in pythons and not (newest and version > newest):
        fitting = find_python(pythons)
        if fitting:
            advice = "run: %s %s" % (fitting, sys.argv[0])
        else:
            advice = "none of those is on PATH: install one, then run: pythonX.Y %s" % sys.argv[0]
    elif sys.version_info[2] in refused.get(version, ((),))[0]:
        needs = "needs Python " + refused[version][1]
        fitting = find_python([other for other in pythons if other not in refused])
        if fitting:
            advice = "run: %s %s" % (fitting, sys.argv[0])
        else:
            advice = "install one that fits, then run: pythonX.Y %s" % sys.argv[0]
    elif implementation != "cpython":
        needs = "needs CPython " + join_versions(pythons, newest)
        found = "this is %s (%s)" % (implementation, sys.executable)
        advice = "run it with CPython"
    else:
        needs = "made for " + describe_platform(app["platform"])
        found = "this is " + describe_host()
        advice = "get the file for this platform, or build one here with pyzpack"
    sys.stderr.write("%s: %s, %s; %s\n" % (name, needs, found, advice))
    sys.stderr.flush()
    sys.exit(1)
