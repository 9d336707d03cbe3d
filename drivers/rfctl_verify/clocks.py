"""What is odd about the clocks of a log: time that goes back, jumps nobody noted, silence."""

from __future__ import annotations

from enum import Enum

from rfctl_verify.forms import seconds

SHOWN = 20
"""How many anomalies are named; the rest are counted."""
_SECOND = 1_000_000_000
_GAP_NS = 120 * _SECOND


class Step(Enum):
    """What a record says itself of the clocks."""

    NONE = "it goes on"
    TOLD = "a clock stepped"
    SESSION = "a session begins"


class Clocks:
    """Looks at each record beside the one before it.

    Attributes:
        anomalies: The first ones, as text.
        count: How many there are.
    """

    def __init__(self) -> None:
        self.anomalies: list[str] = []
        self.count = 0
        self._boot = self._state = b""
        self._mono = self._boottime = self._wall = 0
        self._minute = b""
        self._minute_ns = 0
        self._checkpoint: tuple[bytes, bytes, int] | None = None

    def note(self, seq: int, boot: bytes, mono: int, boottime: int, wall_text: bytes, state: bytes, step: Step) -> None:
        """The next record."""
        wall = self._wall_ns(wall_text)
        if boot == self._boot:
            boottime_passed = boottime - self._boottime
            mono_passed = mono - self._mono
            if mono_passed < 0 or boottime_passed < 0:
                self.add(seq, "monotonic time goes back")
            if step is Step.NONE:
                if not -_SECOND <= boottime_passed - mono_passed <= _SECOND:
                    self.add(seq, "suspended for a while, and the log does not say so")
                if not -_SECOND <= wall - self._wall - boottime_passed <= _SECOND:
                    self.add(seq, "the wall clock stepped, and the log does not say so")
        new = boot != self._boot or step is Step.SESSION
        if new and self._wall - wall > _SECOND and b"simulated" not in (state, self._state):
            self.add(seq, "wall time goes back over a boot or a session")
        self._boot, self._mono, self._boottime, self._wall, self._state = boot, mono, boottime, wall, state

    def note_checkpoint(self, seq: int, epoch: bytes, boot: bytes, mono: int) -> None:
        """A checkpoint; they come at least once a minute, and twice that is allowed."""
        before = self._checkpoint
        if before and before[0] == epoch and before[1] == boot and mono - before[2] > _GAP_NS:
            self.add(seq, f"{(mono - before[2]) / _SECOND:.0f} s without a checkpoint")
        self._checkpoint = (epoch, boot, mono)

    def note_validity(self, seq: int, wall_text: bytes, not_before_s: int, not_after_s: int | None) -> None:
        """An epoch whose certificate holds for this time."""
        wall = self._wall_ns(wall_text)
        if wall < not_before_s * _SECOND:
            self.add(seq, "the epoch begins before its certificate is valid")
        if not_after_s is not None and wall > not_after_s * _SECOND:
            self.add(seq, "the epoch begins after its certificate has expired")

    def _wall_ns(self, text: bytes) -> int:
        minute = text[:16]
        if minute != self._minute:
            self._minute, self._minute_ns = minute, seconds(minute + b":00") * _SECOND
        return self._minute_ns + int(text[17:19] + text[20:26]) * 1000

    def add(self, seq: int, what: str) -> None:
        """Say that something is odd about record ``seq``."""
        self.count += 1
        if len(self.anomalies) < SHOWN:
            self.anomalies.append(f"record {seq}: {what}")
