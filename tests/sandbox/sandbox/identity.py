"""An account's IAM, as tests set it: users, MFA devices, roles, and its policy."""

from dataclasses import dataclass, field, fields
from typing import Optional

from .credentials import (
    INVALID_ACCESS_KEY_ID,
    TEMPORARY_PREFIX,
    Caller,
    TemporaryKeys,
    user_caller,
)

DEFAULT_USER = "sandbox"
WEB_IDENTITY = ("accept", "expired", "reject")
# Keys that a test sets last until it says otherwise.
_LONG = 10 * 365 * 24 * 3600


@dataclass
class User:
    """A long-term key whose secret is known, so that signatures are checked."""

    access_key_id: str
    secret_access_key: str
    name: str = DEFAULT_USER


@dataclass
class SessionKeys:
    """Temporary keys with a secret and a token of the test's choice."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    mfa: bool = False
    seconds: float = _LONG
    name: str = DEFAULT_USER


@dataclass
class MfaDevice:
    """codes: those that are good now; each is spent by its use."""

    serial: str
    codes: list = field(default_factory=list)
    user: Optional[str] = None  # None: any user's
    spent: list = field(default_factory=list)


@dataclass
class Role:
    name: str
    requires_mfa: bool = False
    max_session_seconds: float = 3600
    external_id: Optional[str] = None


_LISTS = {
    "users": User,
    "session_keys": SessionKeys,
    "mfa_devices": MfaDevice,
    "roles": Role,
}


class Identity:
    def __init__(self, account, keys, now):
        self._account = account
        self._keys = keys
        self._now = now
        self.users = []
        self.session_keys = []
        self.mfa_devices = []
        self.roles = []
        self.only_known_keys = False
        self.web_identity = "accept"
        # How long all temporary keys last, whatever is asked for; None: as asked.
        self.session_seconds = None
        # The ARN of the customer's key that encrypts disks by default; None: AWS's own.
        self.disk_key = None
        # None: everyone may do everything.
        self.policy = None

    def change(self, given):
        """Sets what is given, whole lists at a time. Raises ValueError, TypeError."""
        scalars = {
            "only_known_keys": lambda v: isinstance(v, bool),
            "web_identity": lambda v: v in WEB_IDENTITY,
            "session_seconds": lambda v: v is None or _is_number(v),
            "disk_key": lambda v: v is None or isinstance(v, str),
        }
        for name, value in given.items():
            if name not in _LISTS and name not in scalars:
                known = sorted([*_LISTS, *scalars])
                raise ValueError(f"unknown {name!r}; known: {known}")
            if name in scalars and not scalars[name](value):
                raise ValueError(f"{name} cannot be {value!r}")
        read = {
            name: [_LISTS[name](**one) for one in value] if name in _LISTS else value
            for name, value in given.items()
        }
        for name, value in read.items():
            setattr(self, name, value)
        for one in read.get("session_keys", []):
            self._keys.add(
                TemporaryKeys(
                    one.access_key_id,
                    one.secret_access_key,
                    one.session_token,
                    self._now() + one.seconds,
                    self.session_caller(one.name, one.mfa),
                )
            )

    def as_json(self):
        """All of it, and the temporary keys of this account with their secrets."""
        lists = {
            name: [{f.name: getattr(one, f.name) for f in fields(one)} for one in items]
            for name, items in ((name, getattr(self, name)) for name in _LISTS)
        }
        return {
            **lists,
            "only_known_keys": self.only_known_keys,
            "web_identity": self.web_identity,
            "session_seconds": self.session_seconds,
            "disk_key": self.disk_key,
            "issued": [
                {
                    "access_key_id": keys.access_key_id,
                    "secret_access_key": keys.secret_access_key,
                    "session_token": keys.session_token,
                    "expires_at": keys.expires_at,
                    "arn": keys.caller.arn,
                    "kind": keys.caller.kind,
                    "mfa": keys.caller.mfa,
                }
                for keys in self.issued()
            ],
        }

    def issued(self):
        """The temporary keys of this account."""
        return self._keys.of_account(self._account)

    def expire_session_keys(self):
        for keys in self.issued():
            keys.expires_at = self._now()

    def issue(self, caller, seconds):
        lasting = seconds if self.session_seconds is None else self.session_seconds
        return self._keys.issue(caller, self._now() + lasting)

    def holder_of(self, access_key_id, session_token):
        """Caller and secret of keys that the registry does not have.

        The caller is None when there are no such keys, the secret when it is not
        known.
        """
        for user in self.users:
            if user.access_key_id == access_key_id and session_token is None:
                return user_caller(self._account, user.name), user.secret_access_key
        unknown = self.only_known_keys or access_key_id == INVALID_ACCESS_KEY_ID
        temporary = access_key_id.startswith(TEMPORARY_PREFIX)
        if unknown or (temporary and session_token is None):
            return None, None
        if temporary:
            return self.session_caller(DEFAULT_USER, mfa=False), None
        return user_caller(self._account, DEFAULT_USER), None

    def session_caller(self, user, mfa):
        long_term = user_caller(self._account, user)
        return Caller(
            long_term.account, long_term.arn, long_term.user_id, "session", mfa, user
        )

    def role(self, name):
        return next((role for role in self.roles if role.name == name), None)

    def spend_code(self, serial, code, user):
        """True when the code was good; None when the user has no such device."""
        for device in self.mfa_devices:
            if device.serial == serial and device.user in (None, user):
                if code not in device.codes:
                    return False
                device.codes.remove(code)
                device.spent.append(code)
                return True
        return None


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
