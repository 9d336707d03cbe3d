"""The face of a serial line behind a device server: Modbus RTU frames through a TCP socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from rfctl_sim.grammar import MODBUS
from rfctl_sim.listening import Client, Listener
from rfctl_sim.rtu_frames import CHECK_SUM, at_silence, first_request

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.requests import Requests
    from rfctl_sim.wire import WireLog

SILENCE_S = 0.05
"""A network knows no silence of 3.5 characters; whoever has not ended a frame by then has forgotten it."""


class RtuServer(Listener):
    """Listens, and answers every connection in the name of the units."""

    def __init__(self, requests: Requests, wire: WireLog, clock: Clock) -> None:
        super().__init__("rtutcp", lambda: _Connection(self))
        self.requests = requests
        self.wire = wire
        self.clock = clock
        self.framer = FramerRTU(DecodePDU(is_server=True))

    def framed(self, unit: int, pdu: bytes) -> bytes:
        """A PDU with its unit and its check sum."""
        return self.framer.encode(pdu, unit, 0)


class _Connection(Client, asyncio.Protocol):
    """One client. Noise before a request is passed over, as on a line."""

    def __init__(self, server: RtuServer) -> None:
        super().__init__(server, server.requests.connection_lost)
        self._server = server
        self._received = b""
        self._silence: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._stop_waiting()
        self._received += data
        while (place := first_request(self._received)) is not None:
            frame = self._received[place]
            self._received = self._received[place.stop :]
            self._obey(frame)
        if self._received:
            self._silence = asyncio.get_running_loop().call_later(SILENCE_S, self._on_silence)

    def _on_silence(self) -> None:
        self._silence = None
        frame, self._received = at_silence(self._received), b""
        if frame is not None:
            self._obey(frame)

    def _obey(self, frame: bytes) -> None:
        server = self._server
        server.wire.add(server.clock.monotonic_ns(), self._number, "in", frame)
        reply = server.requests.answer(self._number, frame[0], frame[1:-CHECK_SUM])
        if reply is None:
            return
        effects = server.requests.faulty(frame[0])
        if effects is None:
            answer = server.framed(frame[0], reply)
            self._log_said(answer)
            self._transport.write(answer)
        else:
            self.say_faulty(effects, effects.pieces(MODBUS, (frame[0], reply), server.framed), self._log_said)

    def _log_said(self, data: bytes) -> None:
        self._server.wire.add(self._server.clock.monotonic_ns(), self._number, "out", data)

    def _stop_waiting(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
