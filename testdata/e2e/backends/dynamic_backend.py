"""A backend that asks for more than `[build-system] requires` says, as setuptools-scm or Cython users' do."""

import importlib

import plain_backend


def get_requires_for_build_wheel(config_settings=None):
    return ["helper>=1"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    importlib.import_module("helper")
    return plain_backend.write_wheel(wheel_directory)
