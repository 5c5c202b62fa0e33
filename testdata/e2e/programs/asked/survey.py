"""Questions about the packages, all answered by one process: a JSON object of what each function gives."""

import importlib
import json
import os
import pkgutil
import sys
from importlib import metadata

HERE = os.path.dirname(os.path.abspath(__file__))


def versions():
    return {name: metadata.version(name) for name in ("asked", "dep", "spread.one", "SPREAD_two", "setuptools")}


def missing_version():
    try:
        metadata.version("not-there")
    except metadata.PackageNotFoundError as error:
        return str(error)


def distributions():
    found = sorted((one.metadata["Name"], one.version) for one in metadata.distributions())
    return [one for one in found if one[0] != "native"]


def fields():
    found = metadata.metadata("asked")
    return found["Name"], found["Summary"], found.get_all("Requires-Dist"), metadata.requires("asked")


def entry_points():
    if sys.version_info >= (3, 10):
        points = metadata.entry_points(group="asked.plugins")
    else:
        points = metadata.entry_points()["asked.plugins"]
    return sorted((point.name, point.value, point.load().__name__) for point in points)


def console_scripts():
    points = [p for p in metadata.distribution("asked").entry_points if p.group == "console_scripts"]
    return sorted((point.name, point.value) for point in points)


def files():
    installers = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
    found = [path for path in metadata.files("asked") if path.name not in installers and path.suffix != ".pyc"]
    return sorted(str(path) for path in found if not str(path).startswith("../"))


def files_exist():
    return [str(path) for path in metadata.files("dep") if path.suffix != ".pyc" and not exists(path)]


def exists(path):
    try:
        return path.read_binary() is not None
    except (OSError, KeyError):
        return False


def file_digests():
    import base64
    import hashlib

    wrong = []
    for name in ("asked", "dep", "spread.one"):
        for path in metadata.files(name):
            if path.hash and path.suffix != ".pyc" and not str(path).startswith("../"):
                digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_binary()).digest()).rstrip(b"=").decode()
                if path.hash.value != digest:
                    wrong.append(str(path))
    return wrong


def read_record():
    return metadata.distribution("dep").read_text("RECORD") is not None


def packages_distributions():
    if sys.version_info < (3, 10):
        return None
    found = metadata.packages_distributions()
    return {name: sorted(set(found[name])) for name in ("asked", "dep", "spread", "oldspread")}


def resource_text():
    if sys.version_info < (3, 9):
        from importlib import resources

        return resources.read_text("asked.data", "plain.txt")
    from importlib.resources import files

    return files("asked").joinpath("data/plain.txt").read_text(encoding="utf-8")


def resource_bytes():
    return list(pkgutil.get_data("asked", "data/bytes.bin"))


def resource_as_file():
    from importlib import resources

    if sys.version_info < (3, 9):
        with resources.path("asked.data", "plain.txt") as path:
            return path.read_text()
    with resources.as_file(resources.files("asked.data") / "plain.txt") as path:
        return path.read_text()


def resource_directory_as_file():
    if sys.version_info < (3, 12):
        return None
    from importlib import resources

    with resources.as_file(resources.files("asked") / "data") as path:
        return sorted(one.name for one in path.iterdir() if one.name != "__pycache__")


def resource_contents():
    if sys.version_info >= (3, 13):
        return None
    from importlib import resources

    return sorted(set(resources.contents("asked.data")) - {"__pycache__"})


def resource_is():
    from importlib import resources

    return resources.is_resource("asked.data", "plain.txt"), resources.is_resource("asked.data", "absent.txt")


def resource_walk():
    if sys.version_info < (3, 9):
        return None
    from importlib.resources import files

    def walk(directory):
        for one in directory.iterdir():
            if one.name == "__pycache__":
                continue
            yield one.name
            if one.is_dir():
                yield from walk(one)

    return sorted(walk(files("asked")))


def resource_of_namespace():
    if sys.version_info < (3, 10):
        return None
    from importlib.resources import files

    return (files("spread") / "one" / "note.txt").read_text()


def resource_missing():
    try:
        return pkgutil.get_data("asked", "data/absent.txt")
    except OSError as error:
        return isinstance(error, OSError)


def data_beside_code():
    with open(os.path.join(HERE, "data", "plain.txt")) as file:
        return file.read()


def iter_modules():
    import asked

    return sorted((one.name, one.ispkg) for one in pkgutil.iter_modules(asked.__path__, "asked."))


def iter_top_level():
    known = ("asked", "dep", "spread", "oldspread", "olderspread", "pathed_module")
    return sorted(one.name for one in pkgutil.iter_modules() if one.name in known)


def walk_packages():
    import oldspread

    return sorted(one.name for one in pkgutil.walk_packages(oldspread.__path__, "oldspread."))


def namespace_modules():
    import spread

    return sorted(one.name for one in pkgutil.iter_modules(spread.__path__)), len(list(spread.__path__))


def namespace():
    import spread
    import spread.one
    import spread.two.deep

    return spread.one.NAME, spread.two.deep.NAME, spread.__file__ if hasattr(spread, "__file__") else None


def namespace_of_pkgutil():
    import oldspread.one
    import oldspread.two

    return oldspread.one.NAME, oldspread.two.NAME


def namespace_of_pkg_resources():
    import olderspread.one
    import olderspread.two

    return olderspread.one.NAME, olderspread.two.NAME


def namespace_of_pth():
    import oldestspread.one
    import oldestspread.two

    return oldestspread.one.NAME, oldestspread.two.NAME


def pth_paths():
    import pathed_module

    return pathed_module.NAME, [path for path in sys.path if path.endswith("not-there")]


def pth_code():
    return sys.pathed


def pkg_resources_finds():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pkg_resources
    working = sorted(one.key for one in pkg_resources.working_set if one.key != "native")
    stream = pkg_resources.resource_stream("asked", "data/bytes.bin")
    with stream:
        content = list(stream.read())
    return (
        working,
        pkg_resources.get_distribution("dep").version,
        [point.name for point in pkg_resources.iter_entry_points("asked.plugins")],
        pkg_resources.resource_string("asked", "data/plain.txt").decode(),
        content,
        pkg_resources.resource_exists("asked", "data/absent.txt"),
        sorted(name for name in pkg_resources.resource_listdir("asked", "data") if name != "__pycache__"),
        [one.key for one in pkg_resources.require("asked")][:1],
    )


def pkg_resources_filename():
    import pkg_resources

    with open(pkg_resources.resource_filename("asked", "data/plain.txt")) as file:
        return file.read()


def find_spec():
    from importlib.util import find_spec

    spec = find_spec("asked.data")
    return spec.name, spec.origin, list(spec.submodule_search_locations), spec.has_location, find_spec("asked.absent")


def module_attributes():
    import asked.endings as module

    return module.__name__, module.__package__, module.__file__, module.__spec__.origin, module.__spec__.parent


def reload():
    import asked.endings as module

    return importlib.reload(module) is module


def late_module():
    importlib.invalidate_caches()
    import asked.data.late

    return asked.data.late.NAME


def import_error():
    try:
        import asked.absent  # noqa: F401
    except ImportError as error:
        return type(error).__name__, str(error), error.name


def partial_import():
    try:
        from asked import absent  # noqa: F401
    except ImportError as error:
        return str(error)


def run_module():
    import runpy

    found = runpy.run_module("asked.data.given", run_name="given")
    return found["__name__"], found["__spec__"].name, sorted(name for name in found if name.isupper())


def inspect_source():
    import inspect

    return inspect.getsource(late_module), inspect.getsourcefile(late_module), inspect.getsourcelines(HERE_LINE)[1]


def HERE_LINE():
    pass


def code_filename():
    return HERE_LINE.__code__.co_filename, __file__


def line_cache():
    import linecache

    return linecache.getline(__file__, 1)


def loader_source():
    return __loader__.get_source(__name__).splitlines()[0], __loader__.is_package(__name__)


def documentation():
    import pydoc

    return pydoc.render_doc("asked.sources.helped", renderer=pydoc.plaintext)


def logging_configuration():
    import logging.config

    logging.config.fileConfig(os.path.join(HERE, "data", "logging.ini"), disable_existing_loggers=False)
    return logging.getLogger("configured").level


def libraries():
    import ctypes.util

    return ctypes.util.find_library("c")


def locations():
    import site
    import sysconfig

    return [os.path.isdir(sysconfig.get_path(name)) for name in ("stdlib", "include")], callable(site.getsitepackages)


def standard_library():
    import ctypes
    import encodings.idna
    import sqlite3
    import ssl
    import xml.dom.minidom

    return [module.__name__ for module in (ctypes, encodings.idna, sqlite3, ssl, xml.dom.minidom)]


def builtins_of_site():
    return [type(getattr(__builtins__, name, None) or __builtins__[name]).__name__ for name in ("exit", "help")]


def pickle_of_module():
    import pickle

    from asked.workers import Point

    return pickle.loads(pickle.dumps(Point(4))).x


def typing_hints():
    import typing

    return sorted(typing.get_type_hints(typed))


def typed(first: "int") -> "str":
    return str(first)


def unittest_discovery():
    import unittest

    return unittest.TestLoader().discover(HERE, pattern="absent*.py").countTestCases()


def zip_safe_template():
    from string import Template

    return Template(pkgutil.get_data("asked", "data/plain.txt").decode()).template


QUESTIONS = [
    value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__module__", None) == __name__ and name not in ("exists", "typed", "HERE_LINE")
]


def main():
    answers = {}
    for question in QUESTIONS:
        try:
            answers[question.__name__] = question()
        except Exception as error:
            answers[question.__name__] = "%s: %s" % (type(error).__name__, error)
    print(json.dumps(answers))


def names():
    print(json.dumps([question.__name__ for question in QUESTIONS]))
