"""Checks what the sandbox permits, its clock, and its quotas.

target/sandbox/venv/bin/python tests/sandbox/policies_selftest.py
"""

import json
import re
import time
import unittest
import urllib.request

from identity_test import SERIAL, IdentityTest


class Policies(IdentityTest):
    def denial(self, call, *arguments, **named):
        return self.refused(
            "UnauthorizedOperation", call, *arguments, status=403, **named
        )

    def decoded(self, message, sts=None):
        encoded = re.search("failure message: (.*)$", message).group(1)
        answer = (sts or self.sts).decode_authorization_message(EncodedMessage=encoded)
        return json.loads(answer["DecodedMessage"])

    def test_where_mfa_is_demanded_only_sessions_with_it_pass(self):
        self.control("PUT", "policy", {"require_mfa": True})
        device = {"serial": SERIAL, "codes": ["123456"]}
        self.control("PUT", "identity", {"mfa_devices": [device]})
        message = self.denial(self.launch, DryRun=True)
        self.assertIn(
            f"User: arn:aws:iam::{self.account}:user/sandbox is not authorized to "
            f"perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-2:{self.account}:"
            "instance/* with an explicit deny in an identity-based policy. Encoded "
            "authorization failure message: ",
            message,
        )
        self.assertNotIn("Encoded", self.denial(self.ec2.describe_images))
        plain = self.sts.get_session_token()["Credentials"]
        self.denial(self.client_of("ec2", plain).describe_images)
        keys = self.sts.get_session_token(SerialNumber=SERIAL, TokenCode="123456")
        ec2 = self.client_of("ec2", keys["Credentials"])
        self.refused("DryRunOperation", self.launch, client=ec2, DryRun=True, status=412)
        decoded = self.decoded(message)
        self.assertEqual((decoded["allowed"], decoded["explicitDeny"]), (False, True))
        context = decoded["context"]
        self.assertEqual(context["action"], "ec2:RunInstances")
        self.assertTrue(context["resource"].endswith(":instance/*"))
        self.assertTrue(context["principal"]["arn"].endswith(":user/sandbox"))
        statements = decoded["matchedStatements"]["items"]
        self.assertEqual([s["effect"] for s in statements], ["DENY"])
        keys = [item["key"] for item in context["conditions"]["items"]]
        self.assertIn("ec2:instancetype", [key.lower() for key in keys])

    def test_reasons_and_the_older_form(self):
        for reason, ending in (
            ("scp", "with an explicit deny in a service control policy"),
            ("boundary", "with an explicit deny in a permissions boundary"),
            ("implicit", "because no identity-based policy allows the ec2:RunInstances"),
        ):
            self.control("PUT", "policy", {"deny": ["ec2:RunInst*"], "reason": reason})
            self.assertIn(ending, self.denial(self.launch))
        self.ec2.describe_images(Owners=["amazon"])
        self.control("PUT", "policy", {"deny": ["ec2:*"], "older_messages": True})
        message = self.denial(self.launch)
        self.assertTrue(
            message.startswith(
                "You are not authorized to perform this operation. Encoded authorization"
            ),
            message,
        )
        self.assertEqual(
            self.denial(self.ec2.describe_images),
            "You are not authorized to perform this operation.",
        )
        self.control("PUT", "policy", {})
        self.launch()

    def test_decoding_is_a_permission_and_closed_to_sessions(self):
        self.control("PUT", "policy", {"deny": ["ec2:RunInstances"]})
        message = self.denial(self.launch)
        session = self.client_of("sts", self.sts.get_session_token()["Credentials"])
        self.refused("AccessDenied", self.decoded, message, session, status=403)
        self.decoded(message)
        self.refused(
            "InvalidAuthorizationMessageException",
            self.sts.decode_authorization_message,
            EncodedMessage="x" * 40,
        )
        self.control("PUT", "policy", {"deny": ["sts:Decode*", "sts:GetCallerIdentity"]})
        told = self.refused("AccessDenied", self.decoded, message, status=403)
        self.assertIn("perform: sts:DecodeAuthorizationMessage", told)
        self.sts.get_caller_identity()

    def test_each_permission_of_a_launch_is_needed(self):
        needed = ["ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"]
        iam = self.client("iam")
        iam.create_instance_profile(InstanceProfileName="p")
        iam.create_role(RoleName="machine", AssumeRolePolicyDocument="{}")
        iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="machine")
        tags = [{"Key": "a", "Value": "b"}]
        launch = {
            "IamInstanceProfile": {"Name": "p"},
            "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}],
        }
        self.control("PUT", "policy", {"allow": needed})
        self.launch(**launch)
        for missing in needed:
            rest = [action for action in needed if action != missing]
            self.control("PUT", "policy", {"allow": rest})
            message = self.denial(self.launch, **launch)
            self.assertIn(f"no identity-based policy allows the {missing} action", message)
        self.assertIn(f"on resource: arn:aws:iam::{self.account}:role/machine", message)

    def test_documents_are_evaluated(self):
        own = {"aws:ResourceTag/inductiva:launcher": "inductiva-aws"}
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": "ec2:RunInstances",
                    "Resource": "*",
                    "Condition": {"StringLike": {"aws:RequestedRegion": "eu-*"}},
                },
                {
                    "Effect": "Allow",
                    "Action": "ec2:CreateTags",
                    "Resource": f"arn:aws:ec2:*:{self.account}:*/*",
                    "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
                },
                {
                    "Effect": "Allow",
                    "Action": "ec2:TerminateInstances",
                    "Resource": "*",
                    "Condition": {"StringEquals": own},
                },
                {
                    "Effect": "Deny",
                    "Action": "ec2:RunInstances",
                    "Resource": "arn:aws:ec2:*:*:instance/*",
                    "Condition": {"StringNotEquals": {"ec2:InstanceType": ["t2.micro"]}},
                },
                {
                    "Effect": "Deny",
                    "NotAction": ["ec2:*", "sts:*"],
                    "Resource": "*",
                    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": False}},
                },
            ],
        }
        self.control("PUT", "policy", {"documents": [document]})
        tags = [{"Key": "inductiva:launcher", "Value": "inductiva-aws"}]
        specification = [{"ResourceType": "instance", "Tags": tags}]
        mine = self.launch_ids(TagSpecifications=specification)
        other = self.launch_ids()
        self.denial(self.ec2.terminate_instances, InstanceIds=other)
        self.denial(self.ec2.terminate_instances, InstanceIds=mine + other)
        self.ec2.terminate_instances(InstanceIds=mine)
        self.denial(self.ec2.create_tags, Resources=other, Tags=tags)
        self.assertIn("explicit deny", self.denial(self.launch, InstanceType="t3.micro"))
        far = self.client("ec2", region="us-east-1")
        self.assertIn("no identity-based", self.denial(self.launch, client=far))
        self.refused("AccessDenied", self.client("iam").list_roles, status=403)
        for wrong in (
            {"Effect": "Allow", "Action": "*"},
            {"Effect": "Yes", "Action": "*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}},
            },
        ):
            body = {"documents": [{"Statement": wrong}]}
            self.assertEqual(self.http("PUT", "/_sandbox/policy", body)[0], 400)
        self.assertEqual(self.http("PUT", "/_sandbox/policy", {"dney": []})[0], 400)


class ClockAndQuotas(IdentityTest):
    def set_clock(self, minutes):
        self.control("PUT", "settings", {"clock_offset_seconds": 60 * minutes})

    def test_a_clock_that_is_off_is_noticed(self):
        sts, ec2 = self.sts.get_caller_identity, self.ec2.describe_regions
        for minutes in (4, -4):
            self.set_clock(minutes)
            sts(), ec2()
        for minutes in (10, -10):
            self.set_clock(minutes)
            sts()
            self.refused("AuthFailure", ec2, status=401)
        self.set_clock(20)
        self.assertRegex(
            self.refused("SignatureDoesNotMatch", sts, status=403),
            r"Signature expired: \d+T\d+Z is now earlier than \d+T\d+Z \(\d+T\d+Z - 15 min",
        )
        self.refused("RequestExpired", ec2)
        self.set_clock(-20)
        message = self.refused("SignatureDoesNotMatch", sts, status=403)
        self.assertIn("Signature not yet current", message)

    def test_answers_say_what_time_it_is(self):
        self.set_clock(120)
        request = urllib.request.Request(f"{self.endpoint}/device")
        with urllib.request.urlopen(request, timeout=180) as answer:
            told = time.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        ahead = time.mktime(told) - time.mktime(time.gmtime())
        self.assertAlmostEqual(ahead, 7200, delta=10)

    def test_quotas(self):
        quotas = self.client("service-quotas")
        asked = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
        self.control("PUT", "quotas", {"L-1216C47A": 5, "L-34B43A08": None})
        quota = quotas.get_service_quota(**asked)["Quota"]
        self.assertEqual((quota["Value"], quota["QuotaCode"]), (5.0, "L-1216C47A"))
        self.refused(
            "NoSuchResourceException",
            quotas.get_service_quota,
            ServiceCode="ec2",
            QuotaCode="L-34B43A08",
        )
        self.control("PUT", "policy", {"deny": ["servicequotas:*"], "reason": "implicit"})
        message = self.refused("AccessDeniedException", quotas.get_service_quota, **asked)
        self.assertIn("perform: servicequotas:GetServiceQuota because no", message)
        self.assertEqual(self.operations("servicequotas"), ["GetServiceQuota"] * 3)


if __name__ == "__main__":
    unittest.main()
