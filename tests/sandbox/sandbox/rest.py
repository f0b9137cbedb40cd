"""The services whose operations are paths: SSO OIDC, the SSO portal, AWS Sign-In.

A token in a header is a parameter of the call, so it is in the record with them.
"""

from urllib.parse import parse_qsl

from . import console_sign_in, sso_oidc, sso_portal

_ROUTES = {
    **{r: ("signin", *found) for r, found in console_sign_in.OPERATIONS.items()},
    **{route: ("sso-oidc", *found) for route, found in sso_oidc.OPERATIONS.items()},
    **{route: ("sso", *found) for route, found in sso_portal.OPERATIONS.items()},
}


def asked_by_path(request):
    """Service, operation, parameters and handler; None for another path."""
    route = _ROUTES.get((request.method, request.path))
    if route is None:
        return None
    service, operation, handler = route
    params = dict(parse_qsl(request.query, keep_blank_values=True))
    if service in ("sso-oidc", "signin"):
        try:
            body = request.json()
        except ValueError:
            body = None
        params.update(body if isinstance(body, dict) else {})
    else:
        params["accessToken"] = request.headers.get(sso_portal.TOKEN_HEADER)
    return service, operation, params, handler
