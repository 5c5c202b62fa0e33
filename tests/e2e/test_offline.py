"""`--offline` holds for every program that a build starts, whatever it is written in and however it opens sockets."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import HELLO, TESTDATA, Pyzpack, needs
from wheels import make_project, make_wheel

pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="the filter is Linux's")

CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"
SEND = (
    "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], int(sys.argv[2])))"
)
NOT_HELD = (
    "warning: the system does not enforce --offline (Error calling `seccomp`: Function not implemented (os error 38)): "
    "a build backend's programs other than Python could reach the network"
)


@dataclass
class Listeners:
    """A port of the loopback interface for each probe, and which of them were reached."""

    sockets: dict[str, socket.socket] = field(default_factory=dict)

    def open(self, name: str, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> str:
        listener = socket.socket(family, kind)
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        listener.settimeout(0.1)
        self.sockets[name] = listener
        return str(listener.getsockname()[1])

    def reached(self) -> set[str]:
        names = set()
        for name, listener in self.sockets.items():
            try:
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()[0].close()
                else:
                    listener.recv(1)
                names.add(name)
            except TimeoutError:
                continue
        return names


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    found = Listeners()
    yield found
    for listener in found.sockets.values():
        listener.close()


@pytest.fixture(scope="session")
def reach(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("reach") / "reach"
    subprocess.run([needs("gcc", "cc"), TESTDATA / "offline/reach.c", "-o", program], check=True)
    return program


@dataclass
class Probes:
    """A project whose backend runs commands, and what came of them."""

    project: Path
    results: Path
    commands: dict[str, list[str]]

    def write(self) -> None:
        commands = {name: list(map(str, command)) for name, command in self.commands.items()}
        asked = {"commands": commands, "results": str(self.results)}
        (self.project / "probes.json").write_text(json.dumps(asked))

    def read(self) -> dict[str, dict]:
        return json.loads(self.results.read_text())


@pytest.fixture
def probes(tmp_path: Path, listeners: Listeners, reach: Path) -> Probes:
    project = make_project(
        tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"}, backend="reaching_backend"
    )
    python = [sys.executable, "-I", "-c"]
    commands = {
        "python": [*python, CONNECT, "127.0.0.1", listeners.open("python")],
        "python udp": [*python, SEND, "127.0.0.1", listeners.open("python udp", kind=socket.SOCK_DGRAM)],
        "program": [reach, "call", listeners.open("program")],
        "ring": [reach, "ring", listeners.open("ring")],
    }
    if has_ipv6():
        commands["python 6"] = [*python, CONNECT, "::1", listeners.open("python 6", socket.AF_INET6)]
        commands["program 6"] = [reach, "call6", listeners.open("program 6", socket.AF_INET6)]
    if platform.machine() == "x86_64":
        commands["int80"] = [reach, "int80", listeners.open("int80")]
        port, program = listeners.open("32 bits"), tmp_path / "reach32"
        options = ["-m32", "-static", "-nostdlib", "-fno-stack-protector", f"-DPORT={port}"]
        subprocess.run([needs("gcc"), *options, TESTDATA / "offline/reach32.c", "-o", program], check=True)
        commands["32 bits"] = [program]
    if shutil.which("curl"):
        # A server that only listens never answers; the connection is what counts.
        commands["curl"] = ["curl", "-sS", "--max-time", "1", f"http://127.0.0.1:{listeners.open('curl')}/"]
    found = Probes(project, tmp_path / "results.json", commands)
    found.write()
    return found


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


VERBS = ["build", "lock"]


def run_verb(pyzpack: Pyzpack, probes: Probes, tmp_path: Path, verb: str, *options: str, **changes):
    name = "tool.pyz" if verb == "build" else "pylock.toml"
    arguments = [verb, probes.project, "--no-index", "--python", pyzpack.python, "-o", tmp_path / name, *options]
    return pyzpack.run(*arguments, **changes)


@pytest.mark.parametrize("verb", VERBS)
def test_no_program_of_a_backend_reaches_the_network(
    pyzpack: Pyzpack, probes: Probes, listeners: Listeners, tmp_path: Path, verb: str
):
    done = run_verb(pyzpack, probes, tmp_path, verb, "--offline")
    assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
    found = probes.read()
    assert listeners.reached() == set()
    assert {name for name, result in found.items() if result["status"] == 0} == set()
    unreachable = {"python", "python udp", "python 6", "program", "program 6", "int80"} & found.keys()
    said = {name: found[name]["output"].splitlines()[-1].rpartition("] ")[2] for name in unreachable}
    expected = {"program": "call: ", "program 6": "call6: ", "int80": "int80: "}
    assert said == {name: f"{expected.get(name, '')}Network is unreachable" for name in unreachable}
    assert found["ring"]["output"] == "io_uring_setup: Function not implemented\n"
    if "32 bits" in found:
        assert found["32 bits"]["status"] == 101  # ENETUNREACH


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_option_they_all_do(
    pyzpack: Pyzpack, probes: Probes, listeners: Listeners, tmp_path: Path, verb: str
):
    done = run_verb(pyzpack, probes, tmp_path, verb)
    assert done.returncode == 0, done.stderr
    assert listeners.reached() == set(probes.commands), probes.read()
    failed = {name for name, result in probes.read().items() if result["status"] != 0}
    assert failed <= {"curl"}, probes.read()


def test_the_numbers_of_x32_are_refused_too(pyzpack: Pyzpack, probes: Probes, reach: Path, tmp_path: Path):
    if platform.machine() != "x86_64":
        pytest.skip("x32 is x86_64's")
    probes.commands = {"x32": [reach, "x32", "9"]}
    probes.write()
    done = run_verb(pyzpack, probes, tmp_path, "build", "--offline")
    assert done.returncode == 0, done.stderr
    # Few kernels have this ABI; the filter answers before they say so.
    assert probes.read()["x32"] == {"status": 1, "output": "x32: Network is unreachable\n"}


@pytest.mark.parametrize("options", [["--offline"], []])
def test_what_stays_on_the_machine_works(pyzpack: Pyzpack, probes: Probes, tmp_path: Path, options: list[str]):
    # The name of a Unix socket has a hundred bytes, too few for the temporary directory of a test.
    probes.commands = {"local": ["env", "TMPDIR=/tmp", pyzpack.python, "-I", TESTDATA / "offline/local.py"]}
    probes.write()
    done = run_verb(pyzpack, probes, tmp_path, "build", *options)
    assert done.returncode == 0, done.stderr
    assert probes.read()["local"] == {"status": 0, "output": "all\n"}


def test_a_trace_shows_no_socket_that_was_opened(pyzpack: Pyzpack, probes: Probes, tmp_path: Path):
    opened, refused = {}, {}
    for name, options in {"offline": ["--offline"], "else": []}.items():
        # A file for each process, so that no line is broken by one of another.
        logs = tmp_path / name
        logs.mkdir()
        wrapper = [needs("strace"), "-ff", "-qq", "-e", "trace=socket,io_uring_setup", "-o", logs / "log"]
        # What was built once is not built again from the same cache.
        done = run_verb(
            pyzpack, probes, tmp_path, "build", *options, wrapper=wrapper, PYZPACK_CACHE=tmp_path / "c" / name
        )
        assert done.returncode == 0, done.stderr
        text = "".join(log.read_text() for log in logs.iterdir())
        opened[name] = re.findall(r"(socket\(AF_INET6?|io_uring_setup)\b.*\) += \d", text)
        refused[name] = re.findall(r"socket\(AF_INET6?\b.*\) += -1 ENETUNREACH", text)
    assert opened["offline"] == []
    assert (refused["offline"] != [], refused["else"]) == (True, [])
    assert set(opened["else"]) >= {"socket(AF_INET", "io_uring_setup"}


@pytest.mark.parametrize("verb", ["plan", "build", "lock"])
def test_a_resolver_is_held_back(pyzpack: Pyzpack, listeners: Listeners, reach: Path, tmp_path: Path, verb: str):
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "hello", version, files=HELLO, scripts={"hello": "hello:main"})
    programs, said = tmp_path / "programs", tmp_path / "said"
    programs.mkdir()
    uv = programs / "uv"
    uv.write_text(f"#!/bin/sh\n{reach} call {listeners.open('uv')} >{said} 2>&1\nexit 2\n")
    uv.chmod(0o755)
    path = f"{programs}:{pyzpack.environment()['PATH']}"
    arguments = [verb, "hello", "--find-links", tmp_path / "wheels", "--no-index", "--python", pyzpack.python]
    arguments += ["-o", tmp_path / "pylock.toml"] if verb == "lock" else []
    pyzpack.run(*arguments, "--offline", PATH=path)
    assert (said.read_text(), listeners.reached()) == ("call: Network is unreachable\n", set())
    pyzpack.run(*arguments, PATH=path)
    assert (said.read_text(), listeners.reached()) == ("", {"uv"})


def test_a_system_without_the_filter_is_told(pyzpack: Pyzpack, probes: Probes, listeners: Listeners, tmp_path: Path):
    if platform.machine() != "x86_64":
        pytest.skip("the wrapper is written for x86_64")
    python = [sys.executable, "-c", CONNECT, "127.0.0.1"]
    probes.commands = {"guarded": [*python, listeners.open("guarded")], "program": probes.commands["program"]}
    probes.write()
    wrapper = [sys.executable, TESTDATA / "offline/without_seccomp.py"]
    done = run_verb(pyzpack, probes, tmp_path, "build", "--offline", wrapper=wrapper)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == [NOT_HELD]
    assert listeners.reached() == {"program"}
    assert "PermissionError: pyzpack runs with --offline" in probes.read()["guarded"]["output"]
    without = run_verb(pyzpack, probes, tmp_path, "build", wrapper=wrapper)
    assert "warning" not in without.stderr
