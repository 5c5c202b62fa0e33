"""An application with a console script, a dependency and a build backend."""

import sys
from importlib.metadata import version

import tinydep


def main():
    print(tinydep.WORD, version("greet"), *sys.argv[1:])
