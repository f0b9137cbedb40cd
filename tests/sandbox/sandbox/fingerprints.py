"""The fingerprints of key pairs as EC2 shows them: moto's are its own."""

import hashlib
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives import serialization


def of(pair):
    """The EC2 API reference tells them under "KeyPairInfo"."""
    if pair.key_type == "ed25519":
        text = pair.material_public.decode()
        public_key = b64decode(text.split()[1])
        return b64encode(hashlib.sha256(public_key).digest()).decode()
    if not pair.material:
        return _of_imported(pair)
    private_key = serialization.load_pem_private_key(pair.material, None)
    der = private_key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return hashlib.sha1(der).digest().hex(":")


def _of_imported(pair):
    public_key = serialization.load_ssh_public_key(pair.material_public)
    der = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.md5(der).digest().hex(":")
