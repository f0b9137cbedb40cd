"""All that the sandbox keeps for one AWS account."""

import threading
from dataclasses import asdict, dataclass, fields
from functools import cached_property

from .buckets import Buckets
from .capacity import Capacity
from .clock import Clock
from .consoles import Consoles
from .credentials import KeyRegistry
from .faults import Faults
from .identity import Identity
from .inductiva_groups import Groups
from .launches import Launches
from .lifecycle import Lifecycle
from .machine_images import MachineImages
from .recorder import Recorder
from .spot import SpotRequests
from .traits import Traits
from .visibility import Visibility

DEFAULT_ACCOUNT = "123456789012"
DEFAULT_REGION = "eu-west-2"


@dataclass
class Settings:
    delay_ms: float = 0  # before each answer, slept while others are served
    pending_seconds: float = 0.5
    shutting_down_seconds: float = 0.3
    stopping_seconds: float = 0.3
    # How long a new image is pending.
    image_pending_seconds: float = 0.5
    # How long after CreateImage it shows in no answer.
    images_shown_after_seconds: float = 0
    # How long new instances do not show, but for the first so many of a launch.
    visible_after_seconds: float = 0
    visible_at_once: int = 0
    # How long instances that show do so without their tags.
    tagged_after_seconds: float = 0
    # How long after it was said something is on a console that is not live.
    console_posted_after_seconds: float = 0
    # Whether EC2 throttles as it does an account with its default limits: 0, 1.
    strict_buckets: int = 0
    # How far the clock of AWS is ahead of the caller's. While it is not 0, the
    # times of signatures are checked.
    clock_offset_seconds: float = 0

    def merge(self, changes):
        """Raises ValueError at an unknown setting or a value that is no number ≥ 0;
        only the clock may be behind."""
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; known: {sorted(known)}")
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{name} must be a number, not {value!r}")
            if value < 0 and name != "clock_offset_seconds":
                raise ValueError(f"{name} must not be negative")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_json(self):
        return asdict(self)


class Tenant:
    def __init__(self, account, tenants):
        self.account = account
        self.tenants = tenants
        self.keys = tenants.keys
        # moto is not made for threads: one request of an account at a time is
        # inside it. Delays and stalls are waited for outside.
        self.lock = threading.RLock()
        self.clock = Clock()
        self.settings = Settings()
        self.recorder = Recorder()
        self.faults = Faults(self.clock.now)
        self.launches = Launches(self.now)
        self.traits = Traits()
        self.lifecycle = Lifecycle(self.settings, self.traits, self.clock.now)
        self.machine_images = MachineImages(
            self.settings, self.traits, self.clock.now, self.now
        )
        self.visibility = Visibility(self.settings, self.traits, self.clock.now)
        self.buckets = Buckets(self.launches, self.clock.now)
        self.capacity = Capacity()
        self.spot_requests = SpotRequests()
        self.inductiva = Groups(self.clock.now)
        self.consoles = Consoles(self.settings, self.clock.now)
        self.identity = Identity(account, self.keys, self.now)
        # What SSM and Secrets Manager keep, by its name.
        self.kept_keys = []

    def now(self):
        """Seconds since 1970 as AWS has it."""
        return self.clock.now() + self.settings.clock_offset_seconds

    # Made at first use, as most accounts need none.
    @cached_property
    def sso(self):
        from .sso import Sso

        return Sso(self.account, self.tenants, self.now)

    @cached_property
    def console_sign_in(self):
        from .console_sign_in import ConsoleSignIn

        return ConsoleSignIn(self.account, self.identity, self.now)

    @cached_property
    def prices(self):
        from .prices import Prices

        return Prices()

    @cached_property
    def quotas(self):
        """Values of EC2's quotas by code."""
        from .service_quotas import DEFAULT_VALUES

        return dict(DEFAULT_VALUES)


class Tenants:
    def __init__(self):
        self.keys = KeyRegistry()
        self._by_account = {}
        self._lock = threading.Lock()

    def __getitem__(self, account):
        with self._lock:
            if account not in self._by_account:
                self._by_account[account] = Tenant(account, self)
            return self._by_account[account]

    def forget(self, account):
        with self._lock:
            self._by_account.pop(account, None)
        self.keys.forget(account)
