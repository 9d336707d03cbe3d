"""The connection to the generator: one link and one driver, replaced as a whole when the link is lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_MS
from rfctl.errors import ConfigError, LinkClosed, LinkError, WrongDevice
from rfctl.link import serial_line
from rfctl.link.line import LineFraming
from rfctl.link.line_table import LineTable
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming
from rfctl.link.port import open_port
from rfctl.link.rtu import RtuFraming
from rfctl.station import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl.generator import Controller, Identity
    from rfctl.link.bus import Bus
    from rfctl.link.framing import Framing
    from rfctl.link.line import Event
    from rfctl.link.stop_line import StopLine
    from rfctl.link.table import Table
    from rfctl.link.trace import Direction, Trace
    from rfctl.profile.any_profile import AnyProfile

REPLY_ALLOWANCE_NS = 20 * NS_PER_MS
"""Added to the generator's stated time to answer; the link itself adds the time on the wire."""
REPLY_BEFORE_KNOWN_NS = 200 * NS_PER_MS
"""Deadline until the generator has said how long it may take."""
LONGEST_CYCLE_NS = 100 * NS_PER_MS
"""Of a status and a renewal; energy is not controlled over anything slower."""

NO_EVENTS: deque[Event] = deque(maxlen=0)


class TooSlow(ConfigError):
    """Energy is not controlled over this line, or with this generator."""


TRACES = 4
"""Connections whose wire traces are kept: a session that reconnects for ever is bounded, too."""


class Connection:
    """Reaches the generator. Everything is unknown after each ``open``, and off has been sent.

    Attributes:
        identity: Who answered; a later open that finds another one is refused.
        table_sha256: Digest of the table by which the gate judges.
        stop_line: The way onto the present line for a thread; None before the first ``open``.
        bus: Asks the other units on the line between the cycles; None where there are none.
        traces: What crossed the wire, a connection each: the first and the last ones.
        tap: Told of all that crosses it, as rfctl.link.trace.Trace.tap.
    """

    identity: Identity
    table_sha256: str

    def __init__(self, address: str, profile: AnyProfile, clock: Clock, *, simulated: bool) -> None:
        self._address = address
        self._profile = profile
        self._clock = clock
        self._simulated = simulated
        self._known: Identity | None = None
        self._link: Link | None = None
        self._events = NO_EVENTS
        self.stop_line: StopLine | None = None
        self.bus: Bus | None = None
        self.traces: list[Trace] = []
        self.tap: Callable[[Direction, bytes], None] | None = None
        self._generator: Controller | None = None

    @property
    def link(self) -> Link:
        """The present link."""
        if self._link is None:
            raise LinkClosed("not connected", where=self._address)
        return self._link

    @property
    def generator(self) -> Controller:
        """The driver on the present link."""
        if self._generator is None:
            raise LinkClosed("not connected", where=self._address)
        return self._generator

    @property
    def closed(self) -> bool:
        """There is no living link."""
        return self._link is None or self._link.closed

    def twin(self, clock: Clock) -> Connection:
        """Another connection to the same generator, for another thread with a loop of its own."""
        return Connection(self._address, self._profile, clock, simulated=self._simulated)

    async def open(self, *, descriptor: int | None = None) -> None:
        """Connect and turn everything off. The generator of an earlier open hears off before it is asked anything; to a
        stranger nothing is written until it has said that it speaks the profile's map, where off means off.

        Args:
            descriptor: A line that is open already, to go on with; owned from now on.

        Raises:
            LinkError: Nobody there, or no sensible answer.
            WrongDevice: Not the generator that station and profile describe.
            TooSlow: The line, or the generator, is too slow to be controlled.
            ConfigError: Not an address.
        """
        self.close()
        framing = framing_of(self._address)
        link = Link(
            await open_port(self._address, self._clock) if descriptor is None else descriptor,
            framing,
            self._clock,
            address=self._address,
            reply_ns=REPLY_BEFORE_KNOWN_NS,
            used=descriptor is not None,
        )
        try:
            generator = registry.driver(self._profile.driver)(link, self._profile)
            table = generator.table()
            self._require_same_protocol(framing, table)
            link.load(table, generator.off_frames())
            self._keep(link.trace)
            self._link, self._generator, self.stop_line = link, generator, link.stop_line()
            if self._known is not None:
                link.off()
            identity = await generator.identify()
            self._require_expected(identity)
            link.off()
            self._require_fast_enough(framing, generator.cycle(), identity)
        except BaseException:
            link.close()
            raise
        link.reply_ns = identity.reply_ms * NS_PER_MS + REPLY_ALLOWANCE_NS
        self._known = self.identity = identity
        self.table_sha256 = table.sha256
        self._events = framing.events if isinstance(framing, LineFraming) else NO_EVENTS

    def unasked(self) -> list[dict[str, Any]]:
        """What the generator said that nobody waited for, since this was last asked: events, and offs refused."""
        said: list[dict[str, Any]] = []
        while self._events:
            number, text = self._events.popleft()
            said.append({"event": number, "text": text})
        refused = self.link.refused_offs
        while refused:
            said.append({"refused": refused.popleft()})
        return said

    def _keep(self, trace: Trace) -> None:
        if len(self.traces) == TRACES:
            del self.traces[1]
        self.traces.append(trace)
        trace.tap = self.tap

    def listen(self, tap: Callable[[Direction, bytes], None]) -> None:
        """From now on somebody is told of all that crosses the wire; must not wait."""
        self.tap = tap
        self.link.trace.tap = tap

    def off(self) -> None:
        """Everything off at once, by the synchronous path; never raises."""
        if self._link is not None:
            self._link.off()

    def close(self) -> None:
        """Close the link; nothing more is sent."""
        if self._link is not None:
            self._link.close()

    def why_closed(self) -> LinkError:
        """The reason to give for a missing sample while there is no link."""
        return LinkClosed("connection lost", where=self._address, remedy="Check cable and generator.")

    def _require_same_protocol(self, framing: Framing, table: Table) -> None:
        if isinstance(framing, LineFraming) != isinstance(table, LineTable):
            raise ConfigError(
                f"profile {self._profile.name} speaks another protocol than this link carries",
                where=self._address,
                remedy="line: and linetcp: carry the line protocol, every other link Modbus.",
            )

    def _require_expected(self, identity: Identity) -> None:
        if identity.simulated != self._simulated:
            said, expected = (_kind(flag) for flag in (identity.simulated, self._simulated))
            raise WrongDevice(
                f"the generator says that it is {said}, the station file says {expected}",
                where=self._address,
                remedy=f"Connect the right one, or state station.backend = {said!r}.",
            )
        if identity.time_scale != 1.0:
            raise WrongDevice(
                f"the generator's time runs {identity.time_scale:g} times as fast as the clock; limits in seconds "
                "would be others than they say",
                where=self._address,
                remedy="Start the simulator without --speed, or POST a speed of 1 to its back door.",
            )
        if self._known is not None and _name(identity) != _name(self._known):
            raise WrongDevice(
                f"another generator answers: {_shown(identity)}; before it was {_shown(self._known)}",
                where=self._address,
                remedy="Connect the generator that the procedure began with.",
            )

    def require_fast_enough_to_set(self, outputs: int) -> None:
        """In each cycle the set points of so many outputs are written, too; a write takes as long as a renewal.

        Raises:
            ConfigError: That makes a cycle too long.
        """
        cycle = self.generator.cycle()
        self._require_fast_enough(framing_of(self._address), (*cycle, *cycle[-1:] * outputs), self.identity)

    def _require_fast_enough(self, framing: Framing, cycle: tuple[bytes, ...], identity: Identity) -> None:
        """A full cycle reads the status and renews the lease, and sets outputs where the station controls them."""
        wire_ns = sum(framing.exchange_ns(pdu) + framing.gap_ns for pdu in cycle)
        cycle_ns = wire_ns + len(cycle) * identity.reply_ms * NS_PER_MS
        if cycle_ns > LONGEST_CYCLE_NS:
            raise TooSlow(
                f"a full cycle of {identity.channels} channels takes up to {cycle_ns / NS_PER_MS:.0f} ms, "
                f"{wire_ns / NS_PER_MS:.0f} ms of them on the wire; energy is controlled over no more than "
                f"{LONGEST_CYCLE_NS // NS_PER_MS} ms",
                where=self._address,
                remedy="Set the generator and generator.link to a higher baud rate."
                if wire_ns
                else "The generator states too long a time to answer.",
            )


def framing_of(address: str) -> Framing:
    """How requests travel to an address, by its scheme."""
    if address.startswith(serial_line.SCHEME):
        return RtuFraming(serial_line.SerialLine.parse(address))
    if address.startswith(serial_line.LINE_SCHEME):
        return LineFraming(serial_line.SerialLine.parse(address))
    if address.startswith("linetcp:"):
        return LineFraming()
    return RtuFraming() if address.startswith("rtutcp:") else TcpFraming()


def _name(identity: Identity) -> tuple[str, str, str]:
    """With other firmware it is another generator: what was found out about it no longer holds."""
    return identity.model, identity.serial, identity.firmware


def _shown(identity: Identity) -> str:
    return f"{identity.model} {identity.serial}, firmware {identity.firmware}"


def _kind(simulated: bool) -> str:
    return "simulated" if simulated else "device"
