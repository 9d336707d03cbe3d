"""The Modbus RTU face: a serial line on a pty, as fast as its baud rate, on pymodbus's check sum."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from rfctl.clock import NS_PER_S
from rfctl_sim.grammar import MODBUS
from rfctl_sim.pty_end import BAUD, CLIENT, PtyEnd
from rfctl_sim.rtu_frames import CHECK_SUM, at_silence, first_request

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.requests import Requests
    from rfctl_sim.wire import WireLog

GAP_NS = 1_750_000  # the silence that ends a frame, above 19,200 baud
GAP_BITS = 3.5 * 11  # at and below that


class ModbusLine(PtyEnd):
    """One end of a serial line, with the units on it.

    A request is obeyed when its last byte would have come over the line, and answered when the last byte of the answer
    would have. What is no frame is dropped after a silence.
    """

    def __init__(self, requests: Requests, wire: WireLog, clock: Clock, baud: int = BAUD) -> None:
        super().__init__("rtu", clock, baud)
        self._requests = requests
        self._wire = wire
        self._gap_ns = max(GAP_NS, round(GAP_BITS * NS_PER_S / baud))
        self._framer = FramerRTU(DecodePDU(is_server=True))
        self._received = b""
        self._heard_ns = 0  # when the last byte of the last request has come
        self._said_ns = 0  # when the last byte of the last answer has gone
        self._silence: asyncio.TimerHandle | None = None

    def forget(self) -> None:
        self._received = b""
        self._hear_on()

    def arrived(self, data: bytes) -> None:
        self._received += data
        while (place := first_request(self._received)) is not None:
            frame = self._received[place]
            self._received = self._received[place.stop :]
            self._heard_ns = self.over(self._heard_ns, len(frame))
            self.at(self._heard_ns, self._obey, frame)
        self._hear_on()
        if self._received:
            ends_ns = self.over(self._heard_ns, len(self._received)) + self._gap_ns
            self._silence = asyncio.get_running_loop().call_at(ends_ns / NS_PER_S, self._on_silence)

    def _hear_on(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _on_silence(self) -> None:
        """What has come is a frame with a function that is not obeyed, or none."""
        frame, self._received = at_silence(self._received), b""
        if frame is not None:
            self._obey(frame)

    def _obey(self, frame: bytes) -> None:
        self._wire.add(self._clock.monotonic_ns(), CLIENT, "in", frame)
        reply = self._requests.answer(CLIENT, frame[0], frame[1:-CHECK_SUM])
        if reply is None:
            return
        effects = self._requests.faulty(frame[0])
        if effects is None:
            self._queue(self._framed(frame[0], reply), 0)
            return
        for late_ns, data in effects.pieces(MODBUS, (frame[0], reply), self._framed):
            self._queue(data, late_ns)
        if effects.take_hang_up():
            self.at(self._said_ns, self.unplug, b"")

    def _framed(self, unit: int, pdu: bytes) -> bytes:
        return self._framer.encode(pdu, unit, 0)

    def _queue(self, data: bytes, late_ns: int) -> None:
        starts_ns = max(self._said_ns, self._clock.monotonic_ns() + self._gap_ns + late_ns)
        self._said_ns = self.over(starts_ns, len(data))
        self.at(self._said_ns, self._say, data)

    def _say(self, answer: bytes) -> None:
        self._wire.add(self._clock.monotonic_ns(), CLIENT, "out", answer)
        self.say(answer)
