"""What only an unpacked program can have: native code, executables, data files."""

import os
import shutil
import subprocess
import sys


def extension():
    import native.fast

    print(native.fast.answer(), os.path.basename(native.fast.__file__))


def executable():
    from importlib.metadata import files

    found = [path for path in files("native") if path.name == "native-tool"]
    print(len(found), [os.access(str(path.locate()), os.X_OK) for path in found])
    print(subprocess.run([str(found[0].locate()), "run"], stdout=subprocess.PIPE).stdout)


def on_path():
    print(shutil.which("native-tool") is not None)


def data():
    from importlib.metadata import files

    found = [path for path in files("native") if path.name == "native.txt"]
    print([open(str(path.locate())).read() for path in found])
    print(os.path.exists(os.path.join(sys.prefix, "share", "native", "native.txt")))
