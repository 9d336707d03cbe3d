"""rfctl demo: the whole main job on the simulator."""

from __future__ import annotations

import sys
from pathlib import Path

import click

PACE = 10.0
"""Virtual seconds a second: the ten minutes of the procedure take a minute and can be watched."""
STATION = "demo"
PLAN = "demo"
ANSWERS = "demo-answers"


@click.command()
@click.option("--fast", is_flag=True, help="Virtual time, as fast as it goes; else paced to about a minute.")
@click.option("--pace", type=click.FloatRange(min=0.1, max=100.0), help=f"Seconds a second; default {PACE:g}.")
@click.option("--link", type=click.Choice(["tcp", "rtu"]), default="tcp", help="A socket, or a serial line on a pty.")
@click.option(
    "--tissue", type=click.Choice(["field", "poles"]), default="field", help="How it is computed; poles are quicker."
)
@click.option("--seed", type=int, default=0, help="Seed of the simulator's noise.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the record; default ./rfctl-out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def demo(*, fast: bool, pace: float | None, link: str, tissue: str, seed: int, out: Path | None, as_json: bool) -> None:
    """One whole procedure on the simulator, over a real socket or a real serial line.

    Checklist, two sites on two channels, each with impedance, sensory and motor check, anaesthetic and lesion; the
    record is sealed and can be verified. On a terminal it can be watched live, and the space bar stops it.

    Example: rfctl demo --fast --json
    """
    from dataclasses import replace

    from rfctl.cli.demo_telemetry import DemoTelemetry

    telemetry = click.get_current_context().with_resource(DemoTelemetry())

    from rfctl.cli.launch import arrange_watching, launch, show
    from rfctl.cli.login import began
    from rfctl.profile import any_profile
    from rfctl.station import answers, plan_file, station_file
    from rfctl.station.session import Order

    if fast and pace is not None:
        raise click.UsageError("--fast is as fast as it goes: leave --pace out")
    station = station_file.load(STATION)
    folder = (out or station.record_folder).resolve()
    station = replace(station, link=f"{station.link}?link={link}&tissue={tissue}", state_folder=folder / "state")
    plan = plan_file.load(PLAN)
    operator = answers.load(ANSWERS, plan)
    watching = arrange_watching(station, operator, visible=not (fast or as_json))
    order = Order(
        station=station,
        profile=any_profile.load(station.profile),
        plan=plan,
        operator=operator,
        out=folder,
        seed=seed,
        watch=watching.watch,
        acts=began(None, plan.title),
    )
    result = launch(telemetry.fed_by(order), virtual=True, pace=None if fast else pace or PACE, watching=watching)
    telemetry.count_into(result.document)
    sys.exit(show(result, as_json=as_json))
