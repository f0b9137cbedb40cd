"""Access keys: the long-term ones, and those that STS and the SSO portal hand out."""

import base64
import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import Optional

SANDBOX_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SANDBOX_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
INVALID_ACCESS_KEY_ID = "AKIAINVALIDKEYEXAMPLE"
# Keys that begin so come with a session token ("IAM identifiers", unique ID prefixes).
TEMPORARY_PREFIX = "ASIA"

_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Caller:
    """Whom a request's keys stand for.

    kind   user: long-term keys · session: GetSessionToken's · role: any role's
    mfa    aws:MultiFactorAuthPresent; None where AWS leaves that key out of the
           context, which is with long-term keys
    user   name of the IAM user behind it, None for a role
    """

    account: str
    arn: str
    user_id: str
    kind: str
    mfa: Optional[bool] = None
    user: Optional[str] = None


@dataclass
class TemporaryKeys:
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: float  # seconds since 1970, by the sandbox's clock
    caller: Caller


def user_caller(account, name):
    user_id = "AIDASANDBOXUSEREXAMPLE" if name == "sandbox" else random_id("AIDA", name)
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Caller(account, arn, user_id, "user", user=name)


def role_caller(account, role, session, mfa):
    return Caller(
        account,
        f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        f"{random_id('AROA', account + role)}:{session}",
        "role",
        mfa=mfa,
    )


def random_id(prefix, seed=None):
    """An id as IAM makes them; the same one for the same seed."""
    if seed is None:
        drawn = secrets.token_bytes(16)
    else:
        drawn = hashlib.sha256(seed.encode()).digest()[:16]
    return prefix + "".join(_ID_ALPHABET[byte % 32] for byte in drawn)


class KeyRegistry:
    """The temporary keys of all accounts: a key tells the account it belongs to."""

    def __init__(self):
        self._by_id = {}
        self._lock = threading.Lock()

    def issue(self, caller, expires_at):
        # The slash, the plus and the equals signs are what clients get wrong
        # when they quote: each secret has them.
        secret = base64.b64encode(secrets.token_bytes(30)).decode()
        token = base64.b64encode(secrets.token_bytes(400)).decode()
        keys = TemporaryKeys(
            access_key_id=random_id(TEMPORARY_PREFIX),
            secret_access_key=f"{secret[:12]}/{secret[13:25]}+{secret[26:]}",
            session_token=f"IQoJb3JpZ2luX2Vj/+{token}",
            expires_at=expires_at,
            caller=caller,
        )
        self.add(keys)
        return keys

    def add(self, keys):
        with self._lock:
            self._by_id[keys.access_key_id] = keys

    def get(self, access_key_id):
        return self._by_id.get(access_key_id)

    def of_account(self, account):
        with self._lock:
            return [k for k in self._by_id.values() if k.caller.account == account]

    def forget(self, account):
        with self._lock:
            kept = {i: k for i, k in self._by_id.items() if k.caller.account != account}
            self._by_id = kept
