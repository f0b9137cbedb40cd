"""The fingerprints of key pairs as EC2 shows them: moto's are its own."""

import hashlib
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives import serialization


def of(pair):
    """Of a pair that EC2 made ("KeyPairInfo" in the EC2 API reference)."""
    if pair.key_type == "ed25519":
        public_key = b64decode(pair.public_key.split()[1])
        return b64encode(hashlib.sha256(public_key).digest()).decode()
    private_key = serialization.load_pem_private_key(pair.material, None)
    der = private_key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return hashlib.sha1(der).digest().hex(":")
