"""A laboratory for Nix: an empty store of its own, the flake as a user gets it, and a stub in the place of nixpkgs.

Nix runs as an ordinary user (`nobody` where the tests run as root) and never with the host's settings. What it builds
runs in its sandbox: user namespaces, the network's loopback alone, no home, inputs of 1970.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYZPACK = Path(os.environ.get("PYZPACK_BIN") or ROOT / "target/release/pyzpack").resolve()
# What a user's copy of the flake has of it, and what the tests add. `path:` flakes copy all that is there.
FLAKE = [
    "flake.nix",
    "flake.lock",
    "default.nix",
    "nix",
    "testdata/nix",
    "src",
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
]
NOBODY = 65534

# An application of two modules, without a distribution.
PLAIN = {
    "main.py": "import sys\n\nimport words\n\nprint(words.GREETING, *sys.argv[1:])\n",
    "words.py": 'GREETING = "hello"\n',
    "requirements.txt": "",
}


def pytest_configure(config: pytest.Config) -> None:
    if not PYZPACK.exists():
        pytest.exit(f"no binary at {PYZPACK}; hint: cargo build --release, or set PYZPACK_BIN", returncode=2)


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    output: str
    log: str

    def refusal(self) -> str:
        """The message of the hook, without what Nix and the phases say around it."""
        message = re.search(r"^error: pyzpackHook: .*?^hint: [^\n]*\n", self.log, re.MULTILINE | re.DOTALL)
        assert message, self.log
        return re.sub(r"/nix/store/[a-z0-9]{32}-", "/nix/store/HASH-", message[0])


class Lab:
    """A directory with a store, a home, settings, the flake and sources, all of one ordinary user."""

    def __init__(self, sandbox: bool = True, in_place: bool = False):
        # Not pytest's directory: only root can enter root's.
        self.place = Path(tempfile.mkdtemp(prefix="pyzpack-nix-"))
        self.place.chmod(0o755)
        self.flake = self.place / "flake"
        self.stub = self.flake / "testdata/nix/stub-nixpkgs"
        for name in ("home", "conf", "tmp"):
            (self.place / name).mkdir()
        for name in FLAKE:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.flake / name)
            elif (ROOT / name).exists():
                (self.flake / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.flake / name)
        (self.stub / "bin").mkdir()
        shutil.copy(PYZPACK, self.stub / "bin/pyzpack")
        self.describe_host()
        self.environment = {
            "HOME": f"{self.place}/home",
            "PATH": "/usr/bin:/bin",
            "TMPDIR": f"{self.place}/tmp",
            "NIX_CONF_DIR": f"{self.place}/conf",
        }
        settings = (ROOT / "testdata/nix/nix.conf").read_text()
        if in_place:
            # Its paths are where it is, so that what was built can be run without a sandbox too.
            self.environment["NIX_STORE_DIR"] = f"{self.place}/store"
            for name in ("STATE", "LOG", "LOCALSTATE"):
                self.environment[f"NIX_{name}_DIR"] = f"{self.place}/var/{name.lower()}"
        else:
            self.environment["NIX_REMOTE"] = f"{self.place}/store"
        if not sandbox:
            settings = settings.replace("sandbox = true", "sandbox = false")
        (self.place / "conf/nix.conf").write_text(settings)
        self.hand_over()

    def describe_host(self) -> None:
        """Tell the stub what /usr/bin/python3 and the C library are."""
        facts = "import json, platform; print(json.dumps([platform.python_version(), *platform.libc_ver()]))"
        found = subprocess.run(["/usr/bin/python3", "-I", "-c", facts], capture_output=True, text=True, check=True)
        version, libc, libc_version = json.loads(found.stdout)
        (self.stub / "host.nix").write_text(
            f'{{ pythonVersion = "{version}"; libc = "{libc or "musl"}"; libcVersion = "{libc_version}"; }}\n'
        )

    def hand_over(self) -> None:
        """Give everything to the user that Nix runs as."""
        if os.geteuid() == 0:
            subprocess.run(["chown", "-hR", f"{NOBODY}:{NOBODY}", self.place], check=True)

    def run(self, *command: str | Path, **changes: str) -> Outcome:
        """Run a command as the ordinary user, in an environment of four variables."""
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
        environment = [f"{name}={value}" for name, value in (self.environment | changes).items()]
        ran = subprocess.run(
            [*user, "env", "-i", *environment, *command],
            capture_output=True,
            text=True,
            cwd=self.place / "home",
            stdin=subprocess.DEVNULL,
            timeout=600,
        )
        return Outcome(ran.returncode, ran.stdout, re.sub(r"\x1b\[[0-9;]*m", "", ran.stderr).replace("\r", ""))

    def nix(self, *command: str | Path, **changes: str) -> str:
        """Run a command that has to succeed; its standard output."""
        outcome = self.run(*command, **changes)
        assert outcome.status == 0, f"{command}\n{outcome.output}\n{outcome.log}"
        return outcome.output

    def flake_command(self, *command: str) -> list[str]:
        """A `nix` command on the flake, with the stub as its nixpkgs."""
        return ["nix", *command, "--override-input", "nixpkgs", f"path:{self.stub}", "--no-write-lock-file"]

    def source(self, name: str, files: dict[str, str | bytes]) -> Path:
        """Write a directory of sources."""
        for file, content in files.items():
            path = self.place / "sources" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.hand_over()
        return self.place / "sources" / name

    def expression(self, attributes: str, source: Path) -> str:
        """A derivation as a user writes it, with the hook and Python alone."""
        return f"""
            let pkgs = import {self.stub} {{ overlays = [ (import {self.flake}/nix/overlay.nix) ]; }}; in with pkgs;
            stdenv.mkDerivation ({{
              pname = "plain";
              version = "1.0";
              src = {source};
              nativeBuildInputs = [ pyzpackHook python3 ];
            }} // {{ {attributes} }})"""

    def try_hook(self, attributes: str = "", source: Path | None = None) -> Outcome:
        """Build a derivation with the hook."""
        source = source or self.source("plain", PLAIN)
        return self.run("nix-build", "--no-out-link", "-E", self.expression(attributes, source))

    def hook(self, attributes: str = "", source: Path | None = None) -> Built:
        """Build a derivation with the hook, which has to succeed."""
        outcome = self.try_hook(attributes, source)
        assert outcome.status == 0, outcome.log
        return Built(self.real(outcome.output.strip()), outcome.log)

    def real(self, path: str) -> Path:
        """Where a store path is on this machine."""
        return Path(f"{self.place}/store{path}") if "NIX_REMOTE" in self.environment else Path(path)

    def pyzpack(self, *arguments: str | Path, directory: Path, **changes: str) -> str:
        """Run the same binary outside of Nix, in a directory that it may write to."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": f"{self.place}/home", **changes}
        ran = subprocess.run(
            [PYZPACK, *arguments], capture_output=True, text=True, cwd=directory, env=environment, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def remove(self) -> None:
        subprocess.run(["chmod", "-R", "u+w", self.place], check=False)
        shutil.rmtree(self.place, ignore_errors=True)


@dataclass
class Built:
    """What a derivation made."""

    path: Path
    log: str

    def files(self) -> dict[str, str]:
        """Every file with its mode, every link with where it leads."""
        return {
            str(path.relative_to(self.path)): f"-> {path.readlink()}"
            if path.is_symlink()
            else f"{path.stat().st_mode & 0o777:o}"
            for path in sorted(self.path.rglob("*"))
            if path.is_symlink() or not path.is_dir()
        }

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def digest(self, name: str = "share/pyzpack/plain.pyz") -> str:
        return sha256(self.read(name)).hexdigest()


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.remove()


@pytest.fixture(scope="session")
def lab_in_place() -> Iterator[Lab]:
    """A laboratory with a sandbox, in which paths of the store are those of the host."""
    lab = Lab(in_place=True)
    yield lab
    lab.remove()


@pytest.fixture(scope="session")
def open_lab() -> Iterator[Lab]:
    """A laboratory without a sandbox: builders see the host's files, and another store's name."""
    lab = Lab(sandbox=False, in_place=True)
    yield lab
    lab.remove()


@pytest.fixture(scope="session")
def outside(lab: Lab) -> Path:
    """PLAIN, packed outside of Nix; where it lies."""
    place = Path(tempfile.mkdtemp(prefix="pyzpack-outside-"))
    for name, content in PLAIN.items():
        (place / name).write_text(content)
    lab.pyzpack("build", "--offline", "-o", "plain.pyz", directory=place)
    yield place
    shutil.rmtree(place)


SYSTEM = f"{platform.machine()}-linux"
