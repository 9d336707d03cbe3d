"""Runs a session on the right clock and prints its document; shared by demo and run."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import click

from rfctl.errors import EXIT_DONE
from rfctl.station import session

if TYPE_CHECKING:
    from rfctl.cli.view.own import OwnView
    from rfctl.clock import Clock
    from rfctl.station.session import Order, Result


def launch(order: Order, *, virtual: bool, pace: float | None, view: OwnView | None = None) -> Result:
    """Run the session.

    Args:
        order: What to do.
        virtual: In virtual time; only with a simulator in this process.
        pace: Virtual seconds a second of the wall, None for as fast as it goes.
        view: Shown meanwhile; not in virtual time that goes as fast as it can.
    """
    gc.collect()
    gc.freeze()
    if virtual:
        from rfctl.virtual import VirtualClock, run_virtual

        async def on_virtual_clock() -> Result:
            return await _run(order, VirtualClock.running(), view, pace or 1.0)

        return run_virtual(on_virtual_clock(), pace=pace)
    from rfctl.clock import RealClock

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        clock: Clock = RealClock()
        return runner.run(_run(order, clock, view, 1.0))


async def _run(order: Order, clock: Clock, view: OwnView | None, pace: float) -> Result:
    if view is None:
        return await session.run(order, clock)
    showing = asyncio.create_task(view.run(clock, pace), name="showing")
    try:
        return await session.run(order, clock)
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


def show(result: Result, *, as_json: bool) -> int:
    """Print the document or its summary on standard output, the error on standard error.

    Returns:
        The exit code.
    """
    document = result.document
    if as_json:
        click.echo(session.as_json(document))
    else:
        _print_summary(document)
    if result.exit_code != EXIT_DONE:
        click.echo(f"rfctl: {result.error}", err=True)
    return result.exit_code


def _print_summary(document: dict[str, object]) -> None:
    banner = "SIMULATED, " if document["backend"] == "simulated" else ""
    click.echo(f"{banner}medium {document['medium']}, time {document['time_scale']}: {document['outcome']}")
    sites = document["sites"]
    for site in sites if isinstance(sites, list) else []:
        click.echo(f"  {site['site']} (channel {site['channel']}): {site['end_reason']}")
        if site["sensory_threshold_v"] is not None:
            click.echo(f"    sensory: felt at {site['sensory_threshold_v']:.1f} V")
        if site["motor_negative_to_v"] is not None:
            click.echo(f"    motor: no limb or radicular response to {site['motor_negative_to_v']:.1f} V")
        if site["seconds_within_2c"] is not None:
            click.echo(
                f"    lesion: set {site['set_temperature_c']:g} degC, {site['seconds_within_2c']:.1f} of "
                f"{site['hold_s']:g} s within 2 degC, peak {site['peak_temperature_c']:.1f} degC, "
                f"{site['energy_j']:.0f} J in the tissue"
            )
    click.echo(f"record      {document['record']}")
    click.echo(f"verify with rfctl record verify {document['record']} --key {document['public_key']}")
    simulated_s, wall_s = document["simulated_s"], document["wall_s"]
    if isinstance(simulated_s, float) and isinstance(wall_s, float) and wall_s > 0:
        click.echo(f"time        {simulated_s:.0f} s in {wall_s:.1f} s ({simulated_s / wall_s:.0f} x real time)")
