"""A simulated generator with its faces: what runs behind ``rfctl sim serve``, the demo and the tests."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from enum import IntEnum
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.backdoor import BackDoor
from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.faults import Faults
from rfctl_sim.generator import Generator
from rfctl_sim.modbus_rtu import BAUD, ModbusLine
from rfctl_sim.modbus_tcp import ModbusServer, host_and_port
from rfctl_sim.unit import Unit
from rfctl_sim.wire import WireLog

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.events import EventLog

MOST_CHANNELS = 4

# Time goes on when nobody polls; each access brings it up to its own instant anyway.
PUMP_S = 0.25


class Simulator:
    """A running simulator; ``start`` makes one.

    Attributes:
        faults: Starts and clears faults.
        events: The firmware's log.
        wire: The last frames that crossed the wire.
    """

    def __init__(self, clock: Clock, channels: int, seed: int, address: str, baud: int) -> None:
        self._clock = clock
        power_up_ns = clock.monotonic_ns()
        self._generator = Generator(channels, seed, power_up_ns)
        effects = WireEffects()
        self.wire = WireLog(power_up_ns)
        unit = Unit(self._generator, effects)
        self._face: ModbusServer | ModbusLine
        if address.startswith("pty:"):
            self._face = ModbusLine(unit, effects, self.wire, clock, baud)
        else:
            self._face = ModbusServer(unit, effects, self.wire, clock)
        self._asked_address = address
        self._backdoor: BackDoor | None = None
        self._pump: asyncio.TimerHandle | None = None
        self.faults = Faults(self._generator, effects, self._face, clock)

    @property
    def address(self) -> str:
        """Where clients connect: ``tcp:HOST:PORT`` or ``rtu:PATH?baud=BAUD``."""
        return self._face.address

    @property
    def backdoor_address(self) -> str | None:
        """URL of the back door; None without one."""
        return self._backdoor.address if self._backdoor is not None else None

    @property
    def events(self) -> EventLog:
        """What the firmware logged until now."""
        self._advance()
        return self._generator.events

    def truth(self) -> dict[str, object]:
        """The output stages themselves, now: keys as in ``GET /truth``."""
        return self._generator.truth(self._advance())

    def state(self) -> dict[str, object]:
        """The firmware's memory and the faults in force, now: as in ``GET /state``."""
        now_ns = self._advance()
        firmware = self._generator.firmware
        return {
            "now_s": (now_ns - self._generator.power_up_ns) / NS_PER_S,
            "sample_counter": firmware.sample_counter(now_ns),
            **asdict(firmware.control, dict_factory=_with_names),
            "faults": [asdict(fault) for fault in self.faults.active()],
        }

    async def open(self, backdoor: str | None) -> None:
        """Open the faces and let time run."""
        await self._face.open(self._asked_address)
        if backdoor is not None:
            self._backdoor = BackDoor(self)
            await self._backdoor.open(*host_and_port(backdoor, where=f"back door {backdoor}"))
        self._keep_going()

    async def close(self) -> None:
        """Switch it off: no connection and no timer is left."""
        if self._pump is not None:
            self._pump.cancel()
        await self._face.close()
        if self._backdoor is not None:
            await self._backdoor.close()

    def _advance(self) -> int:
        now_ns = self._clock.monotonic_ns()
        self._generator.advance_to(now_ns)
        return now_ns

    def _keep_going(self) -> None:
        self._advance()
        self._pump = asyncio.get_running_loop().call_later(PUMP_S, self._keep_going)


def _with_names(items: list[tuple[str, object]]) -> dict[str, object]:
    """States and modes by their names."""
    return {key: value.name.lower() if isinstance(value, IntEnum) else value for key, value in items}


async def start(
    clock: Clock,
    *,
    address: str = "tcp:127.0.0.1:0",
    channels: int = 2,
    seed: int = 0,
    backdoor: str | None = None,
    baud: int = BAUD,
) -> Simulator:
    """Switch a simulated generator on; close it at the end.

    Args:
        clock: The clock of the running loop.
        address: Where clients connect: ``tcp:HOST:PORT``, port 0 for any that is free, or ``pty:PATH``, which makes
            PATH a link to a pty; ``pty:`` takes a path of its own.
        channels: 1 to 4.
        seed: The same seed gives the same noise and tokens.
        backdoor: ``HOST:PORT`` of the back door, on loopback; none when not given.
        baud: How fast a pty is.

    Raises:
        ConfigError: An address or a number of channels that cannot be served.
    """
    if not address.startswith(("tcp:", "pty:")):
        raise ConfigError("no such kind of link", where=address, remedy="Write tcp:HOST:PORT or pty:PATH.")
    if not 1 <= channels <= MOST_CHANNELS:
        raise ConfigError(f"{channels} channels", remedy=f"A generator has 1 to {MOST_CHANNELS}.")
    simulator = Simulator(clock, channels, seed, address, baud)
    try:
        await simulator.open(backdoor)
    except BaseException:
        await simulator.close()
        raise
    return simulator
