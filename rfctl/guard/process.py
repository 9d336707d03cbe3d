"""The guard as a process of its own, on the machine's clock: blocking, with select, and nothing of the station's loop.

It is started by the station with two sockets: the line to the station, and a desk where anyone local may stop. It
outlives a station that is stopped, hung or killed for as long as it takes to see the contact open.
"""

from __future__ import annotations

import json
import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_MS, NS_PER_S, RealClock
from rfctl.errors import RfctlError
from rfctl.guard import wire
from rfctl.guard.decoder import Decoder
from rfctl.guard.runner import Runner
from rfctl.guard.state import Begin, Gone, Notice, Setup, Stop
from rfctl.link.relay import Contact
from rfctl.link.relay_port import RelayPort, open_relay

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_MS = 1000
LINGER_NS = 5 * NS_PER_S
"""How long a guard whose station is gone looks for the open contact."""


class Guard:
    """Serves one station."""

    def __init__(self, runner: Runner, port: RelayPort, station: socket.socket, desk: socket.socket) -> None:
        self._runner = runner
        self._port = port
        self._station = station
        self._desk = desk
        self._clock = RealClock()
        self._said = b""
        self._proof = ""
        self._gone_ns = 0
        self._callers: list[socket.socket] = []
        runner.noticed = self._noticed

    def run(self) -> None:
        """Until the station has hung up and the contact is open."""
        waiting = select.poll()
        places: dict[int, Callable[[], None]] = {
            self._station.fileno(): self._on_station,
            self._port.fileno(): self._runner.on_readable,
            self._desk.fileno(): self._on_desk,
        }
        for descriptor in places:
            waiting.register(descriptor, select.POLLIN)
        while not self._ended():
            for descriptor, _ in waiting.poll(self._patience_ms()):
                places[descriptor]()
                if self._gone_ns and descriptor == self._station.fileno():
                    waiting.unregister(descriptor)
            self._runner.on_time()
            self._tell()

    def _ended(self) -> bool:
        if not self._gone_ns:
            return False
        return self._runner.over or self._clock.monotonic_ns() - self._gone_ns > LINGER_NS

    def _patience_ms(self) -> int:
        next_ns = self._runner.next_ns
        if not next_ns:
            return IDLE_MS
        return max(0, -((self._clock.monotonic_ns() - next_ns) // NS_PER_MS))

    def _on_station(self) -> None:
        now_ns = self._clock.monotonic_ns
        try:
            packet = self._station.recv(wire.MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._gone_ns = now_ns()
            self._runner.tell(Gone(self._gone_ns))
            return
        if packet == wire.BEGIN:
            self._runner.tell(Begin(now_ns()))
            return
        found = wire.read_beat(packet, now_ns())
        if found is not None:
            beat, frames = found
            for direction, data in frames:
                self._runner.on_wire(direction, data)
            self._runner.tell(beat)
        self._answer()

    def _answer(self) -> None:
        """Each heartbeat is answered: so the station knows that somebody listens."""
        if not self._gone_ns:
            self._said = wire.say(wire.word_of(self._runner.state, self._proof))
            with suppress(OSError):
                self._station.send(self._said, socket.MSG_DONTWAIT)

    def _tell(self) -> None:
        """What has changed is said at once, and whoever stopped hears when the contact is open."""
        if wire.say(wire.word_of(self._runner.state, self._proof)) != self._said:
            self._answer()
        if self._callers and (self._runner.state.open or self._runner.over):
            for caller in self._callers:
                with suppress(OSError):
                    caller.sendall(json.dumps({"opened": self._runner.state.open}).encode("ascii") + b"\n")
                caller.close()
            self._callers = []

    def _on_desk(self) -> None:
        with suppress(OSError):
            caller, _ = self._desk.accept()
            caller.settimeout(0.1)
            self._callers.append(caller)
            self._runner.tell(Stop(self._clock.monotonic_ns(), "rfctl stop"))

    def _noticed(self, notice: Notice) -> None:
        if notice.code == "proved":
            self._proof = notice.text


def main(arguments: list[str]) -> int:
    """``python -m rfctl.guard STATION_FD DESK_FD SETUP``; the set-up is JSON, as rfctl.station.guarding writes it."""
    station = socket.socket(fileno=int(arguments[0]))
    desk = socket.socket(fileno=int(arguments[1]))
    with station, desk:
        try:
            members: dict[str, Any] = json.loads(arguments[2])
            runner, port = put_together(members, RealClock().monotonic_ns)
        except RfctlError as problem:
            word = wire.Word(code="cannot_start", hazard="HZ-45", text=str(problem))
            with suppress(OSError):
                station.send(wire.say(word))
            return problem.exit_code
        try:
            Guard(runner, port, station, desk).run()
        finally:
            port.close()
    return 0


def put_together(members: dict[str, Any], now: Callable[[], int]) -> tuple[Runner, RelayPort]:
    """A guard from the members of its set-up.

    Raises:
        ConfigError: A profile that it cannot decode, or no such relay.
        LinkClosed: The relay board cannot be reached.
    """
    from pathlib import Path

    decoder = Decoder(Path(members["profile"]), members["channels"], serial=members["serial"])
    port = open_relay(members["relay"])
    reply_ns = port.reply_ns = members["reply_ms"] * NS_PER_MS or port.reply_ns
    setup = Setup(
        Contact(*members["contact"]),
        tenths=members["tenths"],
        reply_ns=reply_ns,
        hold_up_ns=members["hold_up_ms"] * NS_PER_MS,
        channels=members["channels"],
        temperature_max_c=members["temperature_max_c"],
        thermocouple=members["thermocouple"],
        spacing_ns=members["spacing_ms"] * NS_PER_MS,
        look_ns=members["look_ms"] * NS_PER_MS,
    )
    return Runner(setup, decoder, port, now), port
