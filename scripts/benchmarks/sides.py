"""What is started beside what: each application, packed by each tool and installed in a virtual environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from .made import ENTRIES, made_wheels
from .peers import AWSCLI, BENCH, CLEAN_PYTHON, HTTPIE, PYZPACK, SCI, TOOLS, Workload, build_command, clean_environment

VENV = "console script in a venv"
SHIV = "shiv"
PEX_VENV = "pex --venv --sh-boot"
ZIPAPP = "uv + zipapp"
PEERS = [SHIV, "pex", PEX_VENV, ZIPAPP]
BY_PYTHON = "pyzpack, `python3 x.pyz`"
BY_ITSELF = "pyzpack, `./x.pyz`"
LAYOUT_ZIP = "pyzpack, layout zip"
BYTECODE = "pyzpack, --bytecode 3.11"


def workloads() -> dict[str, Workload]:
    made = made_wheels(BENCH)

    def program(name: str, *requirements: str, listed: str) -> Workload:
        own = f"bench-{name}"
        return Workload(name, (*requirements, own), f"bench_{name}:main", ("-c", own), listed=listed, made=made)

    sci = program("sci", *SCI.requirements, listed="sci")
    return {workload.name: workload for workload in (program("hello", listed="hello"), HTTPIE, AWSCLI, sci)}


def nothing() -> Workload:
    own = "bench-nothing"
    return Workload("nothing", (own,), "bench_nothing:main", ("-c", own), listed="hello", made=made_wheels(BENCH))


def with_entries(hello: Workload, count: int) -> Workload:
    assert count in ENTRIES
    return Workload(f"entries-{count}", (*hello.requirements, f"bench-entries-{count}"), hello.entry_point,
                    hello.pyzpack_entry, listed=hello.listed, made=hello.made)  # fmt: skip


def versions() -> str:
    code = "from importlib.metadata import version as v; print(', '.join(f'{n} {v(n)}' for n in ('shiv', 'pex', 'uv')))"
    return subprocess.run([TOOLS / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def has_bytecode() -> bool:
    return "--bytecode" in subprocess.run([PYZPACK, "build", "--help"], capture_output=True, text=True).stdout


def program_of(workload: Workload, *options: str, scratch: Path) -> Path:
    """pyzpack's file, built now."""
    output = scratch / f"{workload.name}{''.join(options)}.pyz"
    command, environment = build_command("pyzpack", workload, output, scratch / "build")
    run_build([*command, "-q", *options], environment, f"pyzpack cannot build {workload.name}")
    return output


def run_build(command: list[str], environment: dict[str, str], failed: str) -> None:
    Path(environment["TMPDIR"]).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"bench: {failed}:\n{done.stdout}{done.stderr}")


def kept(workload: Workload, what: str) -> Path:
    """Where something is kept from run to run: its name changes with the tools and the wheels."""
    state = hashlib.sha256(f"{versions()} {workload}".encode())
    state.update(workload.listing.read_bytes())
    place = BENCH / "kept" / f"{workload.name}-{what.replace(' ', '')}" / state.hexdigest()[:12]
    if place.parent.exists():
        for other in place.parent.iterdir():
            if other.stem != place.name:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def peer_of(tool: str, workload: Workload, scratch: Path) -> Path:
    output = kept(workload, tool).with_suffix(".pyz")
    if not output.exists():
        print(f"bench: {workload.name}: building with {tool}", file=sys.stderr)
        unfinished = output.with_suffix(".unfinished")
        own = Path(tempfile.mkdtemp(dir=scratch))
        run_build(*build_command(tool, workload, unfinished, own), f"{tool} cannot build {workload.name}")
        unfinished.rename(output)
    return output


def install_venv(workload: Workload) -> Path:
    """The virtual environment, with nothing compiled by its installer."""
    venv = kept(workload, "venv")
    if not venv.exists():
        print(f"bench: {workload.name}: installing", file=sys.stderr)
        try:
            subprocess.run([CLEAN_PYTHON, "-m", "venv", "--without-pip", venv], env=clean_environment(), check=True)
            links = ["--no-index", *workload.find_links()]
            subprocess.run([TOOLS / "uv", "pip", "install", "-q", "--offline", "--link-mode", "copy", "--python",
                            venv / "bin/python", *links, *workload.requirements],
                           env=clean_environment(UV_CACHE_DIR=BENCH / "uv-cache"), check=True)  # fmt: skip
        except BaseException:
            shutil.rmtree(venv, ignore_errors=True)
            raise
    return venv


def without_bytecode(venv: Path, copy: Path) -> Path:
    """A virtual environment that has never been used: links to the same files, but no .pyc of them."""
    shutil.copytree(venv, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"), copy_function=os.link)
    for script in (copy / "bin").iterdir():
        if not script.is_symlink() and (text := script.read_bytes()).startswith(b"#!" + bytes(venv)):
            mode = script.stat().st_mode
            script.unlink()
            script.write_bytes(text.replace(bytes(venv), bytes(copy), 1))
            script.chmod(mode)
    return copy


@dataclass
class Sides:
    """What is started of one application, by side."""

    workload: Workload
    venv: Path
    commands: dict[str, list[str]] = field(default_factory=dict)
    # What is measured in first starts alone.
    first_only: dict[str, list[str]] = field(default_factory=dict)
    # Of a side that does not do what the console script does: the last thing it said.
    failing: dict[str, str] = field(default_factory=dict)

    def script(self, venv: Path) -> list[str]:
        return [str(venv / "bin" / self.workload.pyzpack_entry[1]), *self.workload.arguments]


def prepare_sides(workload: Workload, scratch: Path) -> Sides:
    workload.fetch_wheels()
    sides = Sides(workload, install_venv(workload))
    arguments = workload.arguments
    sides.commands[VENV] = sides.script(sides.venv)
    for tool in PEERS:
        python = [] if "--sh-boot" in tool else [str(CLEAN_PYTHON)]
        sides.commands[tool] = [*python, str(peer_of(tool, workload, scratch)), *arguments]
    ours = program_of(workload, "--layout", "extract", scratch=scratch)
    sides.commands[BY_PYTHON] = [str(CLEAN_PYTHON), str(ours), *arguments]
    sides.commands[BY_ITSELF] = [str(ours), *arguments]
    if workload.name == "hello":
        zipped = program_of(workload, "--layout", "zip", scratch=scratch)
        sides.commands[LAYOUT_ZIP] = [str(CLEAN_PYTHON), str(zipped), *arguments]
    if has_bytecode():
        compiled = program_of(workload, "--layout", "extract", "--bytecode", "3.11", scratch=scratch)
        sides.first_only[BYTECODE] = [str(CLEAN_PYTHON), str(compiled), *arguments]
    return sides


def empty_archive(scratch: Path) -> Path:
    """The least that Python can be given to run as a zip."""
    path = scratch / "empty.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", "pass\n")
    return path


def try_start(command: list[str], environment: dict[str, str], expected: str | None) -> tuple[str, str]:
    """What a start printed, and the reason if it does not count: it failed, or printed something else."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    reason = ""
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
    elif expected is not None and done.stdout != expected:
        reason = f"prints {done.stdout.strip()!r}, not {expected.strip()!r}"
    return done.stdout, reason
