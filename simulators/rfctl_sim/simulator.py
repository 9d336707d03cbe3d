"""Simulated generators on one wire, with their faces: what runs behind ``rfctl sim serve``, the demo and the tests."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from rfctl.clock import FASTEST, NS_PER_S, SLOWEST, ScaledClock
from rfctl.errors import ConfigError
from rfctl_sim import fault_files, setups
from rfctl_sim.backdoor import BackDoor
from rfctl_sim.catalogue.kinds import Cuttable
from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.faults import Faults
from rfctl_sim.generator import Generator
from rfctl_sim.line_faces import LineOnPty, LineRequests, LineServer
from rfctl_sim.line_unit import LineUnit
from rfctl_sim.listening import host_and_port
from rfctl_sim.makes import REFERENCE, channels_of, make_of
from rfctl_sim.modbus_rtu import ModbusLine
from rfctl_sim.modbus_rtu_tcp import RtuServer
from rfctl_sim.modbus_tcp import ModbusServer
from rfctl_sim.panel import Panel
from rfctl_sim.pty_end import BAUD
from rfctl_sim.relay_board import Change, RelayBoard, Variant
from rfctl_sim.requests import Requests
from rfctl_sim.wire import WireLog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfctl.clock import Clock
    from rfctl_sim.events import EventLog
    from rfctl_sim.setups import Setup

RELAY_BAUD = 38_400
MOST_UNITS = 247  # of a Modbus line

# Time goes on when nobody polls; each access brings it up to its own instant anyway.
PUMP_S = 0.25

# More than what an instant loses as a number of seconds.
ROUNDING_NS = 1000


class Face(Cuttable, Protocol):
    """The way that clients come by, from its beginning to its end."""

    @property
    def address(self) -> str:
        """Where they find it."""
        ...

    async def open(self, address: str) -> None:
        """Open it. Raises ConfigError."""
        ...

    async def close(self) -> None:
        """End everything."""
        ...


SCHEMES = ("tcp", "rtutcp", "pty", "linetcp", "line")
LINE_SCHEMES = ("linetcp", "line")


def _face(address: str, requests: Requests, wire: WireLog, clock: Clock, baud: int) -> Face:
    match address.partition(":")[0]:
        case "tcp":
            return ModbusServer(requests, wire, clock)
        case "rtutcp":
            return RtuServer(requests, wire, clock)
        case "pty":
            return ModbusLine(requests, wire, clock, baud)
    valid = ", ".join(f"{scheme}:" for scheme in SCHEMES)
    raise ConfigError("no such kind of link", where=address, remedy=f"An address begins with one of {valid}.")


class Machine:
    """One generator on the wire.

    Attributes:
        generator: What it is.
        unit: How it answers.
        panel: What people do to it.
        faults: Starts and clears its faults; there are none before a face is there to cut.
    """

    faults: Faults

    def __init__(self, make: str, channels: int | None, seed: int, setup: Setup, clock: Clock) -> None:
        made = make_of(make)
        self.writable = made.writable
        self.effects = WireEffects()
        self.generator = Generator(channels_of(make, channels), seed, clock.monotonic_ns(), setup, made.conventions)
        self.generator.pace = clock if isinstance(clock, ScaledClock) else None
        self.unit = made.unit(self.generator, self.effects)
        self.panel = Panel(self.generator, self.effects)
        self._alarm: asyncio.TimerHandle | None = None

    def set_alarm(self, at_ns: int) -> None:
        """Have its faults look at the clock then: rounding must not make that too early."""
        self.stop_alarm()
        self._alarm = asyncio.get_running_loop().call_at((at_ns + ROUNDING_NS) / NS_PER_S, lambda: self.faults.wake())

    def stop_alarm(self) -> None:
        """Nothing is waited for any more."""
        if self._alarm is not None:
            self._alarm.cancel()


class Simulator:
    """Running generators on one wire; ``start`` makes one.

    Attributes:
        wire: The last frames that crossed the wire.
    """

    def __init__(
        self,
        clock: Clock,
        generator: str,
        channels: int | None,
        units: int,
        seed: int,
        setup: Setup,
        address: str,
        baud: int,
        relay: RelayBoard | None,
    ) -> None:
        self._clock = clock
        self._relay = relay
        self.wire = WireLog(clock.monotonic_ns())
        self._machines = {
            number: Machine(generator, channels, seed + number - 1, setup, clock) for number in range(1, units + 1)
        }
        if address.startswith(tuple(f"{scheme}:" for scheme in LINE_SCHEMES)):
            self._face = self._line_face(generator, address, clock, baud)
        else:
            requests = Requests({number: machine.unit for number, machine in self._machines.items()}, clock)
            self._face = _face(address, requests, self.wire, clock, baud)
        self._asked_address = address
        self._backdoor: BackDoor | None = None
        self._pump: asyncio.TimerHandle | None = None
        if relay is not None and "enable_loop" not in self._machines[1].generator.firmware.conventions.keys:
            raise ConfigError(f"{generator} has no enable loop for a relay board", remedy="Leave the relay out.")
        for machine in self._machines.values():
            machine.faults = Faults(
                machine.generator,
                machine.effects,
                self._face,
                clock,
                machine.writable,
                relay=relay,
                alarm=machine.set_alarm,
            )

    @property
    def address(self) -> str:
        """Where clients connect, as a station file writes it: ``tcp:HOST:PORT``, ``rtu:PATH?baud=BAUD``..."""
        return self._face.address

    @property
    def backdoor_address(self) -> str | None:
        """URL of the back door; None without one."""
        return self._backdoor.address if self._backdoor is not None else None

    @property
    def relay_address(self) -> str | None:
        """Where the relay board in its enable loop listens; None without one."""
        return self._relay.address if self._relay is not None else None

    @property
    def channels(self) -> int:
        """Channels of each generator."""
        return len(self._machines[1].generator.channels)

    @property
    def faults(self) -> Faults:
        """Starts and clears faults of unit 1."""
        return self.faults_of(1)

    @property
    def events(self) -> EventLog:
        """What the firmware of unit 1 logged until now."""
        return self.events_of(1)

    def faults_of(self, unit: int) -> Faults:
        """Starts and clears faults of a unit.

        Raises:
            ConfigError: There is no such unit.
        """
        return self._machine(unit).faults

    def start_faults(self, name_or_path: str) -> None:
        """Start the faults of a file, each on the unit that it names.

        Raises:
            ConfigError: No such file, or a fault in it that cannot be started; those before it have been.
        """
        fault_files.start(fault_files.read(name_or_path), self.faults_of)

    def events_of(self, unit: int) -> EventLog:
        """What the firmware of a unit logged until now. Raises ConfigError as ``faults_of``."""
        self._advance()
        return self._machine(unit).generator.events

    def truth(self, unit: int = 1) -> dict[str, object]:
        """The output stages themselves, now: keys as in ``GET /truth``. Raises ConfigError as ``faults_of``."""
        return self._machine(unit).generator.truth(self._advance())

    def state(self, unit: int = 1) -> dict[str, object]:
        """The firmware's memory and the faults in force, now: as in ``GET /state``. Raises as ``faults_of``."""
        machine = self._machine(unit)
        now_ns = self._advance()
        firmware = machine.generator.firmware
        return {
            "now_s": (now_ns - machine.generator.power_up_ns) / NS_PER_S,
            "time_scale": machine.generator.time_scale,
            "sample_counter": firmware.sample_counter(now_ns),
            "setup": machine.generator.setup.title,
            **asdict(firmware.control, dict_factory=_with_names),
            "faults": [asdict(fault) for fault in machine.faults.active()],
            "faults_waiting": [asdict(fault) for fault in machine.faults.waiting()],
        }

    def at_the_machine(self, deed: Mapping[str, object], unit: int = 1) -> None:
        """A person does something at a unit: as in ``POST /panel``.

        Raises:
            ConfigError: There is no such unit, or its make has no such key.
        """
        panel = self._machine(unit).panel
        panel.do(deed, self._advance())

    def place(self, setup: str, *, unit: int = 1) -> None:
        """Put a unit into another set-up.

        Raises:
            ConfigError: There is no such set-up or unit, or an output is on.
        """
        machine = self._machine(unit)
        machine.generator.place(setups.load(setup), self._advance())
        machine.faults.hold()

    def set_speed(self, speed: object) -> None:
        """Let its time, and that of every simulator on the same clock, run at another speed from now on.

        Raises:
            ConfigError: No such speed, or its time is that of a station in the same process.
        """
        if isinstance(speed, bool) or not isinstance(speed, int | float) or not SLOWEST <= speed <= FASTEST:
            raise ConfigError(f"speed {speed!r}", remedy=f"Give seconds in a second, {SLOWEST:g} to {FASTEST:g}.")
        if not isinstance(self._clock, ScaledClock):
            raise ConfigError(
                "its time is that of the process it runs in", remedy="`rfctl sim serve` has a speed of its own."
            )
        self._advance()
        self._clock.set_speed(float(speed))
        self._keep_going()

    def _loop_moved(self, change: Change) -> None:
        """The first contact of the relay board is the enable loop of every unit."""
        if change.relay == 0:
            for unit in self._machines:
                self.at_the_machine({"enable_loop": "closed" if change.closed else "open"}, unit)

    async def open(self, backdoor: str | None, relay: str | None) -> None:
        """Open the faces and let time run."""
        if self._relay is not None and relay is not None:
            self._loop_moved(Change(self._clock.monotonic_ns(), 0, closed=False))
            self._relay.moved = self._loop_moved
            await self._relay.open(relay)
        await self._face.open(self._asked_address)
        if backdoor is not None:
            self._backdoor = BackDoor(self)
            await self._backdoor.open(*host_and_port(backdoor, where=f"back door {backdoor}"))
        self._keep_going()

    async def close(self) -> None:
        """Switch it off: no connection and no timer is left."""
        if self._pump is not None:
            self._pump.cancel()
        for machine in self._machines.values():
            machine.stop_alarm()
        await self._face.close()
        if self._relay is not None:
            await self._relay.close()
        if self._backdoor is not None:
            await self._backdoor.close()

    def _line_face(self, generator: str, address: str, clock: Clock, baud: int) -> Face:
        if make_of(generator) is not make_of(REFERENCE) or len(self._machines) > 1:
            raise ConfigError(
                f"{len(self._machines)} x {generator} over the line protocol",
                where=address,
                remedy=f"One {REFERENCE} speaks it; the others speak Modbus.",
            )
        machine = self._machines[1]
        requests = LineRequests(LineUnit(machine.generator, machine.effects), self.wire, clock)
        return LineOnPty(requests, clock, baud) if address.startswith("line:") else LineServer(requests)

    def _machine(self, unit: int) -> Machine:
        if unit not in self._machines:
            raise ConfigError(f"no unit {unit}", remedy=f"There are units 1 to {len(self._machines)}.")
        return self._machines[unit]

    def _advance(self) -> int:
        now_ns = self._clock.monotonic_ns()
        for machine in self._machines.values():
            machine.generator.advance_to(now_ns)
        return now_ns

    def _keep_going(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        self._advance()
        self._pump = asyncio.get_running_loop().call_later(PUMP_S, self._keep_going)


def _with_names(items: list[tuple[str, object]]) -> dict[str, object]:
    """States and modes by their names."""
    return {key: value.name.lower() if isinstance(value, IntEnum) else value for key, value in items}


async def start(
    clock: Clock,
    *,
    address: str = "tcp:127.0.0.1:0",
    generator: str = REFERENCE,
    channels: int | None = None,
    units: int = 1,
    seed: int = 0,
    backdoor: str | None = None,
    baud: int = BAUD,
    setup: str = setups.DEFAULT,
    tissue: str | None = None,
    faults: str | None = None,
    relay: str | None = None,
    relay_variant: str = "retriggers",
) -> Simulator:
    """Switch simulated generators on; close them at the end.

    Args:
        clock: The clock of the running loop.
        address: Where clients connect: ``tcp:HOST:PORT``, ``rtutcp:HOST:PORT`` (RTU frames through a socket), port 0
            for any that is free, or ``pty:PATH``, which makes PATH a link to a pty; ``pty:`` takes a path of its own.
            ``linetcp:HOST:PORT`` and ``line:PATH`` speak the line protocol through a socket and on a pty.
        generator: Name of the machine.
        channels: Of each; what the machine usually has when not given.
        units: How many there are on the wire, with the unit identifiers from 1 on.
        seed: The same seed gives the same noise and tokens; each unit has one of its own.
        backdoor: ``HOST:PORT`` of the back door, on loopback; none when not given.
        baud: How fast a pty is.
        setup: What stands around it: a shipped set-up, or the path of one's own.
        tissue: How tissue is computed, where it is to be another way than the set-up says: field, or poles (quick).
        faults: What goes wrong from now on: a shipped file of faults, or the path of one's own.
        relay: Where a relay board listens whose first contact is the enable loop, open until it is closed:
            ``pty:PATH`` or ``rtutcp:HOST:PORT``; no board and a closed loop when not given.
        relay_variant: What a second flash-on does on that board, as rfctl_sim.relay_board.Variant names it.

    Raises:
        ConfigError: An address, a machine, a set-up, faults or a number of channels or units that cannot be served.
    """
    if not 1 <= units <= MOST_UNITS:
        raise ConfigError(f"{units} units", remedy=f"A line carries 1 to {MOST_UNITS}.")
    around = setups.load(setup, tissue)
    board = None if relay is None else RelayBoard(clock, variant=Variant(relay_variant), baud=RELAY_BAUD)
    simulator = Simulator(clock, generator, channels, units, seed, around, address, baud, board)
    try:
        await simulator.open(backdoor, relay)
        if faults is not None:
            simulator.start_faults(faults)
    except BaseException:
        await simulator.close()
        raise
    return simulator
