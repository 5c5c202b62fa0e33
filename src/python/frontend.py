"""Runs one hook of a PEP 517 build backend, for Python 3.8 to 3.14.

    python frontend.py REQUEST RESULT

REQUEST is a JSON file: `hook`, `backend`, `backend_path` (list or null), `source`, `arguments` (list), `own_flags` (the
variables of compilers' flags that begin with the interpreter's own). RESULT is
written as JSON: `{"kind": "returned", "value": ...}`, `{"kind": "no-backend", "reason": ...}` or
`{"kind": "bad-backend-path", "reason": ...}`. An exception of the backend itself goes to standard error as it is.
"""

import importlib
import json
import os
import sys
import sysconfig

# Hooks that a backend may leave out, and what their absence means (PEP 517).
OPTIONAL = {"get_requires_for_build_wheel": []}


def inside(path, directory):
    """Whether a path lies in a directory, symbolic links resolved."""
    path, directory = os.path.realpath(path), os.path.realpath(directory)
    return path == directory or path.startswith(directory.rstrip(os.sep) + os.sep)


def run(request):
    # The modules beside this script are none of the backend's.
    del sys.path[0]
    source = request["source"]
    os.chdir(source)
    # What a build makes keeps its permissions in the wheel.
    os.umask(0o022)
    # setuptools takes CFLAGS in the place of these since version 76: nothing would be optimised.
    for name in request["own_flags"]:
        os.environ[name] = "{} {}".format(sysconfig.get_config_var("CFLAGS") or "", os.environ.get(name, "")).strip()

    backend_path = []
    for entry in request["backend_path"] or []:
        path = os.path.normpath(os.path.join(source, entry))
        if os.path.isabs(entry) or not inside(path, source) or not os.path.isdir(path):
            return {"kind": "bad-backend-path", "reason": entry}
        backend_path.append(path)
    sys.path[:0] = backend_path

    module, _, attributes = request["backend"].partition(":")
    try:
        backend = importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and module != error.name and not module.startswith(error.name + "."):
            # The backend is there; something that it needs is not.
            raise
        return {"kind": "no-backend", "reason": str(error)}
    if backend_path:
        file = getattr(backend, "__file__", None)
        if file is None or not any(inside(file, path) for path in backend_path):
            return {"kind": "bad-backend-path", "reason": f"{module} was loaded from {file}"}
    for attribute in filter(None, attributes.split(".")):
        backend = getattr(backend, attribute, None)
        if backend is None:
            return {"kind": "no-backend", "reason": f"module {module} has no {attribute}"}

    name = request["hook"]
    hook = getattr(backend, name, None)
    if hook is None:
        if name in OPTIONAL:
            return {"kind": "returned", "value": OPTIONAL[name]}
        return {"kind": "no-backend", "reason": "{} has no hook {}".format(request["backend"], name)}
    return {"kind": "returned", "value": hook(*request["arguments"])}


def main():
    request_file, result_file = (os.path.abspath(argument) for argument in sys.argv[1:3])
    # setup.py programs read their own arguments.
    sys.argv = sys.argv[:1]
    with open(request_file, encoding="utf-8") as file:
        request = json.load(file)
    result = run(request)
    with open(result_file, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
