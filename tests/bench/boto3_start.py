"""What `inductiva-aws start` asks of AWS and Inductiva, made with boto3.

boto3_start.py N                the same calls, N machines in one launch (the prices are in
                                the cache of `start`, so neither asks for them)
boto3_start.py N --one-by-one   looks its group up, then launches N times one
                                machine, as launchers in Python do
"""

import base64
import json
import os
import sys
import urllib.request
import uuid

import boto3

UBUNTU = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"


def inductiva(method, path, body=None):
    request = urllib.request.Request(
        os.environ["INDUCTIVA_API_URL"] + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={
            "X-API-Key": os.environ["INDUCTIVA_API_KEY"],
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def main(number, one_by_one):
    group = f"aws-{uuid.uuid4().hex[:8]}"
    ec2 = boto3.client("ec2")
    ec2.describe_instances(Filters=[{"Name": "tag:inductiva:machine-group", "Values": [group]}])
    if one_by_one:
        image = "ami-0ab00000000000003"
        security_groups = None
    else:
        boto3.client("sts").get_caller_identity()
        inductiva("GET", f"/compute/group/{group}")
        images = ec2.describe_images(
            Owners=["099720109477"], Filters=[{"Name": "name", "Values": [UBUNTU]}]
        )["Images"]
        image = max(images, key=lambda image: image["CreationDate"])["ImageId"]
        ec2.describe_instance_types(InstanceTypes=["t2.micro"])
        ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])
        ec2.describe_route_tables()
        security_groups = [
            g["GroupId"]
            for g in ec2.describe_security_groups(
                Filters=[{"Name": "group-name", "Values": ["inductiva-aws"]}]
            )["SecurityGroups"]
        ]
        inductiva("POST", "/compute/group", {"provider_id": "LOCAL", "name": group})
        inductiva("GET", "/compute/groups")
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "inductiva:machine-group", "Value": group}]}
        for kind in ("instance", "volume", "network-interface")
    ]
    launches = [1] * number if one_by_one else [number]
    for count in launches:
        ec2.run_instances(
            ImageId=image,
            InstanceType="t2.micro",
            MinCount=count,
            MaxCount=count,
            UserData=base64.b64encode(b"#!/bin/bash\n" + b"# " * 3_000).decode(),
            TagSpecifications=tags,
            **({"SecurityGroupIds": security_groups} if security_groups else {}),
        )
    if not one_by_one:
        ec2.describe_instances(Filters=[{"Name": "tag:inductiva:machine-group", "Values": [group]}])


if __name__ == "__main__":
    main(int(sys.argv[1]), "--one-by-one" in sys.argv)
