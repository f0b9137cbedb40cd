"""The part of the control endpoint that is about who may do what.

GET, PUT /identity   users, session_keys, mfa_devices, roles and switches: the
                     dataclasses of identity.py; also, to read, the keys `issued`
GET, PUT /policy     what callers may do: Policy in policy.py
GET, PUT /sso        Identity Center: Settings in sso.py; also, to read, all
                     clients, sign-ins and tokens, with their secrets
GET /secrets         [[name, value], …]: all that callers must not show, keys of
                     the Inductiva API and private keys too
POST /expire         {"what": ["session_keys", "clients", "device_codes",
                     "access_tokens", "refresh_tokens"]}, any of them
GET, PUT /signin     AWS Sign-In: Settings in console_sign_in.py
GET, PUT /quotas     {"L-1216C47A": 5, …}
PUT /kept_keys       {"names": […]}: what SSM and Secrets Manager keep
GET /aws_models      files that lead an old AWS CLI here: aws_models.py
"""

from .http import Response
from .moto_library import private_keys

_SSO_THINGS = ("clients", "device_codes", "access_tokens", "refresh_tokens")


def _get_identity(tenant, _given, _observer):
    with tenant.lock:
        return Response.of_json(tenant.identity.as_json())


def _put_identity(tenant, given, _observer):
    with tenant.lock:
        tenant.identity.change(given)
        return Response.of_json(tenant.identity.as_json())


def _get_policy(tenant, _given, _observer):
    policy = tenant.identity.policy
    return Response.of_json(policy.as_json() if policy else {})


def _put_policy(tenant, given, _observer):
    """The whole policy; {} lets everyone do everything again."""
    from .policy import Policy

    tenant.identity.policy = Policy(given) if given else None
    return Response.of_json(given)


def _get_sso(tenant, _given, _observer):
    with tenant.lock:
        return Response.of_json(tenant.sso.as_json())


def _put_sso(tenant, given, _observer):
    with tenant.lock:
        tenant.sso.change(given)
        return Response.of_json(tenant.sso.as_json())


def _get_secrets(tenant, _given, _observer):
    with tenant.lock:
        identity = tenant.identity
        secrets = [("INDUCTIVA_API_KEY", key) for key in tenant.inductiva.keys]
        secrets += [("AWS secret key", user.secret_access_key) for user in identity.users]
        for keys in (*identity.session_keys, *identity.issued()):
            secrets.append(("AWS secret key", keys.secret_access_key))
            secrets.append(("AWS session token", keys.session_token))
        for device in identity.mfa_devices:
            secrets += [("MFA code", code) for code in (*device.codes, *device.spent)]
        secrets += tenant.sso.secrets()
        sessions = tenant.console_sign_in.sessions
        secrets += [("refresh token of the console's", token) for token in sessions]
        # The first lines of a key in PEM are the same for many.
        for material in private_keys(tenant.account):
            lines = material.splitlines()
            secrets.append(("private key", lines[len(lines) // 2]))
        return Response.of_json(secrets)
def _get_signin(tenant, _given, _observer):
    with tenant.lock:
        return Response.of_json(tenant.console_sign_in.as_json())


def _put_signin(tenant, given, _observer):
    with tenant.lock:
        tenant.console_sign_in.change(given)
        return Response.of_json(tenant.console_sign_in.as_json())


def _expire(tenant, given, _observer):
    """{"what": [name, …]}: these have no validity left from now on."""
    with tenant.lock:
        for what in given["what"]:
            if what == "session_keys":
                tenant.identity.expire_session_keys()
            elif what in _SSO_THINGS:
                tenant.sso.expire(what)
            else:
                known = ["session_keys", *_SSO_THINGS]
                raise ValueError(f"nothing called {what!r} expires; known: {known}")
    return Response(204)


def _get_quotas(tenant, _given, _observer):
    return Response.of_json(tenant.quotas)


def _put_quotas(tenant, given, _observer):
    """{quota code: value}, null for a quota that there is not."""
    with tenant.lock:
        for code, value in given.items():
            if value is None:
                tenant.quotas.pop(code, None)
            else:
                tenant.quotas[code] = float(value)
        return Response.of_json(tenant.quotas)


def _put_kept_keys(tenant, given, _observer):
    tenant.kept_keys = list(given["names"])
    return Response.of_json(given)


def _get_aws_models(tenant, _given, observer):
    from .aws_models import endpoint_rules

    return Response.of_json(endpoint_rules(observer.endpoint_url(tenant.account)))


ROUTES = {
    ("GET", "/identity"): _get_identity,
    ("PUT", "/identity"): _put_identity,
    ("GET", "/policy"): _get_policy,
    ("PUT", "/policy"): _put_policy,
    ("GET", "/sso"): _get_sso,
    ("PUT", "/sso"): _put_sso,
    ("GET", "/secrets"): _get_secrets,
    ("GET", "/signin"): _get_signin,
    ("PUT", "/signin"): _put_signin,
    ("POST", "/expire"): _expire,
    ("PUT", "/kept_keys"): _put_kept_keys,
    ("GET", "/quotas"): _get_quotas,
    ("PUT", "/quotas"): _put_quotas,
    ("GET", "/aws_models"): _get_aws_models,
}
