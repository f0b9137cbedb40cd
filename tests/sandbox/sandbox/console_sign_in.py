"""AWS Sign-In, the AWS console's own sign-in, as `aws login` uses it: the page that a
browser opens, and the tokens, which are bound to a key of the client's (DPoP).

Settings (GET, PUT /signin):

user            who signs in: the name of an IAM user
authorization   what a visit of the page does: approve · deny · hold
refuse          the `error` that every token request is refused with; None: none is
keys_seconds    how long keys last
session_seconds how long a session can be refreshed
"""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from html import escape
from typing import Optional
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from .http import Response

_SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
_CROSS_DEVICE = "arn:aws:signin:::devtools/cross-device"
_CONFIRMATION = "/v1/sessions/confirmation"
# How far the time of a proof may be off, in seconds.
_TOLERANCE = 300


@dataclass
class Settings:
    user: str = "ana"
    authorization: str = "approve"
    refuse: Optional[str] = None
    keys_seconds: float = 900
    session_seconds: float = 12 * 3600


@dataclass
class Grant:
    """An authorization code."""

    client: str
    redirect: str
    challenge: str
    is_used: bool = False


@dataclass
class Session:
    user: str
    client: str
    key: tuple  # the coordinates of the key that it is bound to
    ends_at: float


class ConsoleSignIn:
    def __init__(self, account, identity, now):
        self._account = account
        self._identity = identity
        self._now = now
        self.settings = Settings()
        self.grants = {}
        # By refresh token; each is good once.
        self.sessions = {}
        self._proofs = set()

    def change(self, given):
        self.settings = Settings(**{**asdict(self.settings), **given})

    def as_json(self):
        return {**asdict(self.settings), "sessions": len(self.sessions)}

    def key_of(self, proof, url):
        """The key of a proof; raises ValueError for one that is not good."""
        parts = (proof or "").split(".")
        if len(parts) != 3:
            raise ValueError("no DPoP proof")
        header, payload = (json.loads(_decoded(part)) for part in parts[:2])
        jwk = header.get("jwk", {})
        if (header.get("typ"), header.get("alg")) != ("dpop+jwt", "ES256"):
            raise ValueError("not a DPoP proof")
        if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256") or "d" in jwk:
            raise ValueError("not a public key")
        point = tuple(int.from_bytes(_decoded(jwk[name]), "big") for name in "xy")
        key = ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
        raw = _decoded(parts[2])
        signature = utils.encode_dss_signature(
            int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        )
        try:
            key.verify(signature, ".".join(parts[:2]).encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise ValueError("the proof is not signed with its key") from None
        if (payload.get("htm"), payload.get("htu")) != ("POST", url):
            raise ValueError(f"the proof is for {payload.get('htu')}, not for {url}")
        if abs(payload["iat"] - self._now()) > _TOLERANCE:
            raise ValueError("the proof is of another time")
        if payload["jti"] in self._proofs:
            raise ValueError("the proof was used already")
        self._proofs.add(payload["jti"])
        return point

    def tokens(self, user, client, key, ends_at):
        from .credentials import user_caller

        long_term = user_caller(self._account, user)
        caller = self._identity.session_caller(user, mfa=True)
        keys = self._identity.issue(caller, self.settings.keys_seconds)
        refresh = "refresh-" + secrets.token_urlsafe(24)
        self.sessions[refresh] = Session(user, client, key, ends_at)
        header = _encoded(b'{"alg":"none"}')
        subject = _encoded(json.dumps({"sub": long_term.arn}).encode())
        return {
            "accessToken": {
                "accessKeyId": keys.access_key_id,
                "secretAccessKey": keys.secret_access_key,
                "sessionToken": keys.session_token,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": int(self.settings.keys_seconds),
            "refreshToken": refresh,
            "idToken": f"{header}.{subject}.x",
        }


def authorize_page(tenant, request, _params):
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    client, redirect = query.get("client_id"), query.get("redirect_uri", "")
    parts = urlsplit(redirect)
    is_loopback = parts.scheme == "http" and parts.hostname == "127.0.0.1" and parts.port
    expected = {
        _SAME_DEVICE: bool(is_loopback and parts.path == "/oauth/callback"),
        _CROSS_DEVICE: redirect == _base(request) + _CONFIRMATION,
    }
    if not expected.get(client):
        return _page("Invalid client or redirect URI", 400)
    wanted = {
        "response_type": "code",
        "code_challenge_method": "SHA-256",
        "scope": "openid",
    }
    if any(query.get(name) != value for name, value in wanted.items()):
        return _page("Invalid request", 400)
    challenge, state = query.get("code_challenge", ""), query.get("state")
    if len(challenge) != 43 or not state:
        return _page("Invalid request", 400)
    console = tenant.console_sign_in
    if console.settings.authorization == "hold":
        return _page("Sign in to continue")
    if console.settings.authorization == "deny":
        answer = {"error": "access_denied", "state": state}
    else:
        code = secrets.token_urlsafe(16)
        console.grants[code] = Grant(client, redirect, challenge)
        answer = {"code": code, "state": state}
    return Response(302, b"", {"Location": f"{redirect}?{urlencode(answer)}"})


def confirmation_page(_tenant, request, _params):
    """What a person copies."""
    query = dict(parse_qsl(request.query))
    text = f"state={query.get('state', '')}&code={query.get('code', '')}"
    shown = base64.b64encode(text.encode()).decode()
    return _page(f"Your code: <code>{escape(shown)}</code>")


def create_oauth2_token(tenant, request, body):
    console = tenant.console_sign_in
    try:
        key = console.key_of(request.headers.get("DPoP"), f"{_base(request)}/v1/token")
    except (ValueError, KeyError) as error:
        return _refused("ValidationException", "INVALID_REQUEST", str(error), 400)
    if console.settings.refuse:
        return _denied(console.settings.refuse)
    now = tenant.now()
    if body.get("grantType") == "authorization_code":
        grant = console.grants.get(body.get("code"))
        verifier = body.get("codeVerifier", "").encode()
        challenge = _encoded(hashlib.sha256(verifier).digest())
        asked = (body.get("clientId"), body.get("redirectUri"), challenge)
        if grant is None or grant.is_used:
            return _denied("AUTHCODE_EXPIRED")
        grant.is_used = True
        if asked != (grant.client, grant.redirect, grant.challenge):
            return _denied("AUTHCODE_EXPIRED")
        ends_at = now + console.settings.session_seconds
        user = console.settings.user
        return Response.of_json(console.tokens(user, grant.client, key, ends_at))
    if body.get("grantType") == "refresh_token":
        session = console.sessions.get(body.get("refreshToken"))
        if session is None or session.ends_at <= now or session.key != key:
            return _denied("TOKEN_EXPIRED")
        if session.client != body.get("clientId"):
            return _denied("TOKEN_EXPIRED")
        del console.sessions[body["refreshToken"]]
        tokens = console.tokens(session.user, session.client, key, session.ends_at)
        # AWS leaves it out of these answers, as its model permits.
        del tokens["idToken"]
        return Response.of_json(tokens)
    return _refused("ValidationException", "unsupported_grant_type", "no such grant", 400)


def _denied(error):
    return _refused("AccessDeniedException", error, f"refused because of {error}", 401)


def _refused(code, error, message, status):
    body = json.dumps({"error": error, "message": message}).encode()
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return Response(status, body, headers)


def _base(request):
    """The address that the request came to, without the operation's path."""
    prefix = request.whole_path[: len(request.whole_path) - len(request.path)]
    return f"http://{request.headers.get('Host')}{prefix}"


def _decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _page(text, status=200):
    return Response(
        status,
        f"<!doctype html><title>Sandbox console</title><p>{text}</p>\n".encode(),
        {"Content-Type": "text/html; charset=utf-8"},
    )


OPERATIONS = {
    ("GET", "/v1/authorize"): ("Authorize", authorize_page),
    ("GET", _CONFIRMATION): ("Confirmation", confirmation_page),
    ("POST", "/v1/token"): ("CreateOAuth2Token", create_oauth2_token),
}
