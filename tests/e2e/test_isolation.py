"""What a build reaches for and gives away: no socket offline, no write elsewhere, no credential in any file."""

from __future__ import annotations

import base64
import os
import re
import zipfile
from pathlib import Path

import pytest
from conftest import HELLO, Pyzpack, needs
from index import serve
from wheels import make_project, make_wheel

USER, SECRET = "planted-user", "pl4nted-s3cret"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_wheel(tmp_path / "wheels", "helper", files={"helper.py": ""})
    return make_project(
        tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"}, requires=["helper"]
    )


def traced(tmp_path: Path, calls: str) -> tuple[list[str | Path], Path]:
    log = tmp_path / "strace.log"
    return [needs("strace"), "-f", "-qq", "-y", "-s", "4096", "-e", f"trace={calls}", "-o", log], log


def test_offline_opens_no_internet_socket(pyzpack: Pyzpack, project: Path, tmp_path: Path):
    wrapper, log = traced(tmp_path, "socket")
    pyzpack.build(
        project, "--find-links", tmp_path / "wheels", output=tmp_path / "tool.pyz", wrapper=wrapper, HOME=None
    )
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line] == []


def test_the_trace_would_have_shown_a_socket(pyzpack: Pyzpack, project: Path, tmp_path: Path):
    wrapper, log = traced(tmp_path, "socket")
    with serve(tmp_path / "wheels") as index:
        arguments = ["build", project, "--index-url", index.url, "--python", pyzpack.python]
        done = pyzpack.run(*arguments, "-o", tmp_path / "tool.pyz", wrapper=wrapper)
    assert done.returncode == 0, done.stderr
    assert "AF_INET" in log.read_text()


WRITING = re.compile(r'open(?:at)?\((?:AT_FDCWD<([^>]*)>, )?"([^"]+)", [^)]*O_(?:WRONLY|RDWR|CREAT)[^)]*\) = \d')
MAKING = re.compile(r'(?:mkdir|mkdirat|rename|renameat2?|symlink|symlinkat|link|linkat)\(.*"([^"]+)"[^"]*\) = 0')


def test_writes_only_output_cache_and_temporary_directory(pyzpack: Pyzpack, project: Path, tmp_path: Path):
    wrapper, log = traced(tmp_path, "%file")
    output = tmp_path / "out/tool.pyz"
    output.parent.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    pyzpack.build(project, "--find-links", tmp_path / "wheels", output=output, wrapper=wrapper, HOME=home)
    allowed = [output.parent, pyzpack.cache, pyzpack.temporary, Path("/dev")]
    written = [Path(match[1] or "/", match[2]) for match in WRITING.finditer(log.read_text())]
    written += [Path(match[1]) for match in MAKING.finditer(log.read_text()) if match[1].startswith("/")]
    assert written, "the trace shows no write at all: it proves nothing"
    elsewhere = {path for path in written if not any(path.is_relative_to(directory) for directory in allowed)}
    assert {path for path in elsewhere if not str(path).startswith("/proc/")} == set()


@pytest.mark.parametrize("option", ["--index-url", "--extra-index-url"])
def test_no_credential_in_any_file_or_message(pyzpack: Pyzpack, project: Path, tmp_path: Path, option: str):
    output = tmp_path / "out/tool.pyz"
    output.parent.mkdir()
    (tmp_path / "empty").mkdir()
    with serve(tmp_path / "wheels", credential=f"{USER}:{SECRET}") as index, serve(tmp_path / "empty") as empty:
        base = ["build", project, option, index.url, "--python", pyzpack.python, "-o", output]
        if option == "--extra-index-url":
            base += ["--index-url", empty.url]
        good = pyzpack.run(*base, "-v", "--json")
        assert good.returncode == 0, good.stderr
        assert any(path.startswith("/files/helper") for path in index.requests), "the credential was not needed"
        (project / "pyproject.toml").write_text(
            (project / "pyproject.toml").read_text().replace('"helper"', '"helper", "absent"')
        )
        bad = pyzpack.run(*base, "-v")
        assert bad.returncode != 0
    down = pyzpack.run(*base, "-v")
    assert down.returncode != 0

    texts = {f"{name} of run {number}": text.encode() for number, run in enumerate([good, bad, down])
             for name, text in [("stdout", run.stdout), ("stderr", run.stderr)]}  # fmt: skip
    for directory in (output.parent, pyzpack.cache, pyzpack.temporary):
        for path in directory.rglob("*"):
            if path.is_file():
                texts[str(path)] = path.read_bytes()
    with zipfile.ZipFile(output) as archive:
        texts.update({f"entry {name}": archive.read(name) for name in archive.namelist()})
    encoded = base64.b64encode(f"{USER}:{SECRET}".encode())
    leaks = [name for name, text in texts.items() if SECRET.encode() in text or encoded in text]
    assert leaks == []


@pytest.mark.parametrize("verb", ["build", "plan", "lock"])
@pytest.mark.parametrize("resolver", ["uv", "pip"])
def test_verbose_names_what_configures_the_resolver_and_no_value(
    pyzpack: Pyzpack, tmp_path: Path, resolver: str, verb: str
):
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "hello", version, files=HELLO, scripts={"hello": "hello:main"})
    home, work = tmp_path / "home", tmp_path / "work/below"
    files = {
        "netrc": (home / ".netrc", f"machine a.example login {USER} password {SECRET}\n"),
        "uv user": (home / ".config/uv/uv.toml", "offline = false\n"),
        "uv project": (work.parent / "pyproject.toml", "[tool.uv]\n"),
        "not uv": (work / "pyproject.toml", "[tool.other]\n"),
        "pip user": (
            home / ".config/pip/pip.conf",
            f"[global]\nextra-index-url = https://{USER}:{SECRET}@a.example/\n",
        ),
    }
    for path, text in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (home / ".netrc").chmod(0o600)
    unset = dict.fromkeys(name for name in os.environ if re.search("PROXY|CERT|BUNDLE|NETRC|KEYRING", name, re.I))
    changes: dict[str, str | Path | None] = {**unset, "HOME": home, "PIP_RETRIES": "0"}
    changes |= {"NO_PROXY": f"{SECRET}.example", "UV_HTTP_TIMEOUT": "9", "PIP_TARGET": "x"}
    changes |= {"PATH": "/usr/bin:/bin"} if resolver == "pip" else {}
    arguments = [verb, "hello", "--no-index", "--find-links", tmp_path / "wheels", "--python", pyzpack.python]
    arguments += {"build": ["-o", tmp_path / "t.pyz"], "lock": ["-o", tmp_path / "pylock.toml"]}.get(verb, [])
    done = pyzpack.run(*arguments, "-v", cwd=work, **changes)
    assert done.returncode == 0, done.stderr
    own = {"uv": ["UV_HTTP_TIMEOUT"], "pip": ["PIP_RETRIES"]}[resolver]
    system = {"uv": ["/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"], "pip": ["/etc/xdg/pip/pip.conf", "/etc/pip.conf"]}
    system = [path for path in system[resolver] if Path(path).exists()]
    found = {name: str(path) for name, (path, _) in files.items()}
    paths = {
        "uv": [found["uv project"], found["uv user"], *system],
        "pip": [*system, found["pip user"]],
    }[resolver]
    expected = ", ".join(["NO_PROXY", *own, *paths, found["netrc"]])
    told = [line for line in done.stderr.splitlines() if " configured by " in line]
    assert told == [f"{resolver} is configured by {expected}"]
    assert SECRET not in done.stdout + done.stderr
    quiet = pyzpack.run(*arguments, cwd=work, **changes)
    assert "configured by" not in quiet.stderr
