"""Refuses internet sockets to every Python that starts under --offline.

The kernel refuses them too, where it can. This says why they were refused, holds where it cannot, and asks for no
address, which a daemon could look up that is not held to anything.

It is written as `sitecustomize.py` into a directory that PYTHONPATH names, so that the children of a resolver or of a
build backend are held to it too. An audit hook sees a socket before the system call is made (PEP 578, Python 3.8).
"""

import sys


def _refuse(event, arguments):
    if event == "socket.__new__":
        # AF_INET is 2 everywhere; AF_INET6 differs from system to system, the others that may be opened are named
        # by the module itself.
        import socket

        family = arguments[1]
        if family not in (socket.AF_INET, socket.AF_INET6):
            return
    elif event not in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"):
        return
    raise PermissionError(f"pyzpack runs with --offline: no internet socket may be opened ({event})")


sys.addaudithook(_refuse)
