"""The faces of the line protocol: a listening socket, and a serial line on a pty."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rfctl_sim.grammar import LINE
from rfctl_sim.line_codec import Lines, said
from rfctl_sim.line_events import LineEvents
from rfctl_sim.listening import Client, Listener
from rfctl_sim.pty_end import BAUD, CLIENT, PtyEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl_sim.fault_effects import Said, WireEffects
    from rfctl_sim.line_codec import Request
    from rfctl_sim.line_unit import LineUnit
    from rfctl_sim.wire import WireLog

NOT_A_LINE = "ERR - syntax 101"


class LineRequests:
    """Obeys the lines of every connection in the name of one generator, and tells events to those that asked."""

    def __init__(self, unit: LineUnit, wire: WireLog, clock: Clock) -> None:
        self._unit = unit
        self._wire = wire
        self._clock = clock
        self._events = LineEvents(unit.generator.events)

    def obey(
        self,
        connection: int,
        line: bytes,
        request: Request,
        say: Callable[[bytes], None],
        say_faulty: Callable[[WireEffects, Said], None],
    ) -> None:
        """Carry a request out, and say what there is to say on its connection, events in between."""
        now_ns = self._clock.monotonic_ns()
        self._wire.add(now_ns, connection, "in", line)
        effects = self._unit.effects
        if effects.deaf_at(now_ns):
            return
        if request.body in {"EVENTS 0", "EVENTS 1"}:
            self._events.listeners.pop(connection, None)
            if request.body == "EVENTS 1":
                self._events.listeners[connection] = say
            reply = "OK EVENTS"
        elif request.body is None:
            reply = NOT_A_LINE
        else:
            reply = self._unit.answer(now_ns, connection, request.body)
        if effects.active:
            say_faulty(effects, effects.pieces(LINE, (request.number, reply.encode("ascii")), _framed))
        else:
            say(said("<", request.number, reply))

    def log_said(self, connection: int, line: bytes) -> None:
        """A line has left."""
        self._wire.add(self._clock.monotonic_ns(), connection, "out", line)

    def connection_lost(self, connection: int) -> None:
        """A client is gone."""
        self._events.listeners.pop(connection, None)
        self._unit.connection_lost(self._clock.monotonic_ns(), connection)


def _framed(number: int, body: bytes) -> bytes:
    return said("<", number, body.decode("ascii"))


class LineServer(Listener):
    """Listens, and answers every connection in the name of the generator."""

    def __init__(self, requests: LineRequests) -> None:
        super().__init__("linetcp", lambda: _Connection(self))
        self.requests = requests


class _Connection(Client, asyncio.Protocol):
    """One client."""

    def __init__(self, server: LineServer) -> None:
        super().__init__(server, server.requests.connection_lost)
        self._server = server
        self._lines = Lines()

    def data_received(self, data: bytes) -> None:
        for line, request in self._lines.heard(data):
            self._server.requests.obey(self._number, line, request, self._say, self._say_faulty)

    def _say_faulty(self, effects: WireEffects, pieces: Said) -> None:
        self.say_faulty(effects, pieces, lambda data: self._server.requests.log_said(self._number, data))

    def _say(self, line: bytes) -> None:
        if not self._transport.is_closing():
            self._server.requests.log_said(self._number, line)
            self._transport.write(line)


class LineOnPty(PtyEnd):
    """One end of a serial line. A request is obeyed when its last byte would have come over the line, and what is said
    has arrived when its last byte would have.
    """

    def __init__(self, requests: LineRequests, clock: Clock, baud: int = BAUD) -> None:
        super().__init__("line", clock, baud)
        self._requests = requests
        self._lines = Lines()
        self._heard_ns = 0  # when the last byte of the last request has come
        self._said_ns = 0  # when the last byte of the last line has gone

    def arrived(self, data: bytes) -> None:
        for piece in data.splitlines(keepends=True):
            self._heard_ns = self.over(self._heard_ns, len(piece))
            self.at(self._heard_ns, self._obey, piece)

    def forget(self) -> None:
        self._lines.forget()

    def _obey(self, data: bytes) -> None:
        for line, request in self._lines.heard(data):
            self._requests.obey(CLIENT, line, request, self._queue, self._queue_faulty)

    def _queue_faulty(self, effects: WireEffects, pieces: Said) -> None:
        for late_ns, data in pieces:
            self._queue(data, late_ns)
        if effects.take_hang_up():
            self.at(self._said_ns, self.unplug, b"")

    def _queue(self, line: bytes, late_ns: int = 0) -> None:
        self._said_ns = self.over(max(self._said_ns, self._clock.monotonic_ns() + late_ns), len(line))
        self.at(self._said_ns, self._say, line)

    def _say(self, line: bytes) -> None:
        self._requests.log_said(CLIENT, line)
        self.say(line)
