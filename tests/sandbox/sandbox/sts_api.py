"""STS: identities, sessions with and without MFA, roles, decoded denials.

moto hands out the same keys to everyone, so only its serializer is used.
"""

import base64
import datetime
import re
import time
import zlib

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from .aws_errors import AwsError, denied
from .credentials import role_caller
from .moto_api import MotoApi

OPERATIONS = {
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "DecodeAuthorizationMessage",
    "GetCallerIdentity",
    "GetSessionToken",
}
# What a session of GetSessionToken may call ("GetSessionToken", API reference).
_OPEN_TO_SESSIONS = {"AssumeRole", "GetCallerIdentity"}
# Roles that are assumed with temporary keys ("Role chaining", IAM user guide).
_MAX_CHAINED_SECONDS = 3600
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[\x21-\x7e]*/)?([\w+=,.@-]{1,64})")
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")


class StsApi(MotoApi, TokenResponse):
    def perform(self, tenant, form, caller=None):
        operation = form.get("Action", "")
        if operation not in OPERATIONS:
            raise AwsError(
                "InvalidAction",
                f"Could not find operation {operation} for version 2011-06-15",
            )
        if caller is not None and caller.kind == "session":
            if operation not in _OPEN_TO_SESSIONS:
                raise _access_denied(
                    f"Cannot call {operation} with session credentials"
                )
        return super().perform(tenant, form, caller)

    def get_caller_identity(self):
        return ActionResult(
            {
                "UserId": self.caller.user_id,
                "Account": self.caller.account,
                "Arn": self.caller.arn,
            }
        )

    def get_session_token(self):
        if self.caller.kind != "user":
            raise _access_denied("Cannot call GetSessionToken with session credentials")
        seconds = self._duration(default=43200, most=129600)
        mfa = self._check_mfa()
        identity = self.tenant.identity
        session = identity.session_caller(self.caller.user, mfa)
        return ActionResult(_credentials(identity.issue(session, seconds)))

    def assume_role(self):
        account, name = self._role_asked_for()
        session_name = self._session_name()
        seconds = self._duration(default=3600, most=43200)
        refusal = denied(
            self.caller, "sts", "sts:AssumeRole", self.form["RoleArn"], ending=""
        )
        identity = self.tenant.tenants[account].identity
        role = identity.role(name)
        if role is None or role.external_id != self.form.get("ExternalId"):
            raise refusal
        mfa = self._check_mfa() or self.caller.mfa is True
        if role.requires_mfa and not mfa:
            raise refusal
        if self.caller.kind != "user" and seconds > _MAX_CHAINED_SECONDS:
            raise _invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for "
                "roles assumed by role chaining"
            )
        return self._assumed(account, role, session_name, seconds, mfa)

    def assume_role_with_web_identity(self):
        account, name = self._role_asked_for()
        session_name = self._session_name()
        seconds = self._duration(default=3600, most=43200)
        token = self.form.get("WebIdentityToken", "")
        if not 4 <= len(token) <= 20000:
            raise _constraint("webIdentityToken", token, "length between 4 and 20000")
        identity = self.tenant.tenants[account].identity
        if identity.web_identity == "expired":
            now = int(self.tenant.now())
            raise AwsError(
                "ExpiredTokenException",
                f"Token expired: current date/time {now} must be before the "
                f"expiration date/time {now - 60}",
            )
        if identity.web_identity == "reject":
            raise AwsError(
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider, please "
                "reference AssumeRoleWithWebIdentity documentation for requirements",
            )
        role = identity.role(name)
        if role is None or role.requires_mfa:
            raise _access_denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return self._assumed(account, role, session_name, seconds, mfa=False)

    def decode_authorization_message(self):
        encoded = self.form.get("EncodedMessage", "")
        if not 1 <= len(encoded) <= 10240:
            raise _constraint("encodedMessage", encoded, "length between 1 and 10240")
        try:
            # As permissions.py encodes it.
            decoded = zlib.decompress(base64.urlsafe_b64decode(encoded)).decode()
        except (ValueError, zlib.error):
            raise AwsError(
                "InvalidAuthorizationMessageException",
                "The message is not a valid encoded authorization message",
            ) from None
        return ActionResult({"DecodedMessage": decoded})

    def _assumed(self, account, role, session_name, seconds, mfa):
        if seconds > role.max_session_seconds:
            raise _invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for "
                "this role."
            )
        assumed = role_caller(account, role.name, session_name, mfa)
        keys = self.tenant.tenants[account].identity.issue(assumed, seconds)
        return ActionResult(
            {
                **_credentials(keys),
                "AssumedRoleUser": {
                    "AssumedRoleId": assumed.user_id,
                    "Arn": assumed.arn,
                },
            }
        )

    def _role_asked_for(self):
        arn = self.form.get("RoleArn", "")
        match = _ROLE_ARN.fullmatch(arn)
        if match is None:
            raise _invalid(f"{arn} is invalid")
        return match.groups()

    def _session_name(self):
        name = self.form.get("RoleSessionName", "")
        if not _SESSION_NAME.fullmatch(name):
            raise _constraint(
                "roleSessionName", name, r"satisfy regular expression pattern: [\w+=,.@-]*"
            )
        return name

    def _duration(self, default, most, least=900):
        given = self.form.get("DurationSeconds", str(default))
        if not given.isdecimal() or int(given) < least:
            raise _constraint(
                "durationSeconds", given, f"value greater than or equal to {least}"
            )
        if int(given) > most:
            raise _constraint(
                "durationSeconds", given, f"value less than or equal to {most}"
            )
        return int(given)

    def _check_mfa(self):
        """Whether a good code came with the call. Raises AwsError for a bad one."""
        serial, code = self.form.get("SerialNumber"), self.form.get("TokenCode")
        if serial is None and code is None:
            return False
        if code is not None and not re.fullmatch(r"[0-9]{6}", code):
            raise _constraint(
                "tokenCode", code, r"satisfy regular expression pattern: [\d]*{6}"
            )
        if serial is None or code is None:
            raise _access_denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number "
                "and one time pass code."
            )
        good = self.tenant.identity.spend_code(serial, code, self.caller.user)
        if good is None:
            raise _access_denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please "
                "verify your MFA serial number is valid and associated with this user."
            )
        if not good:
            raise _access_denied(
                "MultiFactorAuthentication failed with invalid MFA one time pass code. "
            )
        return True


def _credentials(keys):
    expiration = time.gmtime(keys.expires_at)[:6]
    return {
        "Credentials": {
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
            "Expiration": datetime.datetime(*expiration),
        }
    }


def _access_denied(message):
    return AwsError("AccessDenied", message, 403)


def _invalid(message):
    return AwsError("ValidationError", message)


def _constraint(name, value, constraint):
    return _invalid(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy "
        f"constraint: Member must {'' if 'satisfy' in constraint else 'have '}{constraint}"
    )
