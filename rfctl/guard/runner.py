"""What both shells of the guard share: the decision, the decoder, and one request to the board at a time.

It waits for nothing itself: whoever runs it says what has come, and when the time that it asked for is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl.errors import RfctlError
from rfctl.guard.state import Decoded, Event, Notice, Send, State
from rfctl.guard.step import initial, step
from rfctl.link.relay import no_reply, reply_to
from rfctl.link.relay_proof import Answered, Due, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.guard.decoder import Decoder
    from rfctl.guard.state import Setup
    from rfctl.link.relay_port import RelayPort

PATIENT_NS = 200 * NS_PER_MS
"""Nothing depends on a quick reply during the proof."""


class Runner:
    """Runs one guard.

    Attributes:
        state: The guard's.
        noticed: Told of everything that a person wants to know.
    """

    def __init__(self, setup: Setup, decoder: Decoder, port: RelayPort, now: Callable[[], int]) -> None:
        self.state: State = initial(setup)
        self.noticed: Callable[[Notice], None] = lambda _: None
        self._decoder = decoder
        self._port = port
        self._now = now
        self._frame = b""  # to be sent, or sent and not answered
        self._sent_ns = 0  # 0: not yet
        self._quiet_ns = 0  # when the line has been silent for long enough
        self._received = b""

    @property
    def next_ns(self) -> int:
        """When ``on_time`` is to be called, if nothing else happens; 0 for not at all."""
        if self._frame:
            return self._deadline_ns if self._sent_ns else self._quiet_ns
        return self.state.wake_ns

    @property
    def waiting(self) -> bool:
        """A request is on its way."""
        return self._sent_ns > 0 and bool(self._frame)

    @property
    def over(self) -> bool:
        """Nothing is on its way, and the contact is open, or nobody can tell any more."""
        return not self._frame and not self.state.wake_ns

    def tell(self, event: Event) -> None:
        """Decide on an event."""
        self.state, effects = step(self.state, event)
        for effect in effects:
            if isinstance(effect, Send):
                self._frame, self._sent_ns, self._received = effect.frame, 0, b""
                self._send(self._now())
            else:
                self.noticed(effect)

    def on_wire(self, direction: str, data: bytes) -> None:
        """Bytes crossed the station's line to the generator."""
        if direction == "tx":
            self._decoder.sent(data)
            return
        for sample in self._decoder.received(data):
            self.tell(Decoded(self._now(), sample))

    def on_readable(self) -> None:
        """The board says something."""
        try:
            data = self._port.read()
        except RfctlError as problem:
            self._unanswered(problem)
            return
        now_ns = self._now()
        self._quiet_ns = now_ns + self._port.gap_ns
        if not self._frame or not self._sent_ns:
            return  # answers nothing
        self._received += data
        try:
            reply = reply_to(self._frame, self._received)
        except RfctlError as problem:
            self._unanswered(problem)
            return
        if reply is not None:
            self._frame = b""
            self.tell(Answered(now_ns, reply))

    def on_time(self) -> None:
        """Time has passed."""
        now_ns = self._now()
        if self._frame and not self._sent_ns:
            self._send(now_ns)
        elif self._frame and now_ns >= self._deadline_ns:
            self._unanswered(no_reply(self._frame, self._received))
        elif not self._frame and self.state.wake_ns and now_ns >= self.state.wake_ns:
            self.tell(Due(now_ns))

    @property
    def _deadline_ns(self) -> int:
        return self._sent_ns + (PATIENT_NS if self.state.proof is not None else self._port.reply_ns)

    def _send(self, now_ns: int) -> None:
        if now_ns < self._quiet_ns:
            return
        try:
            self._port.write(self._frame)
        except RfctlError as problem:
            self._unanswered(problem)
            return
        self._sent_ns = now_ns

    def _unanswered(self, problem: RfctlError) -> None:
        if not self._frame:
            return
        self._frame = b""
        self.tell(Unanswered(self._now(), problem))
