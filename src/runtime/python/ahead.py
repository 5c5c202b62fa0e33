"""Compiles modules while files are still being unpacked, on a processor that has nothing else to do.

A child process follows the imports from the entry point on, in the order in which they will be run, and leaves bytecode
in the new tree. It ends when all is unpacked, however far it came: what is left is compiled when it is imported. What
goes wrong in it costs time alone.
"""

import binascii
import os
import sys

UNFINISHED = b"__pycache__/.ahead"


class Compiler:
    """Compiles what is imported while a module is, as far as the payloads hold it."""

    def __init__(self, place, tree, payloads, kit, orphaned):
        import importlib.util
        from opcode import opmap

        self.place, self.tree, self.orphaned = place, os.fsdecode(tree), orphaned
        self.reader, self.cache = kit
        self.entries = {entry.name: (payload, entry) for payload in payloads for entry in payload.entries}
        self.seen, self.named, self.util = set(), [], importlib.util
        self.import_name = bytes([opmap["IMPORT_NAME"]])
        self.load_const, self.extended = opmap["LOAD_CONST"], opmap["EXTENDED_ARG"]

    def follow_entry(self, entry):
        """Compile what the start of an entry point imports."""
        kind, target = entry[:2]
        if kind == "script":
            self.follow_code(self.compile(target.encode()), "", True)
        elif kind == "module" and target.replace(".", "/").encode() + b"/__init__.py" in self.entries:
            self.follow(target + ".__main__", True)
        elif kind in ("module", "object"):
            self.follow(target, True)
        # Plugins and the like, which are named and not imported. The list grows meanwhile.
        for module in self.named:
            self.follow(module)

    def follow(self, module, functions=False):
        """Compile a module after its packages, if it is here, and what it imports; whether it is here."""
        above, _, _ = module.rpartition(".")
        name = self.has(module)
        # The package may import the module.
        if name and (not above or self.follow(above)) and name not in self.seen:
            self.seen.add(name)
            package = module if name.endswith(b"/__init__.py") else above
            try:
                self.follow_code(self.compile(name), package, functions)
            except (SyntaxError, ValueError):  # That is told when it is imported.
                pass
        return name in self.seen

    def has(self, module):
        """The file of a module, if it is here."""
        base = module.replace(".", "/").encode("utf-8", "replace")
        return next((base + end for end in (b"/__init__.py", b".py") if base + end in self.entries), None)

    def follow_code(self, code, package, functions):
        """Compile what code imports; what is imported in its functions too, if these will be called at once."""
        for level, names, module in self.find_imports(code):
            if level:
                above = package.split(".")
                module = ".".join(above[: len(above) + 1 - level] + [module] * bool(module))
            else:
                module = self.find_vendored(module, package)
            if self.follow(module):
                for name in names or ():
                    self.follow(module + "." + name)
        for constant in code.co_consts:
            if functions and hasattr(constant, "co_consts"):
                self.follow_code(constant, package, True)
            for text in constant if isinstance(constant, tuple) else (constant,):
                if isinstance(text, str) and "." in text and self.has(text):
                    self.named.append(text)

    def find_vendored(self, module, package):
        """The name of what a package carries inside and imports as if it were installed: there, or in `_vendor`."""
        top, own = module.partition(".")[0], package.partition(".")[0]
        for inside in (own + "." + top, own + "._vendor." + top):
            if own and not self.has(top) and self.has(inside):
                return inside + module[len(top) :]
        return module

    def find_imports(self, code):
        """The level, the names and the module of each import: two constants, loaded before IMPORT_NAME, and its own."""
        instructions, at = code.co_code, -1
        while True:
            at = instructions.find(self.import_name, at + 1)
            if at < 0:
                return
            found, start = [], at
            while at % 2 == 0 and start >= 0 and len(found) < 3:
                opcode, number, shift = instructions[start], instructions[start + 1], 8
                while start >= 2 and instructions[start - 2] == self.extended:
                    start -= 2
                    number |= instructions[start + 1] << shift
                    shift += 8
                found.append((opcode, number))
                start -= 2
            if len(found) == 3 and found[1][0] == found[2][0] == self.load_const:
                yield code.co_consts[found[2][1]], code.co_consts[found[1][1]], code.co_names[found[0][1]]

    def compile(self, name):
        if self.orphaned():
            os._exit(0)
        payload, entry = self.entries[name]
        # Without moving the place from which the parent reads by the same descriptor.
        packed = os.pread(payload.file.fileno(), entry.packed, payload.base + entry.end - entry.packed)
        source = self.reader.inflate(entry, packed)
        if binascii.crc32(source) != entry.crc:  # The payload's sha256 is not of what was read here.
            raise self.reader.broken(entry)
        code = compile(source, os.path.join(self.tree, os.fsdecode(name)), "exec", dont_inherit=True)
        if name.endswith(b".py"):
            self.write(name, source, code)
        return code

    def write(self, name, source, code):
        """Write bytecode that goes by its source's hash (PEP 552): the time that it will have is not known."""
        import marshal

        path = os.fsencode(self.util.cache_from_source(os.fsdecode(name)))
        try:
            os.mkdir(os.path.dirname(path), 0o755, dir_fd=self.place.descriptor)
        except FileExistsError:
            pass
        header = self.util.MAGIC_NUMBER + b"\3\0\0\0" + self.util.source_hash(source)
        # Under its name it is whole: this process may be killed.
        self.cache.write_file(UNFINISHED, 0o644, [header + marshal.dumps(code)], self.place.descriptor)
        os.rename(UNFINISHED, path, src_dir_fd=self.place.descriptor, dst_dir_fd=self.place.descriptor)


def begin(entry, place, tree, payloads, kit):
    """Start the process where it can be of use; its number.

    `tree` is what will be the tree at `place`, `kit` are what reader.py and cache.py define.
    """
    tail = b"." + (sys.implementation.cache_tag or "").encode() + b".pyc"
    if sys.implementation.name != "cpython" or sys.dont_write_bytecode or sys.pycache_prefix or not hasattr(os, "fork"):
        return None
    if any(entry.name.endswith(tail) for payload in payloads for entry in payload.entries):
        return None  # Bytecode is inside.
    import _signal as signal  # type: ignore[import-not-found]  # Without enumerations: some milliseconds.

    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        return None  # It could not be waited for.
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:
        return None
    if child:
        return child
    try:
        import warnings

        warnings.simplefilter("ignore")  # The compiler's, as where pip compiles.
        # Should the parent be killed, neither its locks nor its pipes are kept by who compiles a large module.
        needed = {place.descriptor} | {payload.file.fileno() for payload in payloads}
        for descriptor in set(map(int, os.listdir("/dev/fd"))) - needed:
            try:
                os.close(descriptor)
            except OSError:  # That by which the names were read.
                pass
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent's to handle.
        Compiler(place, tree, payloads, kit, lambda: os.getppid() != parent).follow_entry(entry)
    finally:
        os._exit(0)


def end(child, place):
    """End the process, and wait until it has. The module that it is at is compiled when it is imported, if it is."""
    import _signal as signal  # type: ignore[import-not-found]

    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    finally:
        try:
            os.unlink(UNFINISHED, dir_fd=place.descriptor)
        except OSError:
            pass
