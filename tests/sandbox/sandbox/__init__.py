"""The local stand-in for EC2, STS and the Inductiva API.

One process on loopback: moto's EC2, STS and IAM with the semantics of AWS's
documentation put over them (`aws`, `ec2_*`), the Inductiva API (`inductiva`),
and a control endpoint for tests (`control`). The first path segment, an AWS
account id, keeps tests apart: all state hangs on a `Tenant`.
"""
