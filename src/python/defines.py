"""Tells which names a Python module binds at its top level: source on standard input, JSON on standard output.

The answer is a sorted list, or null where it cannot be known without running the module: a star import, `__getattr__`,
code that writes to its own namespace, or source that this Python cannot parse.
"""

import ast
import sys

DYNAMIC = {"exec", "eval", "globals", "locals", "vars", "setattr", "__import__", "import_module"}


def bound_names(tree):
    """The names that `tree` binds at its top level, or None where that is open."""
    names = set()
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    pending = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, scopes[:3]):
            names.add(node.name)
            pending.extend(node.decorator_list)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.name == "*":
                    return None
                names.add(alias.asname or alias.name.split(".")[0])
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Name) and node.id in DYNAMIC:
            return None
        elif isinstance(node, ast.Attribute) and (node.attr in DYNAMIC or node.attr == "modules"):
            return None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        pending.extend(ast.iter_child_nodes(node))
    return None if "__getattr__" in names else names


def main():
    try:
        names = bound_names(ast.parse(sys.stdin.buffer.read()))
    except (SyntaxError, ValueError):
        names = None
    if names is None:
        print("null")
    else:
        # Names are identifiers, so quotes around them make JSON.
        print(
            "[" + ",".join('"%s"' % name.encode("ascii", "backslashreplace").decode() for name in sorted(names)) + "]"
        )


main()
