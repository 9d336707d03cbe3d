"""Runs a session on the right clock and prints its document; shared by demo and run."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rfctl.cli import logs
from rfctl.cli.session_report import add_report
from rfctl.cli.view.terminal import terminal
from rfctl.errors import EXIT_DONE
from rfctl.station import session
from rfctl.station.attended import AttendedOperator

if TYPE_CHECKING:
    from rfctl.cli.lines import Lines
    from rfctl.cli.view.own import OwnView
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.procedure import Operator, Watch
    from rfctl.station.session import Order, Result
    from rfctl.station.station_file import Station


@dataclass(frozen=True, slots=True)
class Watching:
    """How a session is watched.

    Attributes:
        watch: For the order.
        view: For the launch; None without a terminal.
        lines: The log lines on standard error.
    """

    watch: Watch
    view: OwnView | None
    lines: Lines


def arrange_watching(station: Station, operator: Operator, *, visible: bool) -> Watching:
    """Log lines on standard error; where there is a terminal a view instead, and of the lines only the warnings.

    Args:
        station: The station.
        operator: Who decides; one who is there does so at the view.
        visible: A view is wanted.
    """
    place = terminal() if visible else None
    on_terminal = place is not None and sys.stderr.isatty()
    lines = logs.configure(quiet=on_terminal)
    progress = logs.progress(station=station.id, backend="SIMULATED" if station.simulated else "device")
    if place is None:
        return Watching(progress, None, lines)
    from rfctl.cli.view.own import OwnView
    from rfctl.station.onlooker import Onlooker

    onlooker = Onlooker(station.id, station.title, "", operator.name)

    def watch(state: KernelState, effects: tuple[Effect, ...]) -> None:
        progress(state, effects)
        onlooker(state, effects)

    attended = operator if isinstance(operator, AttendedOperator) else None
    return Watching(watch, OwnView(onlooker, place, attended, lines if on_terminal else None), lines)


def launch(order: Order, *, virtual: bool, pace: float | None, watching: Watching) -> Result:
    """Run the session, then write its report.

    Args:
        order: What to do.
        virtual: In virtual time; only with a simulator in this process.
        pace: Virtual seconds a second of the wall, None for as fast as it goes.
        watching: Whose watch the order has; its view is shown meanwhile.
    """
    try:
        result = _launch(order, virtual, pace, watching.view)
    finally:
        watching.lines.finish()
    add_report(result.document)
    return result


def _launch(order: Order, virtual: bool, pace: float | None, view: OwnView | None) -> Result:
    if virtual:
        from rfctl.virtual import VirtualClock, run_virtual

        async def on_virtual_clock() -> Result:
            return await _run(order, VirtualClock.running(), view, pace or 1.0)

        return run_virtual(on_virtual_clock(), pace=pace)
    from rfctl.clock import RealClock
    from rfctl.station.real_time import real_time

    station = order.station
    with (
        real_time(wanted=station.real_time, station=station.id),
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
    ):
        clock: Clock = RealClock()
        return runner.run(_run(order, clock, view, 1.0))


async def _run(order: Order, clock: Clock, view: OwnView | None, pace: float) -> Result:
    if view is None:
        return await session.run(order, clock)
    order = replace(order, begun=view.begun)
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
    try:
        if as_json:
            click.echo(session.as_json(document))
        else:
            _print_summary(document)
        if result.exit_code != EXIT_DONE:
            click.echo(f"rfctl: {result.error}", err=True)
    except OSError as problem:
        if problem.errno != errno.EIO:
            raise
        _forget_output()
    return result.exit_code


def _forget_output() -> None:
    """The terminal was closed: what could not be printed must not change the exit code when the streams are flushed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _print_summary(document: dict[str, object]) -> None:
    banner = "SIMULATED, " if document["backend"] == "simulated" else ""
    click.echo(f"{banner}medium {document['medium']}, time {document['time_scale']}: {document['outcome']}")
    sites = document["sites"]
    for site in sites if isinstance(sites, list) else []:
        click.echo(f"  {site['site']} (channel {site['channel']}): {site['end_reason']}")
        sensory, motor = site["sensory"], site["motor"]
        if sensory["threshold"] is not None:
            click.echo(f"    sensory: felt at {sensory['threshold']:g} {sensory['unit']}")
        if motor["negative_to"] is not None:
            click.echo(f"    motor: no limb or radicular response to {motor['negative_to']:g} {motor['unit']}")
        for override in site["overrides"]:
            click.echo(f"    {override['check']} taken over by {override['by']}: {override['reason']}")
        if site["power_w"] is not None and site["energy_j"] is not None:
            click.echo(f"    load: set {site['power_w']:g} W for {site['hold_s']:g} s, {site['energy_j']:.0f} J")
        elif site["seconds_within_2c"] is not None:
            click.echo(
                f"    lesion: set {site['set_temperature_c']:g} degC, {site['seconds_within_2c']:.1f} of "
                f"{site['hold_s']:g} s within 2 degC, peak {site['peak_temperature_c']:.1f} degC, "
                f"{site['energy_j']:.0f} J in the tissue"
            )
    record, key = _path(document["record"]), _path(document["public_key"])
    click.echo(f"record      {record}")
    if document["report"] is not None:
        click.echo(f"report      {_path(document['report'])}")
    click.echo(f"key         {document['key']}")
    simulated_s, wall_s = document["simulated_s"], document["wall_s"]
    if isinstance(simulated_s, float) and isinstance(wall_s, float) and wall_s > 0:
        click.echo(f"time        {simulated_s:.0f} s in {wall_s:.1f} s ({simulated_s / wall_s:.0f} x real time)")
    command = "rfctl" if shutil.which("rfctl") else sys.argv[0]
    click.echo(f"next        {command} record verify {record} --key {key}")
    click.echo(f"            {command} record replay {record}")


def _path(absolute: object) -> str:
    """As short as it can be typed from here."""
    path = Path(str(absolute))
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
