"""What ``rfctl sim serve`` does: simulators until a signal comes, and where they listen in words or JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import click

from rfctl_sim.fleet import start_fleet
from rfctl_sim.simulator import start

if TYPE_CHECKING:
    from rfctl.clock import ScaledClock
    from rfctl_sim.simulator import Simulator


async def serve(clock: ScaledClock, options: dict[str, Any], *, fleet: int | None, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        clock: Of the running loop.
        options: As rfctl_sim.simulator.start takes them.
        fleet: How many on consecutive ports; None for one of them, behind any link.
        as_json: One line of JSON instead of words.

    Raises:
        ConfigError: What cannot be served.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = [await start(clock, **options)] if fleet is None else await start_fleet(clock, fleet, **options)
    try:
        if as_json:
            click.echo(json.dumps(_listening(running, options, clock, fleet)))
        else:
            for simulator in running:
                _tell(simulator, options, clock)
        await stop.wait()
    finally:
        for simulator in running:
            await simulator.close()


def _listening(
    running: list[Simulator], options: dict[str, Any], clock: ScaledClock, fleet: int | None
) -> dict[str, Any]:
    first = running[0]
    listening = {
        "link": first.address,
        "backdoor": first.backdoor_address,
        "relay": first.relay_address,
        "generator": options["generator"],
        "channels": first.channels,
        "units": options["units"],
        "setup": options["setup"],
        "speed": clock.speed,
        "pid": os.getpid(),
    }
    if fleet is not None:
        listening["fleet"] = [{"link": each.address, "backdoor": each.backdoor_address} for each in running]
    return listening


def _tell(simulator: Simulator, options: dict[str, Any], clock: ScaledClock) -> None:
    several = f"{options['units']} units, " if options["units"] > 1 else ""
    speed = f", {clock.speed:g} times as fast as the clock" if clock.speed != 1.0 else ""
    click.echo(
        f"Simulated generator {options['generator']} (no device), {several}{simulator.channels} channels, "
        f"on {simulator.address}{speed}"
    )
    if simulator.relay_address is not None:
        click.echo(f"Relay board in the enable loop: {simulator.relay_address}")
    if simulator.backdoor_address is not None:
        click.echo(
            f"Back door: {simulator.backdoor_address} "
            "(GET /truth /state /events /wire, POST /faults /panel /setup/NAME /speed)"
        )
