"""A program that does what it is asked to, `asked MODULE:FUNCTION ARGUMENT...`: as installed, and as a .pyz."""

import importlib
import json
import os
import sys


def main():
    module, function = sys.argv[1].split(":")
    return getattr(importlib.import_module("asked." + module), function)(*sys.argv[2:])


def other():
    if "ASKED" in os.environ:
        print(json.dumps([sys.argv]))
    else:
        print("other", sys.argv[1:])
