"""The SSO OIDC service, and the two pages of it that a person's browser opens."""

import base64
import hashlib
import hmac
from html import escape
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from .aws_errors import AwsError
from .http import Response

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_GRANT = "authorization_code"
REFRESH_GRANT = "refresh_token"
_GRANTS = (DEVICE_GRANT, CODE_GRANT, REFRESH_GRANT)
# What a client that names no grant may use.
_DEFAULT_GRANTS = [DEVICE_GRANT, REFRESH_GRANT]
_LOOPBACKS = ("127.0.0.1", "localhost", "[::1]")
# A poll is as late as its client's timer is exact.
_TOLERANCE = 0.8


def register_client(tenant, request, body):
    _require(body, "clientName", "clientType")
    if body["clientType"] != "public":
        raise _refusal("InvalidClientMetadataException", "Invalid client type provided")
    grants = body.get("grantTypes") or _DEFAULT_GRANTS
    if set(grants) - set(_GRANTS):
        raise _refusal("UnsupportedGrantTypeException", "Grant type is not supported")
    redirects = body.get("redirectUris") or []
    if CODE_GRANT in grants:
        _require(body, "redirectUris", "issuerUrl")
        if not tenant.sso.knows(body["issuerUrl"]):
            raise _refusal("InvalidRequestException", "Invalid issuer url provided")
    for uri in redirects:
        parts = urlsplit(uri)
        if parts.scheme != "http" or _host(parts) not in _LOOPBACKS or parts.fragment:
            raise _refusal("InvalidRedirectUriException", f"Invalid redirect uri: {uri}")
    client = tenant.sso.register(
        body["clientName"], body.get("scopes") or [], grants, redirects
    )
    return Response.of_json(
        {
            "clientId": client.id,
            "clientSecret": client.secret,
            "clientIdIssuedAt": int(client.issued_at),
            "clientSecretExpiresAt": int(client.expires_at),
        }
    )


def start_device_authorization(tenant, request, body):
    _require(body, "clientId", "clientSecret", "startUrl")
    client = _client(tenant, body)
    if DEVICE_GRANT not in client.grant_types:
        raise _refusal("UnauthorizedClientException", "Client may not use this grant")
    if not tenant.sso.knows(body["startUrl"]):
        raise _refusal("InvalidRequestException", "Invalid start url provided")
    sign_in = tenant.sso.begin_with_device(client)
    page = f"{_base_url(tenant, request)}/device"
    return Response.of_json(
        {
            "deviceCode": sign_in.code,
            "userCode": sign_in.user_code,
            "verificationUri": page,
            "verificationUriComplete": f"{page}?user_code={sign_in.user_code}",
            "expiresIn": int(tenant.sso.settings.device_code_seconds),
            "interval": tenant.sso.settings.interval,
        }
    )


def create_token(tenant, request, body):
    _require(body, "clientId", "clientSecret", "grantType")
    grant = body["grantType"]
    if grant not in _GRANTS:
        raise _refusal("UnsupportedGrantTypeException", "Grant type is not supported")
    client = _client(tenant, body)
    if grant not in client.grant_types:
        raise _refusal("UnauthorizedClientException", "Client may not use this grant")
    answer = {
        DEVICE_GRANT: _from_device_code,
        CODE_GRANT: _from_authorization_code,
        REFRESH_GRANT: _from_refresh_token,
    }[grant]
    access, refresh = answer(tenant, client, body)
    tokens = {
        "accessToken": access.value,
        "tokenType": "Bearer",
        "expiresIn": int(tenant.sso.settings.access_token_seconds),
    }
    if refresh is not None:
        tokens["refreshToken"] = refresh.value
    return Response.of_json(tokens)


def _from_device_code(tenant, client, body):
    _require(body, "deviceCode")
    sso = tenant.sso
    sign_in = sso.sign_in(body["deviceCode"])
    if sign_in is None or sign_in.client is not client or sign_in.user_code is None:
        raise _refusal("InvalidGrantException", "Invalid device code provided")
    if sign_in.expires_at <= tenant.now():
        raise _refusal("ExpiredTokenException", "Device code has expired")
    sign_in.polls += 1
    now = tenant.now()
    since = None if sign_in.last_poll is None else now - sign_in.last_poll
    sign_in.last_poll = now
    if sign_in.polls <= sso.settings.slow_down_polls or (
        since is not None and since < sso.settings.interval * _TOLERANCE
    ):
        raise _refusal("SlowDownException", "Polling too frequently")
    if sign_in.state == "pending":
        pending = sso.settings.pending_polls
        if pending is None or sign_in.polls - sso.settings.slow_down_polls <= pending:
            raise _refusal("AuthorizationPendingException", None)
        sign_in.state = "denied" if sso.settings.authorization == "deny" else "approved"
    return _complete(tenant, sign_in)


def _from_authorization_code(tenant, client, body):
    _require(body, "code", "redirectUri", "codeVerifier")
    sign_in = tenant.sso.sign_in(body["code"])
    if (
        sign_in is None
        or sign_in.client is not client
        or sign_in.code_challenge is None
        or sign_in.expires_at <= tenant.now()
    ):
        raise _refusal("InvalidGrantException", "Invalid authorization code provided")
    if body["redirectUri"] != sign_in.redirect_uri:
        raise _refusal("InvalidRequestException", "Invalid redirect uri provided")
    verifier = body["codeVerifier"]
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    # 43 to 128 characters: RFC 7636, section 4.1.
    if not 43 <= len(verifier) <= 128 or not hmac.compare_digest(
        challenge, sign_in.code_challenge
    ):
        raise _refusal("InvalidRequestException", "Invalid code verifier provided")
    return _complete(tenant, sign_in)


def _from_refresh_token(tenant, client, body):
    _require(body, "refreshToken")
    sso = tenant.sso
    token = sso.token("refresh", body["refreshToken"])
    if not sso.settings.refresh or token is None or token.client is not client:
        raise _refusal("InvalidGrantException", "Invalid refresh token provided")
    if sso.settings.rotate_refresh_tokens:
        token.alive = False
    return sso.issue_tokens(client, token.scopes, token.session)


def _complete(tenant, sign_in):
    if sign_in.state == "denied":
        raise _refusal("AccessDeniedException", "The request was denied by the user")
    if sign_in.state != "approved":
        raise _refusal("InvalidGrantException", "Invalid grant provided")
    sign_in.state = "used"
    return tenant.sso.issue_tokens(sign_in.client, sign_in.scopes)


def authorize_page(tenant, request, _body):
    """GET /authorize: where the PKCE flow sends the browser."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    client = tenant.sso.client(query.get("client_id"))
    redirect = query.get("redirect_uri", "")
    # No answer goes to an address that the client has not registered.
    if client is None or CODE_GRANT not in client.grant_types:
        return _page("Invalid client", 400)
    if not any(_same_redirect(redirect, known) for known in client.redirect_uris):
        return _page("Invalid redirect URI", 400)
    if tenant.sso.settings.authorization == "hold":
        return _page("Sign in to continue")

    def back(**answer):
        if "state" in query:
            answer["state"] = query["state"]
        separator = "&" if "?" in redirect else "?"
        location = f"{redirect}{separator}{urlencode(answer, quote_via=quote)}"
        return Response(302, b"", {"Location": location})

    scopes = query.get("scopes", "").replace(",", " ").split()
    if query.get("response_type") != "code":
        return back(error="unsupported_response_type")
    if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
        return back(error="invalid_request", error_description="S256 is required")
    if not query.get("state"):
        return back(error="invalid_request", error_description="state is missing")
    if not scopes or set(scopes) - set(client.scopes):
        return back(error="invalid_scope")
    if tenant.sso.settings.authorization == "deny":
        return back(
            error="access_denied", error_description="The user denied the request"
        )
    sign_in = tenant.sso.begin_in_browser(
        client, redirect, query["code_challenge"], scopes
    )
    return back(code=sign_in.code)


def device_page(tenant, request, _body):
    """GET /device: where a person types, or follows a link with, the user code."""
    user_code = dict(parse_qsl(request.query)).get("user_code")
    if user_code is None:
        return _page(
            'Enter the code <form><input name="user_code"><button>Next</button></form>'
        )
    state = tenant.sso.visit_device_page(user_code)
    if state is None:
        return _page(f"There is no code {escape(user_code)}", 400)
    return _page(f"The request is {state}")


def _page(text, status=200):
    return Response(
        status,
        f"<!doctype html><title>Sandbox sign-in</title><p>{text}</p>\n".encode(),
        {"Content-Type": "text/html; charset=utf-8"},
    )


def _client(tenant, body):
    client = tenant.sso.client(body["clientId"])
    if client is None or not hmac.compare_digest(client.secret, body["clientSecret"]):
        raise _refusal("InvalidClientException", "Invalid client provided")
    return client


def _require(body, *names):
    for name in names:
        if not body.get(name):
            raise _refusal("InvalidRequestException", f"Invalid request: no {name}")


def _refusal(code, description):
    status = 401 if code == "InvalidClientException" else 400
    return AwsError(code, description, status)


def _same_redirect(given, registered):
    """A loopback address may add any port (RFC 8252, section 7.3)."""
    given, registered = urlsplit(given), urlsplit(registered)
    return (given.scheme, _host(given), given.path, given.query) == (
        registered.scheme,
        _host(registered),
        registered.path,
        registered.query,
    )


def _host(parts):
    host = parts.hostname or ""
    return f"[{host}]" if ":" in host else host


def _base_url(tenant, request):
    return f"http://{request.headers.get('Host', '127.0.0.1')}/{tenant.account}"


OPERATIONS = {
    ("POST", "/client/register"): ("RegisterClient", register_client),
    ("POST", "/device_authorization"): (
        "StartDeviceAuthorization",
        start_device_authorization,
    ),
    ("POST", "/token"): ("CreateToken", create_token),
    ("GET", "/authorize"): ("Authorize", authorize_page),
    ("GET", "/device"): ("Device", device_page),
}
