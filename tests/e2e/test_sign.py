"""`keygen` and `sign`, as others see what they write; and what `sign` refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
import rfc8785
from conftest import ROOT, Pyzpack, needs
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.exceptions import VerificationError
from signers import key_id, verify_with_openssl, verify_with_securesystemslib, verify_with_sigstore

TYPES = ["p256", "ed25519"]
NAMES = {"p256": "ECDSA P-256", "ed25519": "Ed25519"}


@pytest.fixture
def pyz(pyzpack: Pyzpack, hello: Path, tmp_path: Path) -> Path:
    return pyzpack.build(hello, "--evidence", "none", output=tmp_path / "out/hello.pyz")


@pytest.fixture(autouse=True)
def out(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    return directory


def make_key(pyzpack: Pyzpack, path: Path, key_type: str = "p256") -> Path:
    done = pyzpack.run("keygen", "--type", key_type, path)
    assert done.returncode == 0, done.stderr
    return path


def public_of(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def sign(pyzpack: Pyzpack, pyz: Path, key: Path | str, *options: str | Path, **changes) -> str:
    done = pyzpack.run("sign", pyz, "--key", key, *options, **changes)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("key_type", TYPES)
def test_keys_are_others_keys_too(pyzpack: Pyzpack, tmp_path: Path, key_type: str) -> None:
    key = tmp_path / "release.key"
    done = pyzpack.run("keygen", "--type", key_type, key)
    public = public_of(key)
    assert done.stdout == f"{key}, {public}: {NAMES[key_type]} key {key_id(public)}\n"
    openssl = needs("openssl")

    def run(*arguments: str | Path) -> str:
        return subprocess.run([openssl, *arguments], capture_output=True, text=True, check=True).stdout

    assert run("pkey", "-in", key, "-pubout") == public.read_text()
    # What openssl writes of the key is what we wrote: there is one form.
    assert run("pkey", "-in", key) == key.read_text()
    assert "BEGIN" not in done.stdout + done.stderr


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_the_private_key_is_for_its_owner_alone(pyzpack: Pyzpack, tmp_path: Path, umask: int) -> None:
    key = tmp_path / "keys/release.key"
    key.parent.mkdir()
    done = subprocess.run(
        pyzpack.command("keygen", key), env=pyzpack.environment(), umask=umask, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(public_of(key).stat().st_mode) == 0o644


def test_the_private_key_is_never_open_to_others(pyzpack: Pyzpack, tmp_path: Path) -> None:
    strace = needs("strace")
    trace = tmp_path / "trace"
    done = pyzpack.run(
        "keygen", tmp_path / "a.key", wrapper=[strace, "-f", "-e", "trace=openat,open,creat,fchmod,chmod", "-o", trace]
    )
    assert done.returncode == 0, done.stderr
    [opened] = [line for line in trace.read_text().splitlines() if ".a.key." in line and ".pub" not in line]
    assert "O_CREAT|O_EXCL" in opened or "O_EXCL|O_CREAT" in opened
    assert ", 0600)" in opened


def test_keys_are_never_overwritten(pyzpack: Pyzpack, tmp_path: Path) -> None:
    hint = "hint: name another file, or move this one away\n"
    for there in ("a.key", "a.key.pub"):
        directory = tmp_path / f"of {there}"
        directory.mkdir()
        (directory / there).write_text("mine")
        done = pyzpack.run("keygen", directory / "a.key")
        message = f"error: `{directory / there}` exists, and no key is overwritten\n{hint}"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
        assert names(directory) == [there]
        assert (directory / there).read_text() == "mine"
    (tmp_path / "link.key").symlink_to(tmp_path / "elsewhere")
    assert pyzpack.run("keygen", tmp_path / "link.key").returncode == 2
    assert not (tmp_path / "elsewhere").exists()


def test_keys_that_cannot_be_written_leave_nothing(pyzpack: Pyzpack, tmp_path: Path) -> None:
    missing = tmp_path / "missing/a.key"
    done = pyzpack.run("keygen", missing)
    message = f"error: the directory of `{missing}` is missing\nhint: make it first: `mkdir -m 700 DIRECTORY`\n"
    assert (done.returncode, done.stderr) == (3, message)
    long = tmp_path / "long" / ("k" * 255)
    long.parent.mkdir()
    done = pyzpack.run("keygen", long)
    assert (done.returncode, names(long.parent)) == (3, [])
    assert done.stderr.startswith(f"error: cannot write `{long}`: ")


@pytest.mark.parametrize("key_type", TYPES)
def test_others_verify_what_was_signed(pyzpack: Pyzpack, pyz: Path, tmp_path: Path, key_type: str) -> None:
    key = make_key(pyzpack, tmp_path / "a.key", key_type)
    public = public_of(key)
    before = pyz.read_bytes()
    said = sign(pyzpack, pyz, key)
    path = pyz.with_name("hello.pyz.sigstore.json")
    assert said == f"{path}: provenance, signed with {NAMES[key_type]} key {key_id(public)}\n"
    assert names(pyz.parent) == ["hello.pyz", "hello.pyz.sigstore.json"]
    assert pyz.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644

    text = path.read_bytes()
    bundle = json.loads(text)
    assert rfc8785.dumps(bundle) == text
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    material = {"publicKey": {"hint": key_id(public)}, "tlogEntries": []}
    assert bundle["verificationMaterial"] == material
    envelope = bundle["dsseEnvelope"]
    assert [signature["keyid"] for signature in envelope["signatures"]] == [key_id(public)]

    payload = verify_with_securesystemslib(envelope, public)
    assert verify_with_sigstore(path, public) == payload
    verify_with_openssl(envelope, public, tmp_path)

    statement = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(statement).validate()
    [subject] = statement.subject
    assert (subject.name, dict(subject.digest)) == ("hello.pyz", {"sha256": hashlib.sha256(before).hexdigest()})
    assert statement.predicate_type == "https://slsa.dev/provenance/v1"


@pytest.mark.parametrize("key_type", TYPES)
def test_others_refuse_what_was_changed(pyzpack: Pyzpack, pyz: Path, tmp_path: Path, key_type: str) -> None:
    """The checkers of the test above do check."""
    key, other = (make_key(pyzpack, tmp_path / name, key_type) for name in ("a.key", "b.key"))
    sign(pyzpack, pyz, key)
    path = pyz.with_name("hello.pyz.sigstore.json")
    bundle = json.loads(path.read_bytes())
    envelope = bundle["dsseEnvelope"]
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[20] ^= 1
    envelope["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(bundle))
    for public in (public_of(key), public_of(other)):
        with pytest.raises(VerificationError):
            verify_with_securesystemslib(envelope, public)
        with pytest.raises(AssertionError):
            verify_with_sigstore(path, public)
        with pytest.raises(AssertionError):
            verify_with_openssl(envelope, public, tmp_path)


@pytest.mark.parametrize("key_type", TYPES)
def test_the_readme_verifies_without_pyzpack(pyzpack: Pyzpack, pyz: Path, tmp_path: Path, key_type: str) -> None:
    needs("jq")
    section = (ROOT / "README.md").read_text().split("### Without pyzpack\n")[1]
    script = section.split("```sh\n")[1].split("```")[0]
    if key_type == "ed25519":
        [command] = re.findall(r"With an Ed25519 key: `(.*?)`", section)
        script = re.sub(r"^openssl .*$", command, script, flags=re.MULTILINE)
    pyz = pyz.replace(tmp_path / "hello.pyz")
    key = make_key(pyzpack, tmp_path / "release", key_type)
    sign(pyzpack, pyz, key)

    def run() -> int:
        return subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, check=False).returncode

    assert run() == 0
    whole = pyz.read_bytes()
    pyz.write_bytes(whole + b"\0")
    assert run() != 0
    pyz.write_bytes(whole)
    make_key(pyzpack, tmp_path / "other.key", key_type)
    public_of(tmp_path / "other.key").replace(public_of(key))
    assert run() != 0


def test_the_same_key_and_file_give_the_same_bytes(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    for key_type in TYPES:
        key = make_key(pyzpack, tmp_path / key_type, key_type)
        path = pyz.with_name("hello.pyz.sigstore.json")
        sign(pyzpack, pyz, key)
        first = path.read_bytes()
        sign(pyzpack, pyz, key, TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1700000000")
        assert path.read_bytes() == first
        # The key in a variable and on standard input is the same key.
        sign(pyzpack, pyz, "env:RELEASE", RELEASE=key.read_text())
        assert path.read_bytes() == first
        done = subprocess.run(
            pyzpack.command("sign", pyz, "--key", "-", "-o", tmp_path / "other.json"),
            env=pyzpack.environment(),
            input=key.read_bytes(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "other.json").read_bytes() == first


def test_an_envelope_and_the_sbom(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    key = make_key(pyzpack, tmp_path / "a.key")
    public = public_of(key)
    said = sign(pyzpack, pyz, key, "--sbom")
    signed = f"signed with ECDSA P-256 key {key_id(public)}"
    assert said == f"{pyz}.sigstore.json: provenance, {signed}\n{pyz}.cdx.sigstore.json: SBOM, {signed}\n"
    statement = json.loads(verify_with_sigstore(Path(f"{pyz}.cdx.sigstore.json"), public))
    sbom = pyzpack.run("sbom", pyz).stdout
    assert statement["predicateType"] == "https://cyclonedx.org/bom"
    assert statement["predicate"] == json.loads(sbom)
    assert statement["subject"] == [
        {"digest": {"sha256": hashlib.sha256(pyz.read_bytes()).hexdigest()}, "name": "hello.pyz"}
    ]
    sign(pyzpack, pyz, key, "--sbom", "--envelope")
    for bundle, envelope in ((".sigstore.json", ".dsse.json"), (".cdx.sigstore.json", ".cdx.dsse.json")):
        written = Path(f"{pyz}{envelope}").read_bytes()
        assert json.loads(Path(f"{pyz}{bundle}").read_bytes())["dsseEnvelope"] == json.loads(written)
        assert rfc8785.dumps(json.loads(written)) == written
        verify_with_securesystemslib(json.loads(written), public)
    # A new file of that name takes the old one's signatures away.
    pyzpack.build(pyzpack.temporary.parent / "wheels/hello-1.0-py3-none-any.whl", "--evidence", "none", output=pyz)
    assert names(pyz.parent) == ["hello.pyz"]


def payload_of(path: Path) -> bytes:
    return base64.b64decode(json.loads(path.read_bytes())["dsseEnvelope"]["payload"])


def test_the_statement_beside_the_file_is_what_is_signed(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    key = make_key(pyzpack, tmp_path / "a.key")
    bundle, beside = Path(f"{pyz}.sigstore.json"), Path(f"{pyz}.intoto.json")
    builder = "https://ci.example.org/release/v1"
    sign(pyzpack, pyz, key, "--builder-id", builder)
    statement = payload_of(bundle)
    assert json.loads(statement)["predicate"]["runDetails"]["builder"]["id"] == builder
    assert pyzpack.run("provenance", pyz, "--builder-id", builder).stdout.encode() == statement
    # The same statement, in another spelling: it is signed as it is.
    spelled = json.dumps(json.loads(statement), indent=1).encode()
    beside.write_bytes(spelled)
    sign(pyzpack, pyz, key)
    assert payload_of(bundle) == spelled
    signed = bundle.read_bytes()

    def refused(text: bytes, message: str, *options: str) -> None:
        beside.write_bytes(text)
        done = pyzpack.run("sign", pyz, "--key", key, *options)
        assert (done.returncode, done.stdout, done.stderr.splitlines()[0]) == (1, "", f"error: {message}")
        assert bundle.read_bytes() == signed

    def changed(pointer: str, value: object) -> bytes:
        document = json.loads(statement)
        *parents, last = pointer.split("/")
        place = document
        for name in parents:
            place = place[int(name) if isinstance(place, list) else name]
        place[last] = value
        return json.dumps(document).encode()

    digest, other = hashlib.sha256(pyz.read_bytes()).hexdigest(), "00" * 32
    refused(
        changed("subject/0/digest", {"sha256": other}),
        f"cannot sign `{beside}`: the statement is about a `hello.pyz` with sha256 {other}, found {digest} "
        "[statement-wrong-digest]",
    )
    refused(
        changed("predicateType", "https://example.org/x"),
        f"cannot sign `{beside}`: the statement's predicate type is `https://example.org/x`, expected "
        "`https://slsa.dev/provenance/v1` [statement-predicate-type]",
    )
    refused(
        changed("predicate/buildDefinition/internalParameters/layout", "extract"),
        f'cannot sign `{beside}`: `buildDefinition.internalParameters.layout` of the provenance is "extract", but '
        '"zip" in the file [provenance-differs]',
    )
    subjects = [*json.loads(statement)["subject"], {"name": "other.pyz", "digest": {"sha256": other}}]
    refused(
        changed("subject", subjects),
        f"cannot sign `{beside}`: it has 2 subjects, and only the file itself was looked at",
    )
    refused(
        b"",
        f"cannot sign `{beside}`: the statement cannot be read: "
        "it is not JSON: EOF while parsing a value at line 1 column 0 [statement-syntax]",
    )
    refused(
        statement,
        f"`{beside}` says something else than the options: "
        "builder `https://ci.example.org/release/v1`, expected `https://example.org/me`",
        "--builder-id",
        "https://example.org/me",
    )
    sbom = Path(f"{pyz}.cdx.json")
    sbom.write_text("{}")
    refused(statement, f"`{sbom}` is not the SBOM that pyzpack writes of this file", "--sbom")


def test_the_evidence_of_a_build_is_what_is_signed(pyzpack: Pyzpack, hello: Path, tmp_path: Path) -> None:
    pyz = pyzpack.build(
        hello, "--evidence", "all", "--builder-id", "https://ci.example.org/v1", output=tmp_path / "out/hello.pyz"
    )
    key = make_key(pyzpack, tmp_path / "a.key")
    lists = (pyz.parent / "SHA256SUMS").read_bytes()
    sign(pyzpack, pyz, key, "--sbom")
    assert payload_of(Path(f"{pyz}.sigstore.json")) == Path(f"{pyz}.intoto.json").read_bytes()
    statement = json.loads(payload_of(Path(f"{pyz}.cdx.sigstore.json")))
    assert rfc8785.dumps(statement["predicate"]) == Path(f"{pyz}.cdx.json").read_bytes()
    assert (pyz.parent / "SHA256SUMS").read_bytes() == lists


def test_only_a_sound_file_is_signed(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    key = make_key(pyzpack, tmp_path / "a.key")
    whole = pyz.read_bytes()
    for broken, status in ((whole + b"\0", 1), (whole.replace(b"hello", b"hallo"), 1), (b"#!/bin/sh\n", 1)):
        pyz.write_bytes(broken)
        done = pyzpack.run("sign", pyz, "--key", key)
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.startswith(f"error: `{pyz}` ")
    pyz.unlink()
    done = pyzpack.run("sign", pyz, "--key", key)
    assert (done.returncode, done.stderr) == (
        2,
        f"error: cannot read `{pyz}`: No such file or directory (os error 2)\n",
    )
    assert names(pyz.parent) == []


def test_outputs_that_would_destroy_something_are_refused(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    key = make_key(pyzpack, tmp_path / "a.key")
    secret, whole = key.read_bytes(), pyz.read_bytes()
    for target in (key, pyz, pyz.parent / "../out/hello.pyz"):
        done = pyzpack.run("sign", pyz, "--key", key, "-o", target)
        assert done.returncode == 2
        assert (
            done.stderr
            == f"error: the output `{target}` is one of the inputs\nhint: name another file, with `-o FILE`\n"
        )
    assert (key.read_bytes(), pyz.read_bytes()) == (secret, whole)
    done = pyzpack.run("sign", pyz, "--key", key, "-o", tmp_path / "missing/x.json")
    assert done.returncode == 3
    done = pyzpack.run("sign", pyz, "--key", key, "--sbom", "-o", tmp_path / "x.json")
    assert done.returncode == 2


def test_a_full_disk_leaves_the_old_signature(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    key, other = make_key(pyzpack, tmp_path / "a.key"), make_key(pyzpack, tmp_path / "b.key")
    sign(pyzpack, pyz, key)
    bundle = Path(f"{pyz}.sigstore.json")
    old = bundle.read_bytes()
    limited = ["/bin/sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh"]
    done = pyzpack.run("sign", pyz, "--key", other, wrapper=limited)
    assert done.returncode == 3, done.stderr
    assert bundle.read_bytes() == old
    assert names(pyz.parent) == ["hello.pyz", "hello.pyz.sigstore.json"]


INLINE = (
    "error: the key itself is on the command line, where its name belongs: a file, `env:NAME` or `-`\n"
    "hint: what is on the command line can be read by others: make a new key, and name its file\n"
)


def test_keys_are_never_told(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    """Whatever is wrong with a key, or with where it stands, not a line of it comes out."""
    key = make_key(pyzpack, tmp_path / "a.key")
    text = key.read_text()
    body = text.splitlines()[1:-1]
    given = [
        ["sign", pyz, "--key", text],
        ["sign", pyz, f"--key={text}"],
        ["sign", pyz, "--key", text.replace("\n", " ")],
        ["sign", pyz, "--key", f"env:{text}"],
        ["sign", pyz, "--key", "".join(body)],
        ["sign", pyz, text],
        ["sign", text],
        ["sign", pyz, "--key", key, text],
        ["keygen", text],
        ["keygen", "--type", text, tmp_path / "b.key"],
    ]
    for arguments in given:
        done = pyzpack.run(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", INLINE), arguments[0]
    damaged = {
        "no end": text.replace("-----END PRIVATE KEY-----\n", ""),
        "one line": text.replace("\n", "\\n"),
        "cut": text.replace(body[1], body[1][:-4]),
        "twice": text + text,
        "other": text.replace("PRIVATE KEY", "STRANGE KEY"),
    }
    for name, damage in damaged.items():
        (tmp_path / "broken.key").write_text(damage)
        for options in (["--key", tmp_path / "broken.key"], ["--key", "env:BROKEN"]):
            done = pyzpack.run("sign", pyz, *options, BROKEN=damage)
            assert (done.returncode, done.stdout) == (2, ""), name
            assert "broken.key" in done.stderr or "env:BROKEN" in done.stderr
            for secret in body:
                assert secret[:16] not in done.stderr, name
    assert names(pyz.parent) == ["hello.pyz"]


def refusal(pyzpack: Pyzpack, pyz: Path, key: Path | str, **changes) -> tuple[int, str]:
    done = pyzpack.run("sign", pyz, "--key", key, **changes)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_keys_of_others(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    """openssl's keys sign, or are refused with what makes them sign: the hints are tried."""
    openssl = needs("openssl")

    def run(*arguments: str | Path, text: str | None = None) -> str:
        done = subprocess.run([openssl, *arguments], input=text, capture_output=True, text=True, check=True)
        return done.stdout

    for name, options in {
        "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "ed25519": ["-algorithm", "ed25519"],
    }.items():
        key = tmp_path / f"openssl-{name}.key"
        run("genpkey", *options, "-out", key)
        run("pkey", "-in", key, "-pubout", "-out", public_of(key))
        sign(pyzpack, pyz, key)
        verify_with_sigstore(Path(f"{pyz}.sigstore.json"), public_of(key))

    older = tmp_path / "older.key"
    for options in (["-noout"], []):
        run("ecparam", "-name", "prime256v1", "-genkey", *options, "-out", older)
        status, message = refusal(pyzpack, pyz, older)
        sec1 = "the private key is in SEC 1 form (`EC PRIVATE KEY`) instead of PKCS #8 (`PRIVATE KEY`)"
        hint = "`openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW` writes it as PKCS #8"
        assert (status, message) == (2, f"error: cannot use the key `{older}`: {sec1} [key-sec1]\nhint: {hint}\n")
        run("pkcs8", "-topk8", "-nocrypt", "-in", older, "-out", tmp_path / "newer.key")
        sign(pyzpack, pyz, tmp_path / "newer.key")

    locked = tmp_path / "locked.key"
    run("pkcs8", "-topk8", "-in", older, "-out", locked, "-passout", "pass:secret")
    status, message = refusal(pyzpack, pyz, locked)
    hint = "decrypt it on the way: `openssl pkey -in KEY | pyzpack sign APP.pyz --key -`"
    assert (status, message) == (
        2,
        f"error: cannot use the key `{locked}`: the private key is encrypted [key-encrypted]\nhint: {hint}\n",
    )
    done = subprocess.run(
        pyzpack.command("sign", pyz, "--key", "-"),
        env=pyzpack.environment(),
        input=run("pkey", "-in", locked, "-passin", "pass:secret").encode(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")

    for name, options in {
        "RSA": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
        "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        "secp256k1": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
        "X25519": ["-algorithm", "X25519"],
        "Ed448": ["-algorithm", "ED448"],
    }.items():
        key = tmp_path / f"{name}.key"
        run("genpkey", *options, "-out", key)
        message = f"the key is for {name}; only P-256 and Ed25519 keys are used [key-algorithm]"
        hint = "make a key with `pyzpack keygen`"
        assert refusal(pyzpack, pyz, key) == (2, f"error: cannot use the key `{key}`: {message}\nhint: {hint}\n")


def test_keys_that_are_not_there(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.key"
    assert refusal(pyzpack, pyz, missing) == (
        2,
        f"error: cannot read the key `{missing}`: No such file or directory (os error 2)\n"
        "hint: `pyzpack keygen PATH` makes a key\n",
    )
    assert refusal(pyzpack, pyz, "env:NO_SUCH_KEY") == (
        2,
        "error: the variable `NO_SUCH_KEY` is not set, where the key should be\n"
        "hint: set it to the text of a key file\n",
    )
    assert refusal(pyzpack, pyz, "env:")[0] == 2
    key = make_key(pyzpack, tmp_path / "a.key")
    assert refusal(pyzpack, pyz, public_of(key)) == (
        2,
        f"error: cannot use the key `{public_of(key)}`: it is a public key, where the private one is asked for "
        "[key-public]\nhint: give its other half: the file without `.pub`\n",
    )
    assert refusal(pyzpack, pyz, tmp_path) == (
        2,
        f"error: cannot read the key `{tmp_path}`: Is a directory (os error 21)\n"
        "hint: `pyzpack keygen PATH` makes a key\n",
    )
    if os.geteuid() != 0:
        key.chmod(0)
        assert refusal(pyzpack, pyz, key)[0] == 3


def test_a_key_where_a_name_belongs_is_not_told(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    for key_type in TYPES:
        key = make_key(pyzpack, tmp_path / key_type, key_type)
        secret = "".join(key.read_text().splitlines()[1:-1])
        for arguments in [
            ("verify", pyz, "--key", secret),
            ("verify", secret),
            ("verify", "--explain", secret),
            ("verify", pyz, "--sha256", secret),
            ("sign", pyz, "--key", f"env:{secret}"),
            ("sign", pyz, "--key", f"env:KEY={secret}"),
            ("sign", pyz, secret, "--key", key),
            ("sign", secret, "--key", key),
            ("keygen", f"missing/{secret}"),
        ]:
            done = pyzpack.run(*arguments)
            assert done.returncode in (2, 3), arguments
            assert done.stdout == ""
            assert secret[:40] not in done.stderr, arguments


@pytest.mark.parametrize("suffix", [".intoto.json", ".cdx.json"])
def test_a_pipe_beside_the_file_is_not_waited_for(pyzpack: Pyzpack, pyz: Path, tmp_path: Path, suffix: str) -> None:
    key = make_key(pyzpack, tmp_path / "a.key")
    pipe = Path(f"{pyz}{suffix}")
    os.mkfifo(pipe)
    done = pyzpack.run("sign", pyz, "--key", key, "--sbom", wrapper=[needs("timeout"), "20"])
    message = f"error: cannot read `{pipe}`: it is not a regular file\n"
    assert (done.returncode, done.stderr) == (3, message)


def test_what_is_said_of_odd_names_obeys_no_terminal(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a\x1b[31m"
    odd.mkdir()
    key = odd / "k"
    for done in [
        pyzpack.run("keygen", key),
        pyzpack.run("sign", pyz, "--key", key, "-o", odd / "s.json"),
        pyzpack.run("inspect", pyz.rename(odd / pyz.name)),
    ]:
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "a\\u{1b}[31m" in done.stdout


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_key_is_ever_half_written(pyzpack: Pyzpack, tmp_path: Path, ending: signal.Signals) -> None:
    for step in range(20):
        key = tmp_path / f"{step}/a.key"
        key.parent.mkdir()
        process = subprocess.Popen(pyzpack.command("keygen", key), env=pyzpack.environment(), stdout=subprocess.DEVNULL)
        time.sleep(step * 0.001)
        process.send_signal(ending)
        process.wait()
        if key.exists():
            assert key.read_text().endswith("-----END PRIVATE KEY-----\n")
            assert public_of(key).read_text().endswith("-----END PUBLIC KEY-----\n")
        if ending != signal.SIGKILL:
            assert set(names(key.parent)) <= {"a.key", "a.key.pub"}
