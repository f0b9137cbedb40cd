"""STS and IAM, as far as a launcher and its tests need them."""

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse
from moto.sts.responses import TokenResponse

from .moto_api import MotoApi


class StsApi(MotoApi, TokenResponse):
    def get_caller_identity(self):
        account = self.current_account
        return ActionResult(
            {
                "UserId": "AIDASANDBOXUSEREXAMPLE",
                "Account": account,
                "Arn": f"arn:aws:iam::{account}:user/sandbox",
            }
        )


class IamApi(MotoApi, IamResponse):
    """moto's, so that a test can make an instance profile."""
