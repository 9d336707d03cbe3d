"""rfctl run: one procedure by station file and plan."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--plan", "plan_name", required=True, help="Plan file, or the name of a shipped one.")
@click.option("--answers", "answers_name", help="Answers file, for a simulator or a test load; else you decide.")
@click.option("--operator", "operator_name", help="Who decides at this terminal; default the user's name.")
@click.option("--fast", is_flag=True, help="Virtual time; only where the station's link is sim:NAME.")
@click.option("--seed", type=int, default=0, help="Seed of an in-process simulator's noise.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the record; default from the station file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def run(
    *,
    station_name: str,
    plan_name: str,
    answers_name: str | None,
    operator_name: str | None,
    fast: bool,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """One procedure, decided at this terminal; or with answers from a file, on a simulator or a test load only.

    The space bar, SIGINT, SIGTERM and closing the terminal turn everything off at once.

    Example: rfctl run --station demo --plan short --answers short-answers --fast
    """
    from rfctl.cli.launch import arrange_watching, launch, show
    from rfctl.errors import ConfigError
    from rfctl.model.plan import Medium
    from rfctl.profile import profile
    from rfctl.station import answers, plan_file, station_file
    from rfctl.station.attended import AttendedOperator
    from rfctl.station.procedure import Operator
    from rfctl.station.session import Order

    station = station_file.load(station_name)
    if fast and not station.in_process:
        raise ConfigError(
            f"--fast with the link {station.link}: virtual time exists only with a simulator in this process",
            where=station_name,
            remedy="Leave --fast out, or use a station whose link is sim:NAME.",
        )
    if answers_name is not None and not station.simulated and station.medium is not Medium.LOAD:
        raise ConfigError(
            f"--answers on a real device in medium {station.medium}: scripted answers are for a simulator or a test "
            f"load",
            where=station_name,
            remedy="Use medium = 'load' with a resistor, or a simulated station.",
        )
    plan = plan_file.load(plan_name)
    operator: Operator
    if answers_name is not None:
        operator = answers.load(answers_name, plan)
    else:
        operator = AttendedOperator(operator_name or getpass.getuser())
    watching = arrange_watching(station, operator, visible=not (fast or as_json))
    if answers_name is None and watching.view is None:
        raise ConfigError(
            "nobody is there to decide: without --answers a terminal is needed, and neither --fast nor --json",
            where="rfctl run",
            remedy="Run it on a terminal, or give --answers FILE.",
        )
    order = Order(
        station=station,
        profile=profile.load(station.profile, relative_to=station.folder),
        plan=plan,
        operator=operator,
        out=(out or station.record_folder).resolve(),
        seed=seed,
        watch=watching.watch,
    )
    result = launch(order, virtual=fast, pace=None, watching=watching)
    sys.exit(show(result, as_json=as_json))
