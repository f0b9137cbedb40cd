"""IAM, as far as a launcher's tests need it."""

from moto.iam.responses import IamResponse

from .moto_api import MotoApi


class IamApi(MotoApi, IamResponse):
    """moto's, so that a test can make an instance profile."""
