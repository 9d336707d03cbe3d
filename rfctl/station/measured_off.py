"""Everything off, by a connection opened for nothing else, and measured."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.errors import DeviceError
from rfctl.kernel.interlocks import has_output

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.station.connection import Connection

MEASURE_NS = 3 * NS_PER_S
"""How long off is sent and looked for."""
LOOK_AGAIN_S = 0.05


async def turn_off(connection: Connection, clock: Clock, *, descriptor: int | None = None) -> None:
    """Open, send off, and look until a sample taken afterwards shows no output. The connection is closed in the end.

    Args:
        connection: Not open.
        clock: Of the running loop.
        descriptor: A line that is open already.

    Raises:
        LinkError: Nobody there, or no sensible answer.
        DeviceError: Not the station's generator, or OFF NOT CONFIRMED.
    """
    try:
        await connection.open(descriptor=descriptor)
        give_up_ns = clock.monotonic_ns() + MEASURE_NS
        first = (await connection.generator.read()).sample_counter
        while clock.monotonic_ns() < give_up_ns:
            await asyncio.sleep(LOOK_AGAIN_S)
            reading = await connection.generator.read()
            if reading.sample_counter != first and not any(has_output(channel) for channel in reading.channels):
                return
            connection.off()
        raise DeviceError(
            f"OFF NOT CONFIRMED: an output is on, or nothing new was measured, {MEASURE_NS / NS_PER_S:g} s after off",
            remedy="Switch the generator off at its mains and check it.",
        )
    finally:
        connection.close()
