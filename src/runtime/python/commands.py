"""What the PYZPACK_ variables ask of a .pyz instead of starting its entry point."""

import os
import sys


def refuse_script(app, wanted):
    """Say which console scripts there are; exit with status 1."""
    there = ", ".join(sorted(app["scripts"])) or "none"
    sys.exit("%s: no console script `%s` in it; there are: %s" % (label(app), wanted, there))


def label(app):
    return os.path.basename(sys.argv[0]) or app["name"]


def describe_entry(entry):
    """An entry point as the command line of pyzpack names it."""
    return ":".join(entry[1:]) if entry[0] == "object" else "%s (%s)" % (entry[1], entry[0])


def print_info(app, trees, whole):
    """Print what the file is; exit with status 0. Nothing is unpacked for it."""
    refuse = support("refuse.py")
    pythons = "CPython " if app["platform"] else "Python "
    pythons += refuse["join_versions"](app["pythons"], app["newest"])
    if app["platform"]:
        pythons += ", " + refuse["describe_platform"](app["platform"])
    lines = [
        ("name", app["name"]),
        ("version", app["version"]),
        ("requires-python", app["requires_python"] or "anything"),
        ("runs on", pythons),
        ("layout", "extract" if app["payloads"] else "zip"),
        ("entry point", describe_entry(app["entry"])),
        ("console scripts", ", ".join(sorted(app["scripts"])) or "none"),
    ]
    if app["payloads"]:
        tree, state = trees[0], "not unpacked yet"
        for path in trees:
            try:
                found = os.stat(path)
            except OSError:
                continue
            good = found.st_mtime == whole and os.path.lexists(os.path.join(path, ".pyzpack"))
            tree, state = path, "unpacked" if good else "not whole, repaired at the next start"
            break
        lines.append(("cache", "%s (%s)" % (tree, state)))
    if "export_path" in app:
        lines.append(("PYTHONPATH", "names the packages for every process that the program starts"))
    for key, value in lines:
        print("%-16s %s" % (key + ":", value))
    sys.exit(0)


def add_first(directory):
    """Put a directory first on the path, as python does, unless it was asked not to."""
    if not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, directory)


def interpret(main):
    """Be a Python with the packages: a prompt, `-c CODE`, `-m MODULE`, a file, or `-` for standard input."""
    arguments = sys.argv[1:]
    program = sys.argv[0]
    for name in list(main):
        if not name.startswith("__") or name in ("__file__", "__cached__"):
            del main[name]
    first = arguments[0] if arguments else None
    if first in ("-V", "--version"):
        print("Python " + sys.version.split()[0])
    elif first in ("-c", "-m") and len(arguments) == 1:
        sys.stderr.write("Argument expected for the %s option\n" % first)
        sys.exit(2)
    elif first == "-c":
        sys.argv[:] = ["-c"] + arguments[2:]
        add_first("")
        exec(compile(arguments[1] + "\n", "<string>", "exec", dont_inherit=True), main)
    elif first == "-m":
        import runpy

        sys.argv[:] = ["-m"] + arguments[2:]
        add_first(os.getcwd())
        runpy._run_module_as_main(arguments[1])  # type: ignore[attr-defined]
    elif first and first != "-" and first.startswith("-"):
        sys.stderr.write("%s: unknown option %s; there are -c CODE, -m MODULE, -V, a file and -\n" % (program, first))
        sys.exit(2)
    elif first and first != "-":
        run_file(main, arguments)
    else:
        sys.argv[:] = arguments or [""]
        add_first("")
        if sys.stdin and sys.stdin.isatty():
            prompt(main)
        else:
            exec(compile(sys.stdin.read() if sys.stdin else "", "<stdin>", "exec", dont_inherit=True), main)
    sys.exit(0)


def run_file(main, arguments):
    """Run a script, or a directory or zip with a __main__ module."""
    path = arguments[0]
    sys.argv[:] = arguments
    try:
        if not os.path.isdir(path):
            with open(path, "rb") as file:
                source = file.read()
            if source[:4] != b"PK\3\4" and not path.endswith((".pyz", ".zip")):
                main["__file__"] = os.path.abspath(path)
                add_first(os.path.dirname(os.path.abspath(path)))
                exec(compile(source, path, "exec", dont_inherit=True), main)
                return
    except OSError as error:
        sys.stderr.write("can't open file %r: %s\n" % (path, error))
        sys.exit(2)
    import runpy

    sys.path.insert(0, path)
    runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]


def prompt(main):
    """An interactive prompt, with PYTHONSTARTUP run before it."""
    import code

    try:
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(main).complete)
        readline.parse_and_bind("tab: complete")
    except ImportError:
        pass
    startup = os.environ.get("PYTHONSTARTUP")
    if startup and not sys.flags.ignore_environment:
        try:
            with open(startup, "rb") as file:
                exec(compile(file.read(), startup, "exec", dont_inherit=True), main)
        except Exception:
            sys.excepthook(*sys.exc_info())
    banner = "Python %s on %s" % (sys.version.replace("\n", ""), sys.platform)
    code.InteractiveConsole(main).interact(banner, "")
