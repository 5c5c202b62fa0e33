"""A packer that lets exactly one condition of its host into the zip that it writes; for tests of determinism.

    python naive_packer.py CONDITION PROJECT OUTPUT JOBS

Run under the same changed condition as pyzpack, its bytes must change: that proves the condition was there to be felt.
All else about it is deterministic: sorted names, one date, stored.
"""

import importlib.util
import locale
import os
import shutil
import sys
import tempfile
import time
import zipfile


def sources(project):
    paths = []
    for directory, _, names in os.walk(project):
        if "__pycache__" not in directory:
            paths += [os.path.join(directory, name) for name in names]
    return sorted(paths)


def listing(project):
    return [name for directory, _, names in sorted(os.walk(project)) for name in names]


def umask(project):
    path = os.path.join(tempfile.mkdtemp(), "created")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
    return oct(os.stat(path).st_mode)


def share_of_each_worker(project):
    jobs = int(sys.argv[4])
    return [name for worker in range(jobs) for name in sources(project)[worker::jobs]]


def cache_state(project):
    return sorted(os.listdir(os.environ["PYZPACK_CACHE"]))


LEAKS = {
    "cache": cache_state,
    "clock": lambda project: time.strftime("%Y", time.gmtime()),
    "deflate": lambda project: [level for level in range(10) if shutil.which("deflate-level-%d" % level)],
    "directory": os.path.abspath,
    "directory_order": listing,
    "hash_seed": lambda project: list({"alpha", "beta", "gamma", "delta", "epsilon"}),
    "home": lambda project: os.environ.get("HOME"),
    "jobs": share_of_each_worker,
    "locale": lambda project: (locale.setlocale(locale.LC_ALL, ""), os.environ.get("LANG")),
    "modes": lambda project: [oct(os.stat(path).st_mode) for path in sources(project)],
    "mtimes": lambda project: [os.stat(path).st_mtime for path in sources(project)],
    "output": lambda project: os.path.abspath(sys.argv[3]),
    "processors": lambda project: len(os.sched_getaffinity(0)),
    "python": lambda project: importlib.util.MAGIC_NUMBER,
    "shelf": lambda project: os.path.exists(os.path.join(project, os.pardir, "built-before")),
    "temporary_directory": lambda project: tempfile.gettempdir(),
    "time_zone": lambda project: time.strftime("%H:%M", time.localtime(0)),
    "umask": umask,
    "user": lambda project: os.environ.get("USER"),
    "user_id": lambda project: os.getuid(),
}


def main():
    condition, project, output = sys.argv[1:4]
    with zipfile.ZipFile(output, "w") as archive:
        for path in sources(project):
            with open(path, "rb") as file:
                archive.writestr(zipfile.ZipInfo(os.path.relpath(path, project)), file.read())
        archive.writestr(zipfile.ZipInfo("leaked"), repr(LEAKS[condition](project)))


if __name__ == "__main__":
    main()
