"""What a program may do with its process; the first argument chooses."""

import multiprocessing
import os
import signal
import sys
import threading
import time


def square(number):
    return number * number


def in_processes(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(pool.map(square, range(5)))


def main():
    what = sys.argv[1]
    print("arguments", sys.argv[1:], os.path.basename(sys.argv[0]), __name__)
    sys.stdout.flush()
    if what == "return":
        return int(sys.argv[2])
    if what == "return-text":
        return "a text is an error"
    if what == "exit":
        sys.exit(int(sys.argv[2]))
    if what == "raise":
        raise ValueError("on purpose")
    if what == "signal":
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        time.sleep(10)
    if what == "thread":
        threading.Thread(target=lambda: (time.sleep(0.2), print("after main"))).start()
    if what == "echo":
        sys.stdout.buffer.write(sys.stdin.buffer.read())
    if what == "pool":
        in_processes(sys.argv[2])
