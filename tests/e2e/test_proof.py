"""`scripts/proof`: what its table says is what `reproduce` found, of the applications and the locks that are here."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
from conftest import PYZPACK, ROOT

DATA = ROOT / "testdata/proof"
APPLICATIONS = tomllib.loads((DATA / "applications.toml").read_text())


def versions(name: str) -> dict[str, str]:
    packages = tomllib.loads((DATA / f"pylock.{name}.toml").read_text())["packages"]
    return {package["name"]: package["version"] for package in packages}


def test_the_table_is_of_these_locks() -> None:
    rows = re.findall(r"^\| (\S+) (\S+) \|", (DATA / "README.md").read_text(), re.MULTILINE)
    program = {name: re.split(r"[\[=]", given["requirement"])[0] for name, given in APPLICATIONS.items()}
    assert rows == [(name, versions(name)[program[name]]) for name in APPLICATIONS]
    assert len(rows) >= 25
    assert {path.name for path in DATA.glob("pylock.*")} == {f"pylock.{name}.toml" for name in APPLICATIONS}


def test_sources_are_what_is_said_to_be_from_source() -> None:
    for name, given in APPLICATIONS.items():
        packages = tomllib.loads((DATA / f"pylock.{name}.toml").read_text())["packages"]
        sources = {package["name"] for package in packages if "wheels" not in package}
        wanted = set(given.get("sdists", []))
        assert sources == (set(versions(name)) if wanted == {"*"} else wanted), name


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """A copy of the script and of its data with the smallest application alone."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/proof", tmp_path / "scripts")
    data = tmp_path / "testdata/proof"
    data.mkdir(parents=True)
    shutil.copy(DATA / "pylock.cowsay-from-source.toml", data / "pylock.cowsay.toml")
    (data / "applications.toml").write_text(
        '[cowsay]\nrequirement = "cowsay"\nsdists = ["*"]\nrun = ["-t", "moo"]\nsays = "moo"\n'
    )
    (data / "README.md").write_text("before\n<!-- scripts/proof --write: from here -->\n<!-- to here -->\nafter\n")
    return tmp_path


def prove(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, place / "scripts/proof", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYZPACK_BIN": str(PYZPACK)},
    )


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_application_is_proved(proof: Path) -> None:
    done = prove(proof, "--condition", "umask,mtimes", "--write", "--json", str(proof / "report.json"))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"cowsay: differs by nothing of 2 conditions, \d+ s\n", done.stderr)
    version = versions("cowsay-from-source")["cowsay"]
    head, _, table = done.stdout.partition("\n\n")
    assert head.startswith(
        "1 of 1 applications are the same under all conditions that were tried; "
        "2 of 2 pairs of application and condition, 4 builds. pyzpack 0.1.0, cc"
    )
    assert table == (
        "| application | what it is | builds | mtimes | umask |\n"
        "|---|---|---|---|---|\n"
        f"| cowsay {version} | 1 distribution, 1 from source | 4 | = | = |\n"
    )
    written = (proof / "testdata/proof/README.md").read_text()
    assert written == (f"before\n<!-- scripts/proof --write: from here -->\n\n{done.stdout}\n<!-- to here -->\nafter\n")
    report = json.loads((proof / "report.json").read_text())["cowsay"]
    assert (report["same"], [found["outcome"] for found in report["conditions"]]) == (True, ["same", "same"])

    # Said to differ where it does not, it is no proof of what was said.
    data = proof / "testdata/proof"
    change(data / "applications.toml", "[cowsay]\n", '[cowsay]\ndiffers = { umask = "for no reason" }\n')
    assert prove(proof, "--condition", "umask").returncode == 1

    # It says something else when it is started.
    change(data / "applications.toml", 'says = "moo"', 'says = "oink"')
    done = prove(proof, "--condition", "umask")
    assert done.returncode == 1
    assert "\n- does not start: ___: cowsay\n" in done.stdout


def test_a_file_is_what_the_lock_says(proof: Path) -> None:
    lock = proof / "testdata/proof/pylock.cowsay.toml"
    (digest,) = {package["sdist"]["hashes"]["sha256"] for package in tomllib.loads(lock.read_text())["packages"]}
    change(lock, digest, digest[:-1] + ("0" if digest[-1] != "0" else "1"))
    done = prove(proof)
    name = f"cowsay-{versions('cowsay-from-source')['cowsay']}.tar.gz"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"proof: {lock}: the index has no {name} with this sha256\n"


def test_the_table_tells_what_is_not_the_same() -> None:
    loader = importlib.machinery.SourceFileLoader("proof", str(ROOT / "scripts/proof"))
    spec = importlib.util.spec_from_loader("proof", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules["proof"] = module
    sys.path.insert(0, str(ROOT / "scripts"))
    loader.exec_module(module)
    conditions = [
        {"condition": "umask", "outcome": "differs", "value": "0077"},
        {"condition": "clock", "outcome": "fails", "value": "", "reason": "it is late"},
        {"condition": "python", "outcome": "not-tried", "value": "", "reason": f"there is `{module.PLACE}/a/x`\nalone"},
        {"condition": "home", "outcome": "same", "value": ""},
    ]
    application = module.Application("a", "tool", (), "tool", (), "", {"umask": "known"})
    lock = {"packages": [{"name": "tool", "version": "2", "wheels": [{"name": "tool-2-cp311-cp311-linux_x86_64.whl"}]}]}
    outcomes = {one["condition"]: one["outcome"] for one in conditions}
    found = module.Proof(application, lock, outcomes, {"builds": 7, "conditions": conditions})
    assert module.table([found]) == [
        "| application | what it is | builds | umask | clock | python | home |",
        "|---|---|---|---|---|---|---|",
        "| a 2 | 1 distribution, 1 native | 7 | **X** | **F** | - | = |",
        "",
        "- `umask` changes it (known): a",
        "- `clock` changes it (which was not expected): a",
        "- `python` not tried (there is `x`): a",
    ]
    assert module.summary([found]) == (
        "0 of 1 applications are the same under all conditions that were tried; "
        "1 of 3 pairs of application and condition, 7 builds."
    )
    assert not found.as_expected()
    found.application.differs["clock"] = "known too"
    assert found.as_expected()
    found.problem = "does not start"
    assert not found.as_expected()


def test_an_unknown_application_is_refused(proof: Path) -> None:
    done = prove(proof, "oxen")
    assert done.returncode == 2
    assert done.stderr.endswith("proof: error: no such application: oxen; there are cowsay\n")
