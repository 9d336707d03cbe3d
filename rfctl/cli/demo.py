"""rfctl demo: the whole main job on the simulator."""

from __future__ import annotations

import sys
from pathlib import Path

import click

PACE = 8.0
"""Virtual seconds a second, so that the procedure takes about a minute and can be watched."""
STATION = "demo"
PLAN = "demo"
ANSWERS = "demo-answers"


@click.command()
@click.option("--fast", is_flag=True, help="Virtual time, as fast as it goes; else paced to about a minute.")
@click.option("--link", type=click.Choice(["tcp"]), default="tcp", help="How the simulator is reached.")
@click.option("--seed", type=int, default=0, help="Seed of the simulator's noise.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the record; default ./rfctl-out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def demo(*, fast: bool, link: str, seed: int, out: Path | None, as_json: bool) -> None:
    """One whole procedure on the simulator, over a real socket.

    Checklist, two sites on two channels, each with impedance, sensory and motor check, anaesthetic and lesion; the
    record is sealed and can be verified.

    Example: rfctl demo --fast --json
    """
    del link  # one choice so far
    from dataclasses import replace

    from rfctl.cli import logs
    from rfctl.cli.launch import launch, show
    from rfctl.profile import profile
    from rfctl.station import answers, plan_file, station_file
    from rfctl.station.session import Order

    logs.configure(quiet=False)
    station = station_file.load(STATION)
    folder = (out or station.record_folder).resolve()
    station = replace(station, state_folder=folder / "state")
    plan = plan_file.load(PLAN)
    order = Order(
        station=station,
        profile=profile.load(station.profile),
        plan=plan,
        operator=answers.load(ANSWERS, plan),
        out=folder,
        seed=seed,
        watch=logs.progress(station=station.id, backend="SIMULATED"),
    )
    result = launch(order, virtual=True, pace=None if fast else PACE)
    sys.exit(show(result, as_json=as_json))
