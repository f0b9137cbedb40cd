"""new_group.py FILE: makes a group on Inductiva's side; its name goes to FILE."""

import sys
import uuid

from boto3_start import inductiva

name = f"bench-{uuid.uuid4().hex[:8]}"
inductiva("POST", "/compute/group", {"provider_id": "LOCAL", "name": name})
with open(sys.argv[1], "w") as file:
    file.write(name)
