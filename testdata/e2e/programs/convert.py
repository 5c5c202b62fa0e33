"""YAML to JSON by the C parser, which must be there."""

import json
import sys

import yaml


def main():
    json.dump(yaml.load(sys.stdin, Loader=yaml.CSafeLoader), sys.stdout, sort_keys=True)
    print()
