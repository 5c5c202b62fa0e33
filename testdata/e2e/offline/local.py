"""Uses all that stays on the machine: pipes, Unix sockets, a pool of processes, an event loop, the kernel's netlink."""

import asyncio
import multiprocessing
import os
import socket
import tempfile
import threading


def use_everything(directory):
    left, right = socket.socketpair()
    left.sendall(b"x")
    assert right.recv(1) == b"x"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.join(directory, "s"))
        server.listen()
        asked = threading.Thread(target=lambda: server.accept()[0].sendall(b"y"))
        asked.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(directory, "s"))
            assert client.recv(1) == b"y"
        asked.join()
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    with multiprocessing.Manager() as manager:
        assert manager.dict(a=1)["a"] == 1
    event_loop = asyncio.new_event_loop()
    assert event_loop.run_until_complete(asyncio.sleep(0, 3)) == 3
    event_loop.close()
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()
    print("all")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        use_everything(directory)
