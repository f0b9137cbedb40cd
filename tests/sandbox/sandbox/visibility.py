"""New instances do not show at once.

"Eventual consistency in the Amazon EC2 API" (EC2 developer guide): an id that
RunInstances answered may be unknown to the calls that follow. The settings
decide, and may be changed meanwhile: with `visible_after_seconds` at 0 all show.
Tags have a time of their own (`tagged_after_seconds`): an instance that shows may
show without them, and no filter by tag finds it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Launched:
    at: float
    place: int  # among the instances of its launch, from 0


class Visibility:
    def __init__(self, settings, traits, now):
        self._settings = settings
        self._traits = traits
        self._now = now
        self._launched = {}
        self._groups_made = {}

    def group_made(self, group_id):
        self._groups_made[group_id] = self._now()

    def knows_group(self, group_id):
        """Whether a security group that is there is known in all of EC2 by now."""
        made = self._groups_made.get(group_id)
        after = self._traits.groups_known_after_seconds
        return made is None or self._now() - made >= after

    def launched(self, instances):
        now = self._now()
        for place, instance in enumerate(instances):
            self._launched[instance.id] = _Launched(now, place)

    def hides_nothing(self):
        settings = self._settings
        return not (settings.visible_after_seconds or settings.tagged_after_seconds)

    def shows(self, instance):
        after = self._settings.visible_after_seconds
        launched = self._launched.get(instance.id)
        if not after or launched is None:
            return True
        if launched.place < self._settings.visible_at_once:
            return True
        return self._now() - launched.at >= after

    def shows_tags(self, instance):
        after = self._settings.tagged_after_seconds
        launched = self._launched.get(instance.id)
        return not after or launched is None or self._now() - launched.at >= after


class Untagged:
    """An instance as it shows while its tags do not."""

    tags = tag_set = tag_list = ()

    def __init__(self, instance):
        self._instance = instance

    def __getattr__(self, name):
        return getattr(self._instance, name)

    def get_tags(self):
        return []
