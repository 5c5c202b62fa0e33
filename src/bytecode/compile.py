"""Compile the modules that standard input holds to .pyc files on standard output; nothing of them is run or imported.

Run with `-S`, so that what is installed has no part in it, by every CPython from 3.8 on. A number is four bytes, the
least first: path and source come as length and bytes each, one module after the other; for each goes out the length of
its .pyc, and that, or 0 where it does not compile.
"""

import _frozen_importlib_external
import _imp
import marshal
import sys

sys.path[:] = [path for path in sys.path if path]  # Codecs of sources are looked for there, not where this runs.


def number(value):
    return value.to_bytes(4, "little")


def compiled(path, source):
    """The .pyc with PEP 552's hash that is not compared: a tree's files do not change."""
    try:
        # As importlib does it. The path is in tracebacks until the importing side puts the file's own there.
        code = marshal.dumps(compile(source, path, "exec", dont_inherit=True, optimize=0))
    except Exception:
        # Templates, data of tests, another Python's syntax: installers pass over them too. What nests too deeply is a
        # MemoryError of the parser; where memory is really short, Linux ends the process.
        return b""
    digest = _imp.source_hash(_frozen_importlib_external._RAW_MAGIC_NUMBER, source)
    return _frozen_importlib_external.MAGIC_NUMBER + number(1) + digest + code


def main():
    read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
    while True:
        head = read(4)
        if not head:
            break
        path = read(int.from_bytes(head, "little")).decode("utf-8")
        source = read(int.from_bytes(read(4), "little"))
        pyc = compiled(path, source)
        write(number(len(pyc)) + pyc)
    sys.stdout.buffer.flush()


main()
