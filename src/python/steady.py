"""Steadies what every Python of a build sees of its machine: sorted directories, temporary files named in turn.

Backends copy sources into directories with names of chance, which then stand in what compilers write (`__FILE__`),
and take what they compile and link in the order in which a file system happens to list it. Nothing else that is drawn
at random is touched: a build that writes a random number is to be found out, not helped.

It lies beside the build requirements, where a `.pth` file has the children of a backend import it too, for Python 3.8
to 3.14.
"""

import itertools
import os
import sys

_listdir, _scandir = os.listdir, os.scandir


def listdir(path=None):
    return sorted(_listdir(path))


class _Entries:
    """What `os.scandir` gives, by name."""

    def __init__(self, path):
        with _scandir(path) as entries:
            self._entries = iter(sorted(entries, key=lambda entry: entry.name))

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._entries = iter(())


def scandir(path=None):
    return _Entries(path)


class _Tempfile:
    """A finder that lets the others find `tempfile`, and changes it once it was imported: most processes never do."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "tempfile":
            return None
        sys.meta_path.remove(cls)
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path)
        spec = next(filter(None, found), None)
        try:
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                _name_in_turn(module)

            spec.loader.exec_module = exec_module
        except AttributeError:
            pass  # Another module of that name, or none.
        return spec


def _name_in_turn(tempfile):
    by_chance = tempfile._RandomNameSequence()

    class InTurn(tempfile._RandomNameSequence):
        """Names that exist are passed by, by whoever makes the file or directory: as with names of chance."""

        _numbers = itertools.count(1)

        def __next__(self):
            return "%08d" % next(self._numbers)

    def mktemp(suffix="", prefix=tempfile.template, dir=None):
        # Nothing is made, so that two processes would get one name.
        directory = tempfile.gettempdir() if dir is None else dir
        for name in by_chance:
            path = os.path.join(directory, prefix + name + suffix)
            if not os.path.lexists(path):
                return path

    tempfile._name_sequence = InTurn()
    tempfile.mktemp = mktemp


def steady():
    # Others ask there whether these take descriptors.
    for theirs, ours in ((_listdir, listdir), (_scandir, scandir)):
        if theirs in os.supports_fd:
            os.supports_fd.add(ours)
    os.listdir, os.scandir = listdir, scandir
    sys.meta_path.insert(0, _Tempfile)


steady()
