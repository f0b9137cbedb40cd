"""A machine of EC2's kind on this one: see ../run."""
