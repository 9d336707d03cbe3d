"""Several simulators in one process, each with its own machines, address and back door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfctl.errors import ConfigError
from rfctl_sim.simulator import start

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl_sim.simulator import Simulator

SCHEMES = ("tcp", "rtutcp", "linetcp")
MOST_PORT = 65_535


async def start_fleet(
    clock: Clock, count: int, *, address: str, backdoor: str | None = None, seed: int = 0, **options: Any
) -> list[Simulator]:
    """Switch so many simulators on; close each of them at the end.

    Args:
        clock: Of the running loop.
        count: How many.
        address: Of the first one, over TCP; the others have the ports that follow it, or with port 0 any free ones.
        backdoor: The same of the back doors.
        seed: Of the first one; each of the others has the next, by which they have serial numbers of their own.
        options: Of each, as rfctl_sim.simulator.start takes them.

    Raises:
        ConfigError: One of them cannot be served; none is then.
    """
    if options.get("relay") is not None:
        raise ConfigError(f"a fleet of {count} with a relay board", remedy="Give --relay to one generator.")
    if address.partition(":")[0] not in SCHEMES:
        raise ConfigError(
            f"a fleet of {count} behind {address}",
            remedy=f"Only {', '.join(f'{each}:' for each in SCHEMES)} have ports to count on from.",
        )
    addresses = consecutive(address, count)
    backdoors = [None] * count if backdoor is None else consecutive(backdoor, count)
    running: list[Simulator] = []
    units = int(options.get("units", 1))
    try:
        for index, (where, door) in enumerate(zip(addresses, backdoors, strict=True)):
            running.append(await start(clock, address=where, backdoor=door, seed=seed + index * units, **options))
    except BaseException:
        for simulator in running:
            await simulator.close()
        raise
    return running


def consecutive(address: str, count: int) -> list[str]:
    """So many addresses from this one on, by their ports; with port 0 each is any free one.

    Raises:
        ConfigError: There are not so many ports, or it has none.
    """
    place, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit():
        raise ConfigError("no port to count on from", where=address, remedy="Write HOST:PORT, for instance port 5020.")
    first = int(port)
    if first + count - 1 > MOST_PORT:
        raise ConfigError(f"{count} ports from {first} on", where=address, remedy=f"Ports end at {MOST_PORT}.")
    return [f"{place}:{first + index if first else 0}" for index in range(count)]
