"""What machines say on their consoles, and what EC2 has posted of it."""

import time


class Consoles:
    def __init__(self, settings):
        self._settings = settings
        self._said = {}

    def say(self, instance_id, text):
        """`text` is all that the machine has said on its console."""
        self._said.setdefault(instance_id, []).append((time.monotonic(), text))

    def read(self, instance_id, live):
        """The bytes that are there now; of one that is not live, what is posted."""
        by = time.monotonic()
        if not live:
            by -= self._settings.console_posted_after_seconds
        there = [text for at, text in self._said.get(instance_id, []) if at <= by]
        return there[-1].encode() if there else b""
