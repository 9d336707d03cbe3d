"""What the guard hears, does and remembers: values alone; what follows from them is rfctl.guard.step."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

from rfctl.guard import limits
from rfctl.guard.sample import Sample
from rfctl.link import relay_hold
from rfctl.link.relay import Contact
from rfctl.link.relay_hold import Hold, HoldPlan
from rfctl.link.relay_proof import Answered, Due, RelayProof, Unanswered


class Wanted(IntEnum):
    """What the station wants of a channel's output."""

    NOTHING = 0
    STIMULATION = 1
    RF = 2


class Stage(StrEnum):
    """Where the guard is."""

    NEW = "new"
    PROVING = "proving the relay"
    READY = "ready"
    HOLDING = "holding"
    OPENING = "letting go"
    LATCHED = "let go for good"


class Setup(NamedTuple):
    """What a guard never changes.

    Attributes:
        contact: The relay's.
        tenths: Time of each flash-on, tenths of a second.
        reply_ns: Longest time of one request to the board.
        hold_up_ns: The loop's, behind the contact, as measured on a load.
        channels: Of the generator.
        temperature_max_c: No reading above it; at most limits.TEMPERATURE_MAX_C.
        thermocouple: There is one in the electrode; False for a test load.
        spacing_ns: A good cycle that comes so soon after a flash-on brings none; 0: each brings one.
        look_ns: A contact that was seen closed is looked at again after this.
    """

    contact: Contact
    tenths: int
    reply_ns: int
    hold_up_ns: int
    channels: int
    temperature_max_c: float = limits.TEMPERATURE_MAX_C
    thermocouple: bool = True
    spacing_ns: int = 0
    look_ns: int = relay_hold.LOOK_EVERY_NS


class Begin(NamedTuple):
    """Prove the relay: every output is off."""

    at_ns: int


class Heartbeat(NamedTuple):
    """The station has completed a cycle.

    Attributes:
        at_ns: When it came.
        sent_ns: When it was sent, on the same clock.
        cycle: Counts completed cycles.
        digest: Of what was decided on, and what the decision left.
        wanted: Of each channel.
        enable: The station wants the enable loop closed.
    """

    at_ns: int
    sent_ns: int
    cycle: int
    digest: int
    wanted: tuple[Wanted, ...]
    enable: bool


class Decoded(NamedTuple):
    """A sample from the raw frames that the station forwards, by the guard's own decoder."""

    at_ns: int
    sample: Sample


class Stop(NamedTuple):
    """Somebody stops everything."""

    at_ns: int
    by: str


class Gone(NamedTuple):
    """The station has hung up."""

    at_ns: int


Event = Begin | Heartbeat | Decoded | Stop | Gone | Due | Answered | Unanswered


class Send(NamedTuple):
    """Send this frame to the relay board, and say Answered or Unanswered."""

    frame: bytes


class Notice(NamedTuple):
    """Something a person wants to know.

    Attributes:
        code: Of a limit, of a relay fault, or ``proved``.
        hazard: Empty where it is none.
        text: In words, with the numbers.
    """

    code: str
    hazard: str
    text: str


Effect = Send | Notice


class Output(NamedTuple):
    """What is known of a channel.

    Attributes:
        wanted: What the station wants of it.
        rf_ns: Until when RF may be seen.
        stimulation_ns: Until when stimulation may be.
        rf_seen: Bits of the last three samples: RF that may not be.
        stimulation_seen: Likewise.
    """

    wanted: Wanted = Wanted.NOTHING
    rf_ns: int = 0
    stimulation_ns: int = 0
    rf_seen: int = 0
    stimulation_seen: int = 0


QUIET = Output()
"""Nothing is wanted, and nothing has been seen that may not be."""


class State(NamedTuple):
    """The guard's memory.

    Attributes:
        setup: As given.
        stage: Where it is.
        proof: Of the relay, while it runs.
        plan: By which the contact is held; None before the proof.
        hold: The present or the last one.
        cause: Why it has let go for good; None while it has not.
        wanted: Of each channel.
        outputs: A channel each.
        heard_ns: Last heartbeat.
        decided_ns: Last one with a new cycle and a new digest.
        cycle: Of that one.
        digest: Of that one.
        decoded_ns: Last sample.
        counter: Of that one.
        counted_ns: When it last changed.
    """

    setup: Setup
    stage: Stage = Stage.NEW
    proof: RelayProof | None = None
    plan: HoldPlan | None = None
    hold: Hold | None = None
    cause: Notice | None = None
    wanted: tuple[Wanted, ...] = ()
    outputs: tuple[Output, ...] = ()
    heard_ns: int = 0
    decided_ns: int = 0
    cycle: int = -1
    digest: int = -1
    decoded_ns: int = 0
    counter: int = -1
    counted_ns: int = 0

    @property
    def closed(self) -> bool:
        """The contact is held, and has been read closed."""
        hold = self.hold
        return (
            self.stage is Stage.HOLDING
            and hold is not None
            and hold.stage is relay_hold.Stage.HELD
            and hold.seen_ns > 0
            and not hold.contradictions
        )

    @property
    def open(self) -> bool:
        """The contact has been seen open since it was last held, or was never held."""
        return self.proof is None and (self.hold is None or self.hold.stage is relay_hold.Stage.OPEN)

    @property
    def wake_ns(self) -> int:
        """When ``Due`` is to be said at the latest, if nothing else comes; 0 for not at all."""
        if self.proof is not None:
            return self.proof.wake_ns
        if self.hold is None:
            return 0
        if self.stage is not Stage.HOLDING:
            return self.hold.wake_ns
        silent_ns = min(self.decided_ns, self.heard_ns) + limits.STATION_AGE_NS + 1
        return min(silent_ns, self.hold.wake_ns or silent_ns)
