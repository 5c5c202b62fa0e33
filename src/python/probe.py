"""Prints what an interpreter is, as one line of JSON in ASCII.

Passed to the interpreter as text with -E -s -S -B -c, for Python 2.7 to have its say too: -I is younger. It imports
what is built in and nothing more where it can, so that asking costs no more than the interpreter's start.
"""

import sys

# -c puts the current directory first: nothing in it may be imported.
sys.path[:] = [path for path in sys.path if path]


def quote(text):
    """Writes a text as a JSON string."""
    escaped = []
    for character in text:
        if character in '"\\':
            escaped.append("\\" + character)
        elif " " <= character <= "~":
            escaped.append(character)
        elif ord(character) > 0xFFFF:
            escaped.append("\\ufffd")
        else:
            escaped.append("\\u" + hex(0x10000 + ord(character))[3:])
    return '"' + "".join(escaped) + '"'


def write(value):
    """Writes texts, numbers, truth values, None, lists and dictionaries as JSON."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([write(item) for item in value]) + "]"
    if isinstance(value, dict):
        return "{" + ",".join([quote(key) + ":" + write(value[key]) for key in sorted(value)]) + "}"
    return quote(value)


def path_bytes(path):
    """A path as a list of its bytes: it need not be text."""
    return list(bytearray(path.encode(sys.getfilesystemencoding(), "surrogateescape")))


def full_version(info):
    """A version in the form that markers compare."""
    version = ".".join([str(number) for number in info[:3]])
    return version if info[3] == "final" else version + info[3][0] + str(info[4])


def operating_system():
    """What the platform module says, without importing it where the posix module knows."""
    facts = {"glibc": None, "macos": None, "windows_tag": None}
    if sys.platform == "win32" or sys.platform == "darwin":
        import platform

        facts["system"] = platform.system()
        facts["machine"] = platform.machine()
        facts["release"] = platform.release()
        facts["version"] = platform.version()
        if sys.platform == "darwin":
            facts["macos"] = platform.mac_ver()[0]
        else:
            lowered = sys.version.lower()
            facts["windows_tag"] = "win_amd64" if "amd64" in lowered else "win_arm64" if "arm64" in lowered else "win32"
        return facts
    import posix

    facts["system"], _, facts["release"], facts["version"], facts["machine"] = posix.uname()
    try:
        facts["glibc"] = posix.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):
        pass  # musl has no such name.
    return facts


def describe():
    """Everything that is asked of a supported Python; of others, who they are."""
    facts = {"version": list(sys.version_info[:2]), "full_version": sys.version.split()[0]}
    implementation = getattr(sys, "implementation", None)
    facts["implementation_name"] = implementation.name if implementation else "python"
    if sys.version_info < (3, 8) or facts["implementation_name"] != "cpython":
        return facts
    flags = getattr(sys, "abiflags", "")
    facts["abi"] = {
        "debug": hasattr(sys, "gettotalrefcount"),
        "free_threaded": "t" in flags or "free-threading build" in sys.version,
        "wide": sys.maxsize > 2**32,
    }
    facts["implementation_version"] = full_version(implementation.version)
    facts["os_name"] = "nt" if sys.platform == "win32" else "posix"
    facts["sys_platform"] = sys.platform
    facts["operating_system"] = operating_system()
    facts["executable"] = path_bytes(sys.executable or "")
    facts["prefix"] = path_bytes(sys.prefix)
    facts["path"] = [path_bytes(path) for path in sys.path]
    return facts


sys.stdout.write(write(describe()) + "\n")
