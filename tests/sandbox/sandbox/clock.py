"""An account's clock: the computer's, until a test stops it; then it is a value.

A clock that stands moves only when

- a test moves it (`advance`), or a fault does that stalls a call: time that
  passes for everybody,
- a program pauses that runs by this clock (`INDUCTIVA_AWS_TEST_CLOCK`, see the
  program's src/time.rs): its pause is over at once, and the clock has moved by
  it (`pause`). The time limits of other programs do not see that. With
  `pauses_wait` a pause goes on until the test lets its time pass.
"""

import threading
import time

_MICROSECONDS = 1_000_000
_HOUR = 3_600
# A program that was killed says nothing more: its connection tells.
_LOOK_EVERY = 0.2
# A test that waits for what does not come fails by then.
_PATIENCE = 120


def _micros(seconds):
    return round(seconds * _MICROSECONDS)


class Clock:
    def __init__(self):
        self._changed = threading.Condition()
        # In microseconds: sums of fractions would be off by the last digit.
        self._stands_at = None
        self._hours_offset = 0
        self._moved = 0
        # When the pauses are over that wait for the test.
        self._pauses = set()
        self.pauses_wait = False
        # What each program that runs by this clock has seen of `_moved`.
        self._seen = {}
        self._joined = set()

    def now(self):
        """Seconds since 1970."""
        stands_at = self._stands_at
        return time.time() if stands_at is None else stands_at / _MICROSECONDS

    def stand(self):
        """Stops it. The hours of the program's client tokens turn by it as if it were
        40 minutes past: a test meets their turn only where it is about that."""
        with self._changed:
            self._stands_at = _micros(self.now())
            self._hours_offset = (_micros(40 * 60) - self._stands_at) % _micros(_HOUR)

    def advance(self, seconds):
        """Raises ValueError while the clock runs."""
        with self._changed:
            self._advance(_micros(seconds))

    def pass_pause(self):
        """Waits until a program pauses, and lets that time pass; the seconds.
        Raises ValueError when none comes to pause."""
        with self._changed:
            self._await_pause()
            micros = min(self._open_pauses()) - self._stands_at
            self._advance(micros)
            return micros / _MICROSECONDS

    def await_pause(self):
        """Waits until a program pauses."""
        with self._changed:
            self._await_pause()

    def let_pauses_go(self):
        """No pause waits any more."""
        with self._changed:
            self.pauses_wait = False
            if self._open_pauses():
                self._advance(min(self._open_pauses()) - self._stands_at)

    def stall(self, seconds):
        """A call that takes so long: whoever has a time limit has dealt with it
        when this returns. A clock that runs is waited for."""
        if self._stands_at is None:
            time.sleep(seconds)
            return
        with self._changed:
            self._advance(_micros(seconds))
            moved = self._moved
            self._changed.wait_for(
                lambda: all(seen >= moved for seen in self._seen.values()), _PATIENCE
            )

    def pause(self, until):
        """A program pauses until then, in microseconds."""
        with self._changed:
            self._require_standing()
            if self.pauses_wait:
                self._pauses.add(until)
                self._changed.notify_all()
            else:
                self._stands_at = max(self._stands_at, until)

    def join(self, program):
        """From now on, stalls wait until this program has seen them."""
        with self._changed:
            self._seen.setdefault(program, self._moved)
            self._joined.add(program)

    def wait(self, program, seen, has_gone):
        """Until the clock was moved beyond the microseconds that the program has
        seen of it."""
        with self._changed:
            self._seen[program] = seen
            self._changed.notify_all()
            while self._moved <= seen and not has_gone():
                self._changed.wait(_LOOK_EVERY)
            # One that has ended will not tell that it has seen the clock moved.
            if self._moved <= seen or has_gone():
                del self._seen[program]
                self._changed.notify_all()

    def as_json(self):
        with self._changed:
            return {
                "stands": self._stands_at is not None,
                "now": self.now(),
                "programs": len(self._joined),  # that have run by it so far
            }

    def header(self):
        """What every answer says of a clock that stands, None of one that runs:
        the time, by how much it was moved, and how far the hours of client tokens
        are ahead of it, in microseconds."""
        with self._changed:
            if self._stands_at is None:
                return None
            return f"{self._stands_at} {self._moved} {self._hours_offset}"

    def _advance(self, micros):
        self._require_standing()
        self._stands_at += micros
        self._moved += micros
        self._pauses = self._open_pauses()
        self._changed.notify_all()

    def _open_pauses(self):
        return {until for until in self._pauses if until > self._stands_at}

    def _await_pause(self):
        self._require_standing()
        if not self._changed.wait_for(self._open_pauses, _PATIENCE):
            raise ValueError("no program pauses")

    def _require_standing(self):
        if self._stands_at is None:
            raise ValueError("the clock runs: it has to stand to be moved")
