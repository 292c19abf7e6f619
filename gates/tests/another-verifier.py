"""Checks a DSSE envelope without any of our code: the pre-authentication
encoding by the specification, the signature by the package cryptography.

    another-verifier.py PUBLIC-KEY ENVELOPE
    another-verifier.py --make PRIVATE-KEY PUBLIC-KEY    a new Ed25519 key
"""

import base64
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


def make(private_path, public_path):
    key = ed25519.Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with os.fdopen(os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    with open(public_path, "wb") as file:
        file.write(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))


def verify(public_path, envelope_path):
    with open(public_path, "rb") as file:
        key = serialization.load_pem_public_key(file.read())
    with open(envelope_path, encoding="utf-8") as file:
        envelope = json.load(file)
    kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"])
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    [signature] = envelope["signatures"]
    signature = base64.b64decode(signature["sig"])
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, signed)
    else:
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    statement = json.loads(payload)
    print(statement["predicateType"], statement["predicate"]["decision"], statement["subject"][0]["digest"]["sha256"])


if __name__ == "__main__":
    make(*sys.argv[2:]) if sys.argv[1] == "--make" else verify(*sys.argv[1:])
