"""Prints the URL of the index that an interpreter's pip asks by default; fails where there is no pip.

pip is imported, not run: from the interpreter's packages, else from the wheel that ensurepip would install.
"""

import glob
import os
import sys
import sysconfig


def default_index():
    """The URL, as pip has it."""
    from pip._internal.models.index import PyPI

    return PyPI.simple_url


def bundled_wheels():
    """The pip wheels that came with the interpreter, or with its distribution (Debian, Fedora)."""
    standard_library = sysconfig.get_path("stdlib")
    directories = [os.path.join(standard_library, "ensurepip", "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")]
    for directory in directories + ["/usr/share/python-wheels"]:
        if directory:
            for path in sorted(glob.glob(os.path.join(glob.escape(directory), "pip-*.whl"))):
                yield path


try:
    found = default_index()
except ImportError:
    for wheel in bundled_wheels():
        sys.path.insert(0, wheel)
        found = default_index()
        break
    else:
        sys.exit("it has neither pip nor ensurepip")
sys.stdout.write(found + "\n")
