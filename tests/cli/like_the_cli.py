"""What botocore, which the AWS CLI is made of, makes of profiles: the cases of
like_the_cli.rs on stdin, a JSON list; its answers on stdout, in their order."""

import json
import os
import sys

import botocore.session

CONFIG = "cli-config"
CREDENTIALS = "cli-credentials"


def answer(case: dict) -> dict:
    for path, text in ((CONFIG, case["config"]), (CREDENTIALS, case["credentials"])):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    os.environ.clear()
    os.environ.update(case["environment"])
    os.environ["AWS_CONFIG_FILE"] = CONFIG
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = CREDENTIALS
    try:
        # As the AWS CLI does it for --profile.
        session = botocore.session.Session()
        if case["flag"]:
            session.set_config_variable("profile", case["flag"])
        region = session.get_config_variable("region")
        credentials = session.get_credentials()
        if credentials is None:
            return {"error": "NoCredentials"}
        keys = credentials.get_frozen_credentials()
        arn = None
        if keys.token:
            client = session.create_client("sts", region_name="eu-west-2")
            arn = client.get_caller_identity()["Arn"]
        return {"id": keys.access_key, "secret": keys.secret_key, "token": keys.token or None, "region": region, "arn": arn}
    except Exception as error:  # Whatever it is, it is an answer.
        return {"error": f"{type(error).__name__}: {error}"}


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
