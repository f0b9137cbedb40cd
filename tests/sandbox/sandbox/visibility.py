"""New instances do not show at once.

"Eventual consistency in the Amazon EC2 API" (EC2 developer guide): an id that
RunInstances answered may be unknown to the calls that follow. The settings
decide, and may be changed meanwhile: with `visible_after_seconds` at 0 all show.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Launched:
    at: float
    place: int  # among the instances of its launch, from 0


class Visibility:
    def __init__(self, settings, now):
        self._settings = settings
        self._now = now
        self._launched = {}

    def launched(self, instances):
        now = self._now()
        for place, instance in enumerate(instances):
            self._launched[instance.id] = _Launched(now, place)

    def shows(self, instance):
        after = self._settings.visible_after_seconds
        launched = self._launched.get(instance.id)
        if not after or launched is None:
            return True
        if launched.place < self._settings.visible_at_once:
            return True
        return self._now() - launched.at >= after
