"""The SSO portal: what an access token is good for."""

from .aws_errors import AwsError
from .http import Response
from .sso import ACCOUNT_SCOPE

TOKEN_HEADER = "x-amz-sso_bearer_token"


def list_accounts(tenant, request, query):
    _token(tenant, request)
    accounts = [
        {
            "accountId": account["account_id"],
            "accountName": account.get("name", account["account_id"]),
            "emailAddress": account.get("email", f"{account['account_id']}@example.com"),
        }
        for account in tenant.sso.accounts()
    ]
    return _page("accountList", accounts, query)


def list_account_roles(tenant, request, query):
    _token(tenant, request)
    account_id, roles = _account(tenant, query)
    listed = [{"roleName": role, "accountId": account_id} for role in roles]
    return _page("roleList", listed, query)


def get_role_credentials(tenant, request, query):
    _token(tenant, request)
    role = query.get("role_name")
    if not role:
        raise AwsError("InvalidRequestException", "role_name is missing")
    account_id, roles = _account(tenant, query)
    if role not in roles:
        raise _forbidden()
    keys = tenant.sso.role_keys(account_id, role)
    return Response.of_json(
        {
            "roleCredentials": {
                "accessKeyId": keys.access_key_id,
                "secretAccessKey": keys.secret_access_key,
                "sessionToken": keys.session_token,
                "expiration": int(keys.expires_at) * 1000,
            }
        }
    )


def logout(tenant, request, _query):
    tenant.sso.end_session(_token(tenant, request))
    return Response(200)


def _token(tenant, request):
    token = tenant.sso.token("access", request.headers.get(TOKEN_HEADER))
    if token is None:
        raise AwsError(
            "UnauthorizedException", "Session token not found or invalid", 401
        )
    # A client without a scope is a legacy profile's: it may.
    if token.scopes and ACCOUNT_SCOPE not in token.scopes:
        raise _forbidden()
    return token


def _account(tenant, query):
    account_id = query.get("account_id", "")
    if not (account_id.isdecimal() and len(account_id) == 12):
        raise AwsError("InvalidRequestException", "account_id is not an account")
    roles = tenant.sso.roles(account_id)
    if roles is None:
        raise _forbidden()
    return account_id, roles


def _forbidden():
    return AwsError("ForbiddenException", "No access", 403)


def _page(name, items, query):
    most = query.get("max_result", "100")
    if not most.isdecimal() or not 1 <= int(most) <= 100:
        raise AwsError("InvalidRequestException", "max_result must be 1 to 100")
    start = query.get("next_token", "0")
    if not start.isdecimal() or int(start) > len(items):
        raise AwsError("InvalidRequestException", "next_token is invalid")
    end = int(start) + int(most)
    answer = {name: items[int(start) : end]}
    if end < len(items):
        answer["nextToken"] = str(end)
    return Response.of_json(answer)


OPERATIONS = {
    ("GET", "/assignment/accounts"): ("ListAccounts", list_accounts),
    ("GET", "/assignment/roles"): ("ListAccountRoles", list_account_roles),
    ("GET", "/federation/credentials"): ("GetRoleCredentials", get_role_credentials),
    ("POST", "/logout"): ("Logout", logout),
}
