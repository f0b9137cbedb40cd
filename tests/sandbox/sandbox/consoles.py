"""What machines say on their consoles, and what EC2 has posted of it."""

class Consoles:
    def __init__(self, settings, now):
        self._settings = settings
        self._now = now
        self._said = {}
        self._by_all = ""

    def say(self, instance_id, text):
        """`text` is all that the machine has said on its console; `*` for all machines
        that say nothing else, as soon as they run."""
        if instance_id == "*":
            self._by_all = text
            return
        self._said.setdefault(instance_id, []).append((self._now(), text))

    def read(self, instance_id, live, runs):
        """The bytes that are there now; of one that is not live, what is posted."""
        if instance_id not in self._said:
            return self._by_all.encode() if runs else b""
        by = self._now()
        if not live:
            by -= self._settings.console_posted_after_seconds
        there = [text for at, text in self._said.get(instance_id, []) if at <= by]
        return there[-1].encode() if there else b""
