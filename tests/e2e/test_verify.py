"""`pyzpack verify` on the command line: whole outputs, exit statuses, files of others, and that nothing is run."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from conftest import TOOLS, Pyzpack, clean_environment, needs
from signers import key_id, sign_with_securesystemslib, sign_with_sigstore
from wheels import make_wheel

SKIPPED = {
    "sha256": "no `--sha256` was given",
    "checksums": "no `--checksums` was given",
    "signature": "no `--key` was given",
    **dict.fromkeys(
        ["statement", "subject", "predicate", "provenance", "builder"], "nothing is signed by a key that was given"
    ),
    "sbom": "no `--sbom` was given",
    "lock": "no `--lock` was given",
}


@pytest.fixture
def app(pyzpack: Pyzpack, hello: Path, tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return pyzpack.build(hello, "--layout", "extract", output=tmp_path / "out/hello.pyz")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def expected(app: Path, *end: str, **found: str) -> str:
    """The whole text for a good file, but for what `found` says of a check."""
    ok = {
        "file": f"{app.stat().st_size} bytes, sha256 {digest(app)}",
        "container": "format 1, 16 entries, and 5 in a payload",
        "manifest": "hello 1.0, 5 files as it says, and no others",
        "bootstrap": "that of pyzpack 0.1.0, starts hello:main",
        "records": "1 with 4 rows, as they say, and no others",
        "wheels": "1 in the manifest, and their metadata inside",
    }
    lines = [(name, "ok", text) for name, text in ok.items()]
    lines += [(name, "ok" if name in found else "skipped", found.get(name, text)) for name, text in SKIPPED.items()]
    lines.append(("unchanged", "ok", "the file is the one that was opened"))
    return "".join(f"{name:<10}  {state:<7}  {text}\n" for name, state, text in lines) + "".join(f"{e}\n" for e in end)


def test_says_what_it_could_check_and_never_passes_by_itself(pyzpack: Pyzpack, app: Path):
    done = pyzpack.run("verify", app)
    problem = "nothing was named to trust: no problem was found, and anybody could have made this file"
    hint = "name a reason to trust it: `--key PUB`, `--sha256 HEX` or `--checksums FILE`"
    end = [f"problem: untrusted: {problem}", f"   hint: {hint}", "FAILED untrusted"]
    assert (done.returncode, done.stdout, done.stderr) == (1, expected(app, *end), "")


def test_passes_for_a_digest(pyzpack: Pyzpack, app: Path):
    for spelled in [digest(app), digest(app).upper()]:
        done = pyzpack.run("verify", app, "--sha256", spelled)
        text = expected(app, "PASSED", sha256="it is the one that was given")
        assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    done = pyzpack.run("verify", app, "--sha256", "0" * 64)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED sha256-differs")


def test_passes_for_what_sha256sum_wrote(pyzpack: Pyzpack, app: Path):
    done = pyzpack.run("verify", app, "--checksums", app.parent / "SHA256SUMS")
    assert (done.returncode, done.stdout) == (0, expected(app, "PASSED", checksums="line 1 has it"))
    for options in [[], ["--binary"], ["--text"]]:
        written = subprocess.run(["sha256sum", *options, app], capture_output=True, check=True).stdout
        sums = app.parent / "sums"
        sums.write_bytes(b"# comment\n" + b"0" * 64 + b"  other.pyz\n" + written)
        assert pyzpack.run("verify", app, "--checksums", sums).returncode == 0
        assert pyzpack.run("verify", app, "--checksums", sums, "--sha256", "0" * 64).returncode == 1
    odd = app.parent / "o\\d\nd.pyz"
    shutil.copy(app, odd)
    written = subprocess.run(["sha256sum", odd.name], cwd=app.parent, capture_output=True, check=True).stdout
    (app.parent / "sums").write_bytes(written)
    assert pyzpack.run("verify", odd, "--checksums", app.parent / "sums").returncode == 0


def test_json_has_everything_and_nothing_else_is_said(pyzpack: Pyzpack, app: Path):
    with app.open("ab") as file:
        file.write(b"\0")
    done = pyzpack.run("verify", app, "--json", "--sha256", "0" * 64)
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert list(report) == ["checks", "code", "file", "problems", "result", "sha256"]
    assert (report["result"], report["code"], report["sha256"]) == ("FAILED", "zip-end-record", digest(app))
    assert [check["check"] for check in report["checks"]][:3] == ["file", "container", "manifest"]
    assert [sorted(problem) for problem in report["problems"]] == [["code", "hint", "message", "what"]] * 2
    assert [problem["code"] for problem in report["problems"]] == ["zip-end-record", "sha256-differs"]


def test_problems_are_listed_with_hints(pyzpack: Pyzpack, app: Path):
    old = digest(app)
    app.write_bytes(app.read_bytes()[:-1])
    done = pyzpack.run("verify", app, "--sha256", old)
    assert done.stdout.splitlines()[-5:] == [
        "problem: zip-end-record: no end-of-central-directory record at the very end (truncated, or something was "
        "appended)",
        "   hint: do not run it: fetch the file again, from where it was released",
        f"problem: sha256-differs: sha256: expected {old}, found {digest(app)}",
        "   hint: do not run it: it is not the file that was meant",
        "FAILED zip-end-record",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nope.pyz"], 2, "error: no such file: `nope.pyz`"),
        (["APP", "--key", "nope.pub"], 2, "error: no such file: `nope.pub`"),
        (["APP", "--checksums", "."], 2, "error: not a file: `.`"),
        (["APP", "--lock", "nope.lock"], 2, "error: `nope.lock` is no lock file that is known by its name"),
        (["APP", "--sha256", "abc"], 2, "error: invalid value 'abc' for '--sha256 <HEX>'"),
        (["APP", "--expect-builder", "https://x.example/b"], 2, "error: the following required arguments"),
        (["APP", "--predicate-type", "https://x.example/b"], 2, "error: the following required arguments"),
        (["--explain", "nope"], 2, "error: unknown code `nope`"),
        (["--explain", "untrusted", "APP"], 2, "error: the argument '--explain [<CODE>]' cannot be used"),
        ([], 2, "error: the following required arguments were not provided"),
    ],
)
def test_usage_is_no_answer(pyzpack: Pyzpack, app: Path, arguments: list[str], status: int, message: str):
    done = pyzpack.run("verify", *[str(app) if argument == "APP" else argument for argument in arguments])
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(message), done.stderr


def test_what_cannot_be_read_is_the_machines_fault(pyzpack: Pyzpack, app: Path):
    done = pyzpack.run("verify", app, "--key", "/proc/self/mem")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: cannot read `/proc/self/mem`: ")


def test_a_link_is_refused_with_its_target(pyzpack: Pyzpack, app: Path):
    link = app.parent / "link.pyz"
    link.symlink_to(app)
    done = pyzpack.run("verify", link, "--sha256", digest(app))
    assert (done.returncode, done.stdout) == (
        1,
        f"file  failed   1 problem: file-symlink\nproblem: file-symlink: it is a symbolic link to `{app}`\n"
        f"   hint: verify the file itself: `{app}`\nFAILED file-symlink\n",
    )


def test_codes_are_explained(pyzpack: Pyzpack):
    done = pyzpack.run("verify", "--explain", "untrusted")
    assert (done.returncode, done.stdout) == (
        0,
        "untrusted: nothing was named that would tell who made the file\n"
        "hint: name a reason to trust it: `--key PUB`, `--sha256 HEX` or `--checksums FILE`\n",
    )
    table = pyzpack.run("verify", "--explain")
    assert table.returncode == 0
    codes = [line.split()[0] for line in table.stdout.splitlines()]
    assert codes[0] == "file-symlink"
    assert codes[-1] == "untrusted"
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("key_type", ["p256", "ed25519"])
def test_passes_for_what_pyzpack_signed(pyzpack: Pyzpack, app: Path, key_type: str):
    key, public = app.parent / "key", app.parent / "key.pub"
    assert pyzpack.run("keygen", "--type", key_type, key).returncode == 0
    signed = pyzpack.run("sign", app, "--key", key, "--sbom")
    assert signed.returncode == 0, signed.stderr
    done = pyzpack.run("verify", app, "--key", public)
    provenance = "https://slsa.dev/provenance/v1"
    text = expected(
        app,
        "PASSED",
        signature="`hello.pyz.sigstore.json` by `key.pub`",
        statement="1 read",
        subject="it is this file",
        predicate=provenance,
        provenance="it says of the file what the file says of itself",
    ).replace(
        "builder     skipped  nothing is signed by a key that was given",
        "builder     skipped  no `--expect-builder` was given; the provenance names https://pyzpack.dev/local/v1",
    )
    # An SBOM's bundle is not taken unasked, and that is said.
    unread = "; `hello.pyz.cdx.sigstore.json` was not read: name it with `--bundle`"
    text = text.replace("no `--sbom` was given", f"no `--sbom` was given{unread}")
    assert (done.returncode, done.stdout, done.stderr) == (0, text, "")
    both = ["--bundle", f"{app}.sigstore.json", "--bundle", f"{app}.cdx.sigstore.json"]
    done = pyzpack.run("verify", app, "--key", public, *both, "--expect-builder", "https://pyzpack.dev/local/v1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASSED")
    assert unread not in done.stdout
    done = pyzpack.run("verify", app, "--key", public, "--predicate-type", "https://cyclonedx.org/bom")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED statement-predicate-type")
    done = pyzpack.run("verify", app, "--key", key)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED key-private")
    assert "PRIVATE KEY-----" not in done.stdout.replace("`-----BEGIN PRIVATE KEY-----`", "")
    app.write_bytes(app.read_bytes().replace(b"#!/usr/bin/env python3", b"#!/usr/bin/env pythonX"))
    done = pyzpack.run("verify", app, "--key", public)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED manifest-differs")


def flip(text: str, at: int) -> str:
    """The same base64 with one bit of a byte in it changed."""
    data = bytearray(base64.b64decode(text))
    data[at] ^= 1
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("key_type", ["p256", "ed25519"])
def test_passes_for_what_others_signed(pyzpack: Pyzpack, app: Path, tmp_path: Path, key_type: str):
    """Envelopes by securesystemslib and bundles by @sigstore/sign, with a key by openssl."""
    algorithm = {"p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["ed25519"]}[key_type]
    private, public = tmp_path / "key", tmp_path / "key.pub"
    subprocess.run([needs("openssl"), "genpkey", "-algorithm", *algorithm, "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    statement, bundle = tmp_path / "statement.json", tmp_path / "bundle.json"
    assert pyzpack.run("provenance", app, "-o", statement).returncode == 0

    def last_line(document: dict) -> str:
        bundle.write_text(json.dumps(document))
        done = pyzpack.run("verify", app, "--key", public, "--bundle", bundle)
        line = done.stdout.splitlines()[-1]
        assert (done.returncode, done.stderr) == (int(line != "PASSED"), "")
        return line

    def tampered(document: dict) -> list[str]:
        envelope = document.get("dsseEnvelope", document)
        good = envelope["payload"]
        envelope["payload"] = flip(good, 30)
        lines = [last_line(document)]
        envelope["payload"] = good
        [signature] = envelope["signatures"]
        signature["sig"] = flip(signature["sig"], -1)
        return [*lines, last_line(document)]

    # Of another file, and signed as well.
    stray = tmp_path / "stray.json"
    digest_of_app = hashlib.sha256(app.read_bytes()).hexdigest()
    stray.write_text(statement.read_text().replace(digest_of_app, "0" * 64))
    for sign, code in (
        # It names keys by a rule of its own, so that the key seems to be another one where the signature does not fit.
        (lambda path: sign_with_securesystemslib(path.read_bytes(), private), "signature-other-key"),
        (lambda path: sign_with_sigstore(path, private, key_id(public)), "signature-wrong"),
        (lambda path: sign_with_sigstore(path, private), "signature-wrong"),
    ):
        assert last_line(sign(statement)) == "PASSED"
        assert tampered(sign(statement)) == [f"FAILED {code}"] * 2
        assert last_line(sign(stray)) == "FAILED statement-wrong-digest"


def test_a_file_that_is_replaced_meanwhile_is_noticed(pyzpack: Pyzpack, tmp_path: Path):
    """By the same bytes under the same name, so that nothing but the exchange can be told."""
    (tmp_path / "out").mkdir()
    files = {"hello.py": "def main(): pass\n", "large.txt": "text " * 2_000_000}
    wheel = make_wheel(tmp_path / "wheels", "hello", files=files, scripts={"hello": "hello:main"})
    app = pyzpack.build(wheel, output=tmp_path / "out/hello.pyz")
    command = ["verify", app, "--sha256", digest(app)]
    assert pyzpack.run(*command).stdout.splitlines()[-1] == "PASSED"
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            shutil.copy(app, app.with_suffix(".new"))
            os.replace(app.with_suffix(".new"), app)

    replacer = threading.Thread(target=replace)
    replacer.start()
    try:
        ends = set()
        for _ in range(50):
            answer = pyzpack.run(*command)
            ends.add((answer.returncode, answer.stdout.splitlines()[-1]))
            if (1, "FAILED file-replaced") in ends:
                break
    finally:
        done.set()
        replacer.join()
    # One that was faster than the exchange is right as well.
    assert ends - {(0, "PASSED")} == {(1, "FAILED file-replaced")}
    assert pyzpack.run(*command).stdout.splitlines()[-1] == "PASSED"


def canary(tmp_path: Path) -> tuple[Path, Path]:
    """A wheel that leaves a mark if any of it is run, and where the mark would be."""
    mark = tmp_path / "ran"
    evil = f"open({str(mark)!r}, 'w')\n"
    files = {"hello.py": evil + "def main(): pass\n", "evil.pth": "import hello\n", "sitecustomize.py": evil}
    return make_wheel(tmp_path / "evil", "hello", files=files, scripts={"hello": "hello:main"}), mark


def test_nothing_is_run_or_left_behind(pyzpack: Pyzpack, tmp_path: Path):
    wheel, mark = canary(tmp_path)
    (tmp_path / "out").mkdir()
    app = pyzpack.build(wheel, output=tmp_path / "out/hello.pyz")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    strace = [needs("strace"), "-f", "-qq", "-e", "trace=execve,socket,openat", "-o", tmp_path / "trace"]
    done = pyzpack.run("verify", app, "--sha256", digest(app), wrapper=strace)
    assert done.returncode == 0, done.stdout
    calls = (tmp_path / "trace").read_text().splitlines()
    assert sum("execve(" in call for call in calls) == 1
    assert not any("socket(" in call for call in calls)
    assert not any("O_CREAT" in call or "O_WRONLY" in call or "O_RDWR" in call for call in calls)
    assert sum(f'"{app}"' in call for call in calls if "openat(" in call) == 1
    after = sorted(str(path) for path in tmp_path.rglob("*"))
    assert [path for path in after if path != str(tmp_path / "trace")] == before
    assert not mark.exists()


@pytest.fixture(params=["zipapp", "shiv", "pex"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A program by another tool, and what it seems to be."""
    wheel, mark = canary(tmp_path)
    out, tool = tmp_path / f"foreign-{request.param}.pyz", request.param
    environment = clean_environment(PEX_ROOT=tmp_path / "pex")
    if tool == "zipapp":
        source = tmp_path / "source"
        zipfile.ZipFile(wheel).extractall(source)
        command = ["python3", "-m", "zipapp", source, "-o", out, "-p", "/usr/bin/env python3", "-m", "hello:main"]
        kind = "a Python zip application, of no tool that is known by its files"
    elif tool == "shiv":
        command = [TOOLS / "shiv", "-c", "hello", "-o", out, "--no-index", "--find-links", wheel.parent, "hello"]
        kind = "a shiv application"
    else:
        command = [TOOLS / "pex", "--no-pypi", "-f", wheel.parent, "hello", "-c", "hello", "-o", out]
        kind = "a pex"
    made = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    mark.unlink(missing_ok=True)
    return out, kind


def test_a_file_of_another_tool_gets_a_partial_answer(pyzpack: Pyzpack, foreign: tuple[Path, str], tmp_path: Path):
    file, kind = foreign
    done = pyzpack.run("verify", file, "--json")
    report = json.loads(done.stdout)
    checks = {check["check"]: (check["state"], check["found"]) for check in report["checks"]}
    assert (done.returncode, report["code"]) == (1, "untrusted")
    assert checks["container"][0] == "ok"
    assert checks["container"][1].startswith(f"not of pyzpack: it seems to be {kind}, ")
    assert checks["manifest"] == ("skipped", "there is none: the file does not say what it should hold")
    assert checks["records"][0] == "ok"
    done = pyzpack.run("verify", file, "--sha256", digest(file))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASSED")
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"hello==1.0 --hash=sha256:{'0' * 64}\n")
    done = pyzpack.run("verify", file, "--sha256", digest(file), "--lock", lock)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED manifest-missing")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("layout", ["zip", "extract"])
def test_a_compiled_main_module_does_not_start_instead(pyzpack: Pyzpack, tmp_path: Path, layout: str):
    """zipimport runs a `__main__.pyc` that matches no source rather than `__main__.py`."""
    code = marshal.dumps(compile("print('evil')", "__main__.py", "exec"))
    compiled = importlib.util.MAGIC_NUMBER + b"\1\0\0\0" + bytes(8) + code
    files = {"hello.py": "def main(): print('honest')\n", "__main__.pyc": compiled}
    wheel = make_wheel(tmp_path / "wheel", "hello", files=files, scripts={"hello": "hello:main"})
    out = tmp_path / "hello.pyz"
    done = pyzpack.run("build", wheel, "--layout", layout, "-o", out)
    if layout == "zip":
        assert (done.returncode, out.exists()) == (1, False)
        assert done.stderr.startswith("error: `hello` brings `__main__.pyc`, which the archive itself needs\n")
    else:
        assert done.returncode == 0, done.stderr
        assert subprocess.check_output([sys.executable, out], env=clean_environment(HOME=tmp_path)) == b"honest\n"


def test_a_pipe_in_place_of_the_bundle_is_not_waited_for(pyzpack: Pyzpack, app: Path):
    assert pyzpack.run("keygen", app.parent / "key").returncode == 0
    pipe = Path(f"{app}.sigstore.json")
    os.mkfifo(pipe)
    done = pyzpack.run("verify", app, "--key", app.parent / "key.pub", wrapper=[needs("timeout"), "20"])
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: not a file: `{pipe}`\n")
