"""When a record is made, by every clock there is, and whether one of them stepped since the last one."""

from __future__ import annotations

import ctypes
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rfctl.clock import NS_PER_S
from rfctl.record.body import Stamp
from rfctl.record.boot import boot_id

if TYPE_CHECKING:
    from rfctl.clock import Clock

STEP_NS: Final = NS_PER_S
"""A clock that moved by more than this against the others has stepped."""
SYNC_EVERY_NS: Final = 10 * NS_PER_S
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMEX_BYTES: Final = 256
_TIME_ERROR: Final = 5
_REAL: Final = "real"


class Stamps:
    """Stamps of one session."""

    def __init__(self, clock: Clock, backend: str) -> None:
        """Time that is not the machine's is of no boot of the machine: it gets a name of its own.

        Raises:
            RecordError: The machine does not tell its boot.
        """
        self._clock = clock
        self._backend = backend
        self._real = clock.scale == _REAL
        self._boot = boot_id() if self._real else str(uuid.uuid4())
        self._sync_state = "simulated"
        self._sync_due_ns = 0
        self._second = -1
        self._second_text = ""
        self._suspended_ns: int | None = None
        self._wall_less_boot_ns = 0

    def now(self) -> tuple[Stamp, dict[str, object] | None]:
        """The stamp of this moment; and when a clock stepped since the last one, by how much, as a ``clock`` record
        says it.
        """
        clock = self._clock
        mono_ns, boottime_ns, utc = clock.monotonic_ns(), clock.boottime_ns(), clock.utc()
        suspended_ns = boottime_ns - mono_ns
        wall_ns = wall_ns_of(utc)
        wall_less_boot_ns = wall_ns - boottime_ns
        stepped: dict[str, object] | None = None
        if self._suspended_ns is not None:
            slept_ns, step_ns = suspended_ns - self._suspended_ns, wall_less_boot_ns - self._wall_less_boot_ns
            if abs(slept_ns) > STEP_NS or abs(step_ns) > STEP_NS:
                stepped = {"wall_step_ns": str(step_ns), "suspended_ns": str(slept_ns)}
        self._suspended_ns, self._wall_less_boot_ns = suspended_ns, wall_less_boot_ns
        if self._real and mono_ns >= self._sync_due_ns:
            self._sync_due_ns = mono_ns + SYNC_EVERY_NS
            self._sync_state = _sync_state()
        second, past_ns = divmod(wall_ns, NS_PER_S)
        if second != self._second:
            self._second, self._second_text = second, f"{utc.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        wall = f"{self._second_text}.{past_ns // 1000:06d}Z"
        return Stamp(self._boot, mono_ns, boottime_ns, wall, self._sync_state, self._backend), stepped


def wall_ns_of(utc: datetime) -> int:
    """Nanoseconds since 1970, of which the last three digits are 0."""
    since = utc - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000


def _sync_state() -> str:
    """Whether the kernel believes that somebody sets its wall clock."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return "unknown"
    state = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state < 0:
        return "unknown"
    return "unsynchronised" if state == _TIME_ERROR else "synchronised"
