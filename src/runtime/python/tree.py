"""What an unpacked tree is good for: quicker imports, and a quicker next start. The cache keeps this, compiled."""

import os
import sys

CHUNK = 64 << 10  # Most modules' bytecode is less. Half of what malloc would map memory for.


def forget(path):
    """Remove a file, if that may be."""
    try:
        os.unlink(path)
    except OSError:
        pass


def spare_imported():
    """Have the garbage collector let alone what is imported: modules, classes and functions, which stay; a function for
    each import to call with the module's name.

    It takes what is there for old, which the collector looks at seldom. And the next collection comes after 2,000 new
    objects, as it does in CPython since 3.13, before after 700; it puts things back.
    """
    import gc
    from _frozen_importlib import _module_locks as importing  # type: ignore[attr-defined]

    usual, settled = gc.get_threshold(), set()
    raised = (usual[0] and max(usual[0], 2000),) + usual[1:]  # 0: it never begins by itself.
    unfrozen = 0, gc.get_freeze_count()  # 3.12 starts with some.

    def restore(phase, info):
        if gc.get_threshold() == raised:
            gc.set_threshold(*usual)
        if gc.callbacks[-1] is restore:  # Else the collector, which is going through them, would pass over one.
            gc.callbacks.pop()

    def settle(fullname):
        # Each name once, for a program may import in a loop; and not where it has frozen objects itself.
        if fullname in settled or gc.get_freeze_count() not in unfrozen:
            return
        # Not within another import: what the program has made meanwhile, and dropped, must not grow old.
        if settled and all((name + ".").startswith(fullname + ".") for name in list(importing)):
            gc.collect(0)
        settled.add(fullname)
        gc.freeze()
        gc.unfreeze()
        if gc.get_threshold() == usual != raised:
            gc.set_threshold(*raised)
            if restore not in gc.callbacks:
                gc.callbacks.append(restore)

    if not gc.isenabled() or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return settled.add  # Free-threaded Python goes through all objects to freeze them.
    return settle


def quicken(site):
    """Have what is imported from the tree and the standard library found with fewer system calls.

    A directory is listed once, and a module of the tree, whose files do not change, has its bytecode read without a
    look at its source. What is not found so (extension modules, namespace packages, what was written after the start)
    is left to importlib's own finder.
    """
    import _frozen_importlib as builtin
    import _frozen_importlib_external as external
    import _imp
    import marshal

    if sys.implementation.name != "cpython" or sys.version_info >= (3, 15) or sys.pycache_prefix:
        return
    source = os.path.join(site, "a.py")
    tail = external.cache_from_source(source)[len(os.path.join(site, "__pycache__", "a")) :]
    between = os.sep + "__pycache__" + os.sep
    details = external._get_supported_file_loaders()  # type: ignore[attr-defined]
    before_source = _imp.extension_suffixes()
    magic, new_spec, new_module = external.MAGIC_NUMBER, builtin.ModuleSpec, type(sys)
    library = os.path.dirname(os.__file__)
    ours, quick = site + os.sep, (site + os.sep, library + os.sep)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    settle = spare_imported()

    class QuickLoader(external.SourceFileLoader):
        bytecode = ""

        def create_module(self, spec):
            # With what importlib would find missing, which costs it two exceptions a module.
            module = new_module(spec.name)
            module.__file__ = spec.origin
            module.__cached__ = spec.cached  # type: ignore[attr-defined]
            return module

        def get_code(self, fullname):
            try:
                # A third of the system calls of a file object, which asks for its kind, place and size first.
                file = os.open(self.bytecode, flags)
                try:
                    data = part = os.read(file, CHUNK)
                    while len(part) == CHUNK:
                        part = os.read(file, CHUNK)
                        data += part
                finally:
                    os.close(file)
                if data[:4] == magic and (self.path.startswith(ours) or self.is_current(data)):
                    code = marshal.loads(memoryview(data)[16:])
                    _imp._fix_co_filename(code, self.path)  # type: ignore[attr-defined]
                    return code
            except OSError:
                pass
            except (EOFError, ValueError, TypeError):
                # Cut short by a crash; importlib would fail of it.
                if self.path.startswith(ours):
                    forget(self.bytecode)
            return super().get_code(fullname)

        def is_current(self, data):
            """Whether bytecode tells its source's time and size (PEP 552), and they are still those."""
            found = os.stat(self.path)
            stamp = (int(found.st_mtime) & 0xFFFFFFFF) | (found.st_size & 0xFFFFFFFF) << 32
            return data[4:16] == (stamp << 32).to_bytes(12, "little")

    class QuickFinder(external.FileFinder):
        def __init__(self, path):
            super().__init__(path, *details)
            self.list_names()

        def list_names(self):
            names = os.listdir(self.path)
            self.names, text = frozenset(names), "\0".join(names)
            self.suffixes = [suffix for suffix in before_source if suffix in text]

        def has_source(self, module):
            if module + ".py" in self.names:
                return not (self.suffixes and any(module + suffix in self.names for suffix in self.suffixes))
            return False

        def find_spec(self, fullname, target=None):
            module = fullname.rpartition(".")[2]
            base = self.path + os.sep + module
            if module in self.names:
                package = sys.path_importer_cache.get(base)
                if package is None:
                    try:
                        package = sys.path_importer_cache[base] = QuickFinder(base)
                    except OSError:
                        return super().find_spec(fullname, target)
                if type(package) is not QuickFinder or not package.has_source("__init__"):
                    return super().find_spec(fullname, target)
                directory, module = base, "__init__"
            elif self.has_source(module):
                directory = self.path
            elif self.path == library and not self.suffixes:
                return None  # Nobody adds modules to it meanwhile.
            else:
                return super().find_spec(fullname, target)
            path = directory + os.sep + module + ".py"
            settle(fullname)
            loader = QuickLoader(fullname, path)
            loader.bytecode = directory + between + module + tail
            spec = new_spec(fullname, loader, origin=path, is_package=directory is base)
            if directory is base:
                spec.submodule_search_locations = [base]
            spec._set_fileattr = True  # type: ignore[attr-defined]
            spec.cached = loader.bytecode
            return spec

        def invalidate_caches(self):
            super().invalidate_caches()
            self.list_names()

    class QuickPackages:
        """Asks a package's finder at once; importlib would ask those of built-in and frozen modules before."""

        @staticmethod
        def find_spec(fullname, path=None, target=None):
            if type(path) is list and len(path) == 1:
                finder = sys.path_importer_cache.get(path[0])
                if type(finder) is QuickFinder:
                    return finder.find_spec(fullname, target)
            return None

    def find_finder(path):
        if (path + os.sep).startswith(quick):
            try:
                return QuickFinder(path)
            except OSError:
                pass
        raise ImportError

    sys.meta_path.insert(0, QuickPackages)
    sys.path_hooks.insert(0, find_finder)
    sys.path_importer_cache.pop(library, None)


def keep(codes, path):
    """Leave what was compiled for the next start; where that cannot be, nothing is lost."""
    import marshal

    if sys.dont_write_bytecode:
        return
    temporary = "%s.%d" % (path, os.getpid())
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except OSError:
        return
    try:
        with open(descriptor, "wb") as file:
            file.write(marshal.dumps(codes))
        os.replace(temporary, path)
    except OSError:
        forget(temporary)
