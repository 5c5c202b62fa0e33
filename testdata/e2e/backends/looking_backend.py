"""A backend that writes into the wheel which files it finds in the tree that it builds in."""

import os

import plain_backend


def find_root():
    """The copy's root: the highest directory above that is called `source`."""
    here = os.getcwd()
    parts = here.split(os.sep)
    return os.sep.join(parts[: parts.index("source") + 1])


def find_files():
    root = find_root()
    for directory, names, files in os.walk(root):
        if "__pycache__" in names:
            names.remove("__pycache__")
        for name in files:
            yield os.path.relpath(os.path.join(directory, name), root)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    seen = "SEEN = %r\n" % sorted(find_files())
    return plain_backend.write_wheel(wheel_directory, {"looked.py": seen.encode()})
