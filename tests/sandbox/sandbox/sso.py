"""IAM Identity Center of one account: its people, tokens and assignments.

`sso_oidc` and `sso_portal` are the two services in front of it.
"""

import hashlib
import secrets
from dataclasses import asdict, dataclass, field
from typing import Optional

from .credentials import role_caller

AUTHORIZATIONS = ("approve", "deny", "hold")
ACCOUNT_SCOPE = "sso:account:access"
DEFAULT_ROLES = ["Launcher"]

# User codes have no vowels and nothing that looks like something else.
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass
class Settings:
    """What a test may change.

    accounts                [{"account_id", "name", "email", "roles": [name, …]}];
                            the sandbox's account with one role when not set
    user                    who signs in: the session's name in role ARNs
    start_urls              those that exist; None: every one does
    authorization           what a visit of the sign-in page does: approve · deny ·
                            hold: nothing, the person is still thinking
    pending_polls           polls answered AuthorizationPending before the sign-in
                            is approved with no visit; None: a visit it takes
    slow_down_polls         polls answered SlowDown, before all else
    interval                seconds between polls: sooner ones get SlowDown
    device_code_seconds, access_token_seconds, refresh_token_seconds,
    client_seconds, role_credentials_seconds
                            how long each lasts from now on
    refresh                 whether refresh tokens are taken
    rotate_refresh_tokens   whether each is good once
    """

    accounts: Optional[list] = None
    user: str = "sandbox-user"
    start_urls: Optional[list] = None
    authorization: str = "approve"
    pending_polls: Optional[int] = None
    slow_down_polls: int = 0
    interval: int = 1
    device_code_seconds: float = 600
    access_token_seconds: float = 8 * 3600
    refresh_token_seconds: float = 90 * 24 * 3600
    client_seconds: float = 90 * 24 * 3600
    role_credentials_seconds: float = 3600
    refresh: bool = True
    rotate_refresh_tokens: bool = True


@dataclass
class Client:
    id: str
    secret: str
    name: str
    scopes: list
    grant_types: list
    redirect_uris: list
    issued_at: float
    expires_at: float


@dataclass
class SignIn:
    """A sign-in that waits for its person: by device code or in the browser."""

    code: str  # the device code, or the authorization code
    client: Client
    expires_at: float
    state: str = "pending"  # approved · denied · used
    user_code: Optional[str] = None
    polls: int = 0
    last_poll: Optional[float] = None
    redirect_uri: Optional[str] = None
    code_challenge: Optional[str] = None
    scopes: list = field(default_factory=list)


@dataclass
class Token:
    """An access or a refresh token; those of one sign-in share `session`."""

    value: str
    kind: str
    client: Client
    session: str
    scopes: list
    expires_at: float
    alive: bool = True


class Sso:
    def __init__(self, account, tenants, now):
        self._account = account
        self._tenants = tenants
        self._now = now
        self.settings = Settings()
        self._clients = {}
        self._sign_ins = {}
        self._tokens = {}

    def change(self, given):
        """Raises ValueError for a setting that is none or has no such value."""
        changed = {**asdict(self.settings), **given}
        try:
            settings = Settings(**changed)
        except TypeError as error:
            raise ValueError(f"{error}; known: {sorted(asdict(self.settings))}") from None
        if settings.authorization not in AUTHORIZATIONS:
            raise ValueError(f"authorization is one of {AUTHORIZATIONS}")
        for account in settings.accounts or []:
            if not {"account_id", "roles"} <= set(account):
                raise ValueError("an account needs account_id and roles")
        self.settings = settings

    def as_json(self):
        """The settings, and all that was handed out, secrets too."""
        return {
            **asdict(self.settings),
            "clients": [asdict(client) for client in self._clients.values()],
            "sign_ins": [_told(sign_in) for sign_in in self._sign_ins.values()],
            "tokens": [_told(token) for token in self._tokens.values()],
        }

    def secrets(self):
        """Names and values of what was handed out."""
        return [
            *(("secret of an SSO client", c.secret) for c in self._clients.values()),
            *(("code of an SSO sign-in", s.code) for s in self._sign_ins.values()),
            *((f"SSO {t.kind} token", t.value) for t in self._tokens.values()),
        ]

    def expire(self, what):
        """Ends all of clients, device_codes, access_tokens or refresh_tokens now."""
        kinds = {"access_tokens": "access", "refresh_tokens": "refresh"}
        if what in kinds:
            ended = [t for t in self._tokens.values() if t.kind == kinds[what]]
        elif what == "clients":
            ended = self._clients.values()
        elif what == "device_codes":
            ended = self._sign_ins.values()
        else:
            raise ValueError(f"nothing called {what!r} expires")
        for one in ended:
            one.expires_at = self._now()

    def knows(self, start_url):
        known = self.settings.start_urls
        return known is None or start_url.rstrip("/#") in [u.rstrip("/#") for u in known]

    def register(self, name, scopes, grant_types, redirect_uris):
        now = self._now()
        client = Client(
            id=secrets.token_urlsafe(24),
            secret=f"eyJraWQ.{secrets.token_urlsafe(120)}",
            name=name,
            scopes=scopes,
            grant_types=grant_types,
            redirect_uris=redirect_uris,
            issued_at=now,
            expires_at=now + self.settings.client_seconds,
        )
        self._clients[client.id] = client
        return client

    def client(self, client_id):
        """The client of this id, if it has not expired."""
        client = self._clients.get(client_id)
        return client if client and client.expires_at > self._now() else None

    def begin_with_device(self, client):
        letters = [secrets.choice(_USER_CODE_LETTERS) for _ in range(8)]
        sign_in = SignIn(
            code=secrets.token_urlsafe(64),
            client=client,
            expires_at=self._now() + self.settings.device_code_seconds,
            user_code="".join(letters[:4]) + "-" + "".join(letters[4:]),
            scopes=client.scopes,
        )
        self._sign_ins[sign_in.code] = sign_in
        return sign_in

    def begin_in_browser(self, client, redirect_uri, code_challenge, scopes):
        """An approved sign-in: its code is good for a minute."""
        sign_in = SignIn(
            code=secrets.token_urlsafe(64),
            client=client,
            expires_at=self._now() + 60,
            state="approved",
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            scopes=scopes,
        )
        self._sign_ins[sign_in.code] = sign_in
        return sign_in

    def sign_in(self, code):
        return self._sign_ins.get(code)

    def visit_device_page(self, user_code):
        """The state of the sign-in after the visit; None when there is none."""
        typed = user_code.upper().replace(" ", "")
        for sign_in in self._sign_ins.values():
            if sign_in.user_code == typed and sign_in.expires_at > self._now():
                decision = self.settings.authorization
                if sign_in.state == "pending" and decision != "hold":
                    sign_in.state = "approved" if decision == "approve" else "denied"
                return sign_in.state
        return None

    def issue_tokens(self, client, scopes, session=None):
        """An access token and, where the client may have one, a refresh token."""
        session = session or secrets.token_hex(8)
        access = self._new_token("access", "aoaAAAAA", client, session, scopes)
        refresh = None
        # Clients without a scope, those of legacy profiles, get none.
        if scopes and "refresh_token" in client.grant_types:
            refresh = self._new_token("refresh", "aorAAAAA", client, session, scopes)
        return access, refresh

    def _new_token(self, kind, prefix, client, session, scopes):
        seconds = getattr(self.settings, f"{kind}_token_seconds")
        token = Token(
            value=prefix + secrets.token_urlsafe(180),
            kind=kind,
            client=client,
            session=session,
            scopes=scopes,
            expires_at=self._now() + seconds,
        )
        self._tokens[token.value] = token
        return token

    def token(self, kind, value):
        """The token, if it is one of that kind and good."""
        token = self._tokens.get(value)
        if token is None or token.kind != kind or not token.alive:
            return None
        return token if token.expires_at > self._now() else None

    def end_session(self, token):
        for other in self._tokens.values():
            if other.session == token.session:
                other.alive = False

    def accounts(self):
        own = {
            "account_id": self._account,
            "name": "sandbox",
            "email": "sandbox@example.com",
            "roles": DEFAULT_ROLES,
        }
        return self.settings.accounts or [own]

    def roles(self, account_id):
        """Names of the roles in that account, None when there is no such account."""
        for account in self.accounts():
            if account["account_id"] == account_id:
                return account["roles"]
        return None

    def role_keys(self, account_id, role):
        # Real ones end in 16 hexadecimal digits.
        suffix = hashlib.sha256((account_id + role).encode()).hexdigest()[:16]
        caller = role_caller(
            account_id,
            f"AWSReservedSSO_{role}_{suffix}",
            self.settings.user,
            mfa=False,
        )
        identity = self._tenants[account_id].identity
        return identity.issue(caller, self.settings.role_credentials_seconds)


def _told(one):
    return {**asdict(one), "client": one.client.id}
