"""A guard on paper: time by hand, a relay board of a few lines, a station that says what the test wants it to."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

from rfctl.clock import NS_PER_MS
from rfctl.guard import step as guard
from rfctl.guard.sample import Sample, Seen
from rfctl.guard.state import Begin, Decoded, Event, Heartbeat, Notice, Send, Setup, Stage, State, Wanted
from rfctl.link.relay import Contact, check_sum
from rfctl.link.relay_proof import Answered, Due

MS = NS_PER_MS
REPLY_MS = 4
SETUP = Setup(Contact(), tenths=3, reply_ns=25 * MS, hold_up_ns=75 * MS, channels=2)
REST = Seen(37.0, rf_on=False, band_ma=0.0, power_w=0.0, stimulating=False)
HEATING = Seen(80.0, rf_on=True, band_ma=200.0, power_w=4.0, stimulating=False)
STIMULATING = REST._replace(stimulating=True)
NOTHING = (Wanted.NOTHING, Wanted.NOTHING)
RF_ON_1 = (Wanted.RF, Wanted.NOTHING)


@dataclass
class Bench:
    """Guard, board and station.

    Attributes:
        wanted: What the station wants from now on.
        enable: It wants the loop closed.
        seen: What the generator shows.
        beats: The station goes on.
        forwards: It forwards frames.
        counts: The generator's sample counter goes on.
    """

    setup: Setup = SETUP
    now_ms: int = 1000
    wanted: tuple[Wanted, ...] = NOTHING
    enable: bool = False
    seen: tuple[Seen, ...] = (REST, REST)
    beats: bool = True
    forwards: bool = True
    counts: bool = True
    decides: bool = True
    welded: bool = False
    retriggers: bool = True
    mute: bool = False
    notices: list[Notice] = field(default_factory=list)
    state: State = field(init=False)
    open_ms: int = 0  # when the board opens its contact
    opened_ms: list[int] = field(default_factory=list)
    _closed: bool = False
    _reply: tuple[int, bytes] | None = None
    _cycle: int = 0
    _counter: int = 0
    _digest: int = 0

    def __post_init__(self) -> None:
        self.state = guard.initial(self.setup)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def codes(self) -> list[str]:
        return [notice.code for notice in self.notices]

    def tell(self, event: Event) -> None:
        self.state, effects = guard.step(self.state, event)
        for effect in effects:
            if isinstance(effect, Send):
                assert self._reply is None, "a second request while one is in flight"
                self._reply = (self.now_ms + REPLY_MS, self._obey(effect.frame))
            else:
                self.notices.append(effect)

    def run(self, for_ms: int) -> None:
        for _ in range(for_ms):
            self.now_ms += 1
            self._millisecond()

    def prove(self) -> None:
        self.tell(Begin(self.now_ms * MS))
        self.run(1500)

    def hold(self) -> None:
        """Proved, and RF on on channel 1 for a second."""
        self.prove()
        self.enable, self.wanted, self.seen = True, RF_ON_1, (HEATING, REST)
        self.run(1000)
        assert self.state.stage is Stage.HOLDING
        assert self.state.closed and self.closed

    def beat(self, *, sent_ms: int | None = None) -> None:
        self._cycle += self.decides
        self._digest += self.decides
        sent_ms = self.now_ms if sent_ms is None else sent_ms
        self.tell(Heartbeat(self.now_ms * MS, sent_ms * MS, self._cycle, self._digest, self.wanted, self.enable))

    def _millisecond(self) -> None:
        if self._closed and self.now_ms >= self.open_ms and not self.welded:
            self._closed = False
            self.opened_ms.append(self.now_ms)
        if self._reply is not None and self.now_ms >= self._reply[0] and not self.mute:
            reply, self._reply = self._reply[1], None
            self.tell(Answered(self.now_ms * MS, reply))
        if self.now_ms % 50 == 0:
            if self.forwards:
                self._counter += self.counts
                self.tell(Decoded(self.now_ms * MS, Sample(self._counter, self.seen)))
            if self.beats:
                self.beat()
        if self.state.wake_ns and self.now_ms * MS >= self.state.wake_ns and self._reply is None:
            self.tell(Due(self.now_ms * MS))

    def _obey(self, frame: bytes) -> bytes:
        if frame[1] == 5:
            if not self._closed or self.retriggers:
                self.open_ms = self.now_ms + frame[5] * 100
            self._closed = True
            return frame
        body = bytes((frame[0], 2, 1, self._closed))
        return body + check_sum(body).to_bytes(2, "little")


NOT_A_NUMBER = nan
