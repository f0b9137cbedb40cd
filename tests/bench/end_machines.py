"""Ends all machines and leaves the Inductiva groups: between two measurements."""

import boto3

ec2 = boto3.client("ec2")
states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
ids = [
    instance["InstanceId"]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=states)
    for reservation in page["Reservations"]
    for instance in reservation["Instances"]
]
if ids:
    ec2.terminate_instances(InstanceIds=ids)
