"""Signing and verifying with others' tools: securesystemslib, @sigstore/sign and @sigstore/verify, openssl."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, SSlibKey

NODE = Path(__file__).resolve().parents[1] / "node"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def key_id(public: Path) -> str:
    """base64(sha256(SPKI)), by pyca/cryptography."""
    key = serialization.load_pem_public_key(public.read_bytes())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der = key.public_bytes(serialization.Encoding.DER, form)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def sign_with_securesystemslib(statement: bytes, private: Path) -> dict:
    """An envelope; its keyid is securesystemslib's own."""
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    envelope = Envelope(statement, PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key))
    return envelope.to_dict()


def verify_with_securesystemslib(envelope: dict, public: Path) -> bytes:
    """The payload, where it was signed by that key."""
    key = SSlibKey.from_crypto(serialization.load_pem_public_key(public.read_bytes()), keyid=key_id(public))
    read = Envelope.from_dict(json.loads(json.dumps(envelope)))
    read.verify([key], 1)
    assert read.payload_type == PAYLOAD_TYPE
    return read.payload


def run_node(script: str, *arguments: str | Path) -> bytes:
    done = subprocess.run(["node", NODE / script, *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def sign_with_sigstore(statement: Path, private: Path, *hint: str) -> dict:
    """A bundle by @sigstore/sign."""
    return json.loads(run_node("sign-bundle.mjs", statement, private, *hint))


def verify_with_sigstore(bundle: Path, public: Path) -> bytes:
    """The payload, where @sigstore/verify finds that the key signed it and the bundle names it."""
    return run_node("verify-bundle.mjs", bundle, public, key_id(public))


def verify_with_openssl(envelope: dict, public: Path, scratch: Path) -> None:
    """The signature over a pre-authentication encoding that is made here."""
    payload = base64.b64decode(envelope["payload"])
    payload_type = envelope["payloadType"]
    text, signature = scratch / "pae", scratch / "signature"
    text.write_bytes(f"DSSEv1 {len(payload_type)} {payload_type} {len(payload)} ".encode() + payload)
    signature.write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    shown = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", public, "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout
    if "ED25519" in shown:
        command = ["pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", text, "-sigfile", signature]
    else:
        command = ["dgst", "-sha256", "-verify", public, "-signature", signature, text]
    done = subprocess.run(["openssl", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
