"""Makes the files beside it: keys and a certificate by openssl, envelopes by securesystemslib, bundles by @sigstore/sign.

    .venv/bin/python testdata/signatures/make.py

The private keys are thrown away, so a run makes all files anew.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/e2e"))

from signers import key_id, sign_with_securesystemslib, sign_with_sigstore  # noqa: E402

KEYS = {"p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["-algorithm", "ed25519"]}
STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "ü.pyz", "digest": {"sha256": "00" * 32}}],
    "predicateType": "https://example.org/predicate/v1",
    "predicate": {},
}


def url_safe(envelope: dict) -> dict:
    """The same envelope in the other alphabet, without padding (DSSE allows both alphabets)."""
    envelope = copy.deepcopy(envelope)
    spell = str.maketrans("+/", "-_", "=")
    envelope["payload"] = envelope["payload"].translate(spell)
    envelope["signatures"][0]["sig"] = envelope["signatures"][0]["sig"].translate(spell)
    return envelope


def make_others() -> None:
    """What is given for a key and is none of ours: an RSA key, and the certificate of a key that would do."""
    with tempfile.TemporaryDirectory() as directory:
        key = Path(directory) / "key"
        rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]
        subprocess.run(["openssl", "genpkey", *rsa, "-out", key], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", HERE / "rsa.pub"], check=True)
        subprocess.run(["openssl", "genpkey", *KEYS["p256"], "-out", key], check=True)
        certificate = ["-subj", "/CN=release", "-days", "36500", "-out", HERE / "certificate.pem"]
        subprocess.run(["openssl", "req", "-x509", "-key", key, *certificate], check=True)


def main() -> None:
    make_others()
    statement = json.dumps(STATEMENT, indent=1, ensure_ascii=False).encode()
    (HERE / "statement.json").write_bytes(statement)
    for name, options in KEYS.items():
        with tempfile.TemporaryDirectory() as directory:
            private, public = Path(directory) / "key", HERE / f"{name}.pub"
            subprocess.run(["openssl", "genpkey", *options, "-out", private], check=True)
            subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
            envelope = sign_with_securesystemslib(statement, private)
            written = {
                "securesystemslib.dsse": envelope,
                "url-safe.dsse": url_safe(envelope),
                "sigstore": sign_with_sigstore(HERE / "statement.json", private, key_id(public)),
                "no-hint.sigstore": sign_with_sigstore(HERE / "statement.json", private),
            }
        for kind, document in written.items():
            (HERE / f"{name}.{kind}.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
