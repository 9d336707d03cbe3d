"""What is installed: drivers and simulators, found by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.generator import Controller
    from rfctl.link.link import Transactions
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.simulated_link import SimulatedLink

DRIVERS = "rfctl.drivers"
SIMULATORS = "rfctl.simulators"
USUAL_CHANNELS = 2
"""A simulated machine is told a number of channels only where more are needed than these."""


class OpenDriver(Protocol):
    """Entry point of a driver."""

    def __call__(self, link: Transactions, profile: AnyProfile) -> Controller: ...


class Simulation(Protocol):
    """A simulator in this process, as far as the station knows it."""

    @property
    def address(self) -> str:
        """Where it listens: ``tcp:HOST:PORT`` or ``rtu:PATH``."""
        ...

    @property
    def relay_address(self) -> str | None:
        """Where the relay board in its enable loop listens, ``rtu:PATH?baud=BAUD`` or ``rtutcp:HOST:PORT``;
        None without one.
        """
        ...

    async def close(self) -> None:
        """Stop it."""
        ...


class StartSimulator(Protocol):
    """Entry point of a simulator."""

    async def __call__(
        self,
        clock: Clock,
        *,
        address: str = "tcp:127.0.0.1:0",
        generator: str = "rfctl-reference",
        channels: int | None = None,
        seed: int = 0,
        relay: str | None = None,
    ) -> Simulation: ...


def driver(name: str) -> OpenDriver:
    """The driver that a profile names.

    Raises:
        ConfigError: Not installed.
    """
    return cast("OpenDriver", _load(DRIVERS, name, "driver"))


def simulator(name: str) -> StartSimulator:
    """The simulator that a ``sim:NAME`` link names.

    Raises:
        ConfigError: Not installed.
    """
    return cast("StartSimulator", _load(SIMULATORS, name, "simulator"))


async def start_simulation(
    link: SimulatedLink, clock: Clock, *, channels: int = 1, seed: int = 0, relay: bool = False
) -> Simulation:
    """Switch on the simulator in process that a link names, with as many channels as its machine usually has, unless
    more are needed.

    Args:
        link: Which simulator, which of its machines, and how it is reached.
        clock: Of the running loop.
        channels: Needed at least.
        seed: The same seed gives the same noise.
        relay: With a relay board in its enable loop, which is open until somebody closes it.
    """
    options: dict[str, Any] = dict(link.options)
    if relay:
        options["relay"] = link.relay
    if channels > USUAL_CHANNELS:
        options["channels"] = channels
    return await simulator(link.simulator)(clock, address=link.address, seed=seed, **options)


def _load(group: str, name: str, what: str) -> Any:
    found = {point.name: point for point in entry_points(group=group)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise ConfigError(f"no {what} named {name!r} is installed", remedy=f"Installed: {known}.")
    return found[name].load()
