"""Work in other processes and threads."""

import concurrent.futures
import multiprocessing
import os
import subprocess
import sys


def square(number):
    import dep

    return dep.TWO * number * number


def where(_):
    import dep

    main = sys.modules["__main__"]
    return dep.__name__, main.__name__, __name__, sys.argv[1:2]


def look(_):
    """What the .pth files of the packages did, seen in a child."""
    import oldestspread.one
    import pathed_module

    return getattr(sys, "pathed", None), oldestspread.one.NAME, pathed_module.NAME


class Point:
    def __init__(self, x):
        self.x = x


def pool(method):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as workers:
        print(workers.map(square, range(4)), workers.map(where, [0]), [p.x for p in workers.map(Point, [1, 2])])
        print(workers.map(look, [0]))


def put(queue, value):
    import dep

    queue.put((value, dep.TWO))


def process(method):
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=put, args=(queue, Point(3).x))
    child.start()
    print(queue.get(timeout=30), end=" ")
    child.join()
    print(child.exitcode)


def fail_there(_):
    raise ValueError("in the child")


def failing(method):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as workers:
        try:
            workers.submit(fail_there, 1).result()
        except ValueError as error:
            print(repr(error), "asked/workers.py" in str(error.__cause__))


def futures():
    with concurrent.futures.ProcessPoolExecutor(2) as workers:
        print(list(workers.map(square, range(3))))
    with concurrent.futures.ThreadPoolExecutor(2) as workers:
        print(list(workers.map(square, range(3))))


def manager(method):
    with multiprocessing.get_context(method).Manager() as shared:
        values = shared.dict(a=1)
        values["b"] = 2
        print(sorted(values.items()))


def set_method(method):
    multiprocessing.set_start_method(method)
    with multiprocessing.Pool(1) as workers:
        print(workers.map(square, [2]))


def fork_and_import():
    child = os.fork()
    if not child:
        import dep

        os._exit(dep.TWO)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if sys.version_info >= (3, 9) else 2)


def run_dependency(*options):
    done = subprocess.run([sys.executable, *options, "-m", "dep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    print(done.returncode, done.stdout.decode().strip() or done.stderr.decode().strip().split(": ")[-1], flush=True)


def run_dependency_elsewhere():
    os.chdir("/")
    run_dependency()


def run_dependency_in_worker(method):
    child = multiprocessing.get_context(method).Process(target=run_dependency)
    child.start()
    child.join()


def run_other_python(path):
    subprocess.run([path, "-c", "import dep; print(dep.__name__, dep.TWO)"])


def show_path():
    print(os.environ.get("PYTHONPATH"))


def run_itself():
    """The way in which programs start themselves again."""
    if os.environ.get("AGAIN"):
        print("again", sys.argv[1:])
        return 5
    done = subprocess.run([sys.executable, *sys.argv], env=dict(os.environ, AGAIN="1"))
    return done.returncode


def replace_itself():
    if os.environ.get("AGAIN"):
        print("again", sys.argv[1:])
        return 5
    os.environ["AGAIN"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.argv])
