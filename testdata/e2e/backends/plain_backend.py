"""A PEP 517 backend of one file, for tests: packs the modules of the tree, needs nothing, runs on Python 3.8 and later.

How it deflates hangs on the host, as with any real backend whose zlib differs: a command named `deflate-level-N` on
PATH makes it use level N (0: stored).
"""

import base64
import hashlib
import os
import re
import shutil
import tarfile
import time
import zipfile

BACKENDS = {
    kind + "_backend.py"
    for kind in ("plain", "recording", "sleeping", "failing", "dynamic", "reaching", "looking", "leaking")
}
IGNORED = BACKENDS | {"setup.cfg", "probes.json"}


def read_project():
    """What the tests' own pyproject.toml says; tomllib is not there on every Python."""
    with open("pyproject.toml", encoding="utf-8") as file:
        text = file.read()

    def value(key):
        return re.search(r'^%s = "(.*)"$' % key, text, re.M).group(1)

    dependencies = re.search(r"^dependencies = \[(.*)\]$", text, re.M)
    extras = re.search(r"^\[project.optional-dependencies\]\n((?:.+\n)*)", text, re.M)
    scripts = re.search(r"^\[project.scripts\]\n((?:.+\n)*)", text, re.M)
    return {
        "name": value("name"),
        "version": value("version"),
        "requires_python": value("requires-python"),
        "dependencies": re.findall(r'"([^"]*)"', dependencies.group(1)) if dependencies else [],
        "extras": [
            (extra, requirement)
            for extra, listed in re.findall(r"^(\S+) = \[(.*)\]$", extras.group(1) if extras else "", re.M)
            for requirement in re.findall(r'"([^"]*)"', listed)
        ],
        "scripts": re.findall(r'^(\S+) = "(.*)"$', scripts.group(1), re.M) if scripts else [],
    }


def metadata(project):
    lines = ["Metadata-Version: 2.1", "Name: " + project["name"], "Version: " + project["version"]]
    lines.append("Requires-Python: " + project["requires_python"])
    for extra, requirement in project["extras"]:
        lines += ["Provides-Extra: " + extra, 'Requires-Dist: %s; extra == "%s"' % (requirement, extra)]
    lines += ["Requires-Dist: " + requirement for requirement in project["dependencies"]]
    return "\n".join(lines) + "\n"


def sources():
    """Paths of what goes into the wheel, in the order in which the directory lists them."""
    for directory, subdirectories, names in os.walk("."):
        subdirectories[:] = [name for name in subdirectories if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), ".").replace(os.sep, "/")
            if name not in IGNORED and name not in ("pyproject.toml", "PKG-INFO") and not name.endswith(".pyc"):
                yield path


def deflate_level():
    for level in range(10):
        if shutil.which("deflate-level-%d" % level):
            return level
    return 6


def write_wheel(wheel_directory, extra_files=None):
    project = read_project()
    distribution = re.sub(r"[-_.]+", "_", project["name"])
    info = "%s-%s.dist-info" % (distribution, project["version"])
    contents = {}
    for path in sources():
        with open(path, "rb") as file:
            contents[path] = file.read()
    for path, data in (extra_files or {}).items():
        contents[path] = data
    contents[info + "/METADATA"] = metadata(project).encode()
    contents[info + "/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: plain_backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    if project["scripts"]:
        lines = "".join("%s = %s\n" % script for script in project["scripts"])
        contents[info + "/entry_points.txt"] = ("[console_scripts]\n" + lines).encode()
    record = ""
    for path, data in sorted(contents.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += "%s,sha256=%s,%d\n" % (path, digest, len(data))
    contents[info + "/RECORD"] = (record + info + "/RECORD,,\n").encode()

    name = "%s-%s-py3-none-any.whl" % (distribution, project["version"])
    level = deflate_level()
    method = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    # Whatever the clock says: a zip knows no time before 1980.
    date = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", 0)), 315532800))[:6]
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", method, compresslevel=level) as archive:
        for path, data in contents.items():
            entry = zipfile.ZipInfo(path, date)
            entry.compress_type, entry.external_attr = method, 0o600 << 16
            archive.writestr(entry, data, compresslevel=level)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return write_wheel(wheel_directory)


def build_sdist(sdist_directory, config_settings=None):
    project = read_project()
    root = "%s-%s" % (re.sub(r"[-_.]+", "_", project["name"]), project["version"])
    with open("PKG-INFO", "w", encoding="utf-8") as file:
        file.write(metadata(project))
    name = root + ".tar.gz"
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz") as archive:
        for path in sorted(os.listdir(".")):
            if path != "__pycache__":
                archive.add(path, root + "/" + path)
    return name
