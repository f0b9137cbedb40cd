"""The record of every request: what was asked, when, and how it ended."""

import threading
import time


class Recorder:
    def __init__(self):
        self._entries = []
        self._lock = threading.Lock()
        self._count = 0

    def begin(self, **facts):
        """Adds an entry with `n` and `started`; `end` completes it."""
        with self._lock:
            self._count += 1
            entry = {
                "n": self._count,
                **facts,
                "started": time.monotonic(),
                "ended": None,
                "status": None,
                "error_code": None,
            }
            self._entries.append(entry)
            return entry

    @staticmethod
    def end(entry, status, error_code=None):
        """`status` is None when the connection was closed without an answer."""
        entry.update(ended=time.monotonic(), status=status, error_code=error_code)

    def entries(self):
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def clear(self):
        with self._lock:
            self._entries.clear()
