"""rfctl run: one procedure by station file and plan."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rfctl.cli.password import PASSWORD_FILE

if TYPE_CHECKING:
    from rfctl.errors import ConfigError
    from rfctl.station.station_file import Station


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--plan", "plan_name", required=True, help="Plan file, or the name of a shipped one.")
@click.option("--answers", "answers_name", help="Answers file, for a simulator or a test load; else you decide.")
@click.option("--operator", "operator_name", help="Who decides at this terminal; default the user's name.")
@PASSWORD_FILE
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
    password_file: Path | None,
    fast: bool,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """One procedure, decided at this terminal; or with answers from a file, on a simulator or a test load only.

    Where a service runs the station, the procedure runs there, and this terminal holds the control right.

    On a device in tissue the alarm's test tone sounds first, and has to be confirmed.

    Where the station has accounts, the operator proves the name by a password before anything happens. STOP needs none.

    The space bar, SIGINT, SIGTERM and closing the terminal turn everything off at once.

    Example: rfctl run --station demo --plan short --answers short-answers --fast
    """
    from rfctl.cli.alarm_test import require_heard
    from rfctl.cli.launch import arrange_watching, launch, show
    from rfctl.cli.login import asked_password, began, log_in
    from rfctl.errors import ConfigError
    from rfctl.profile import any_profile
    from rfctl.station import answers, plan_file, station_file
    from rfctl.station.attended import AttendedOperator
    from rfctl.station.control_client import service_runs
    from rfctl.station.procedure import Operator
    from rfctl.station.session import Order

    station = station_file.load(station_name)
    station_file.require_layers(station)
    if fast and not station.in_process:
        raise ConfigError(
            f"--fast with the link {station.link}: virtual time exists only with a simulator in this process",
            where=station_name,
            remedy="Leave --fast out, or use a station whose link is sim:NAME.",
        )
    alarm_heard = False
    if answers_name is not None:
        answers.require_nobody(station)
    else:
        alarm_heard = require_heard(station)
    plan = plan_file.load(plan_name)
    operator_name = operator_name or getpass.getuser()
    station_file.require_accounts(station)
    at_service = not fast and service_runs(station.state_folder)
    if at_service:
        if out is not None:
            raise ConfigError(
                "--out with a service: it keeps its records in its own folder",
                where="rfctl run",
                remedy="Leave it out.",
            )
        password = asked_password(station, operator_name, password_file)
        code = _at_service(
            station,
            plan_name,
            answers_name,
            name=operator_name,
            password=password,
            alarm_heard=alarm_heard,
            as_json=as_json,
        )
        sys.exit(code)
    operator: Operator
    login = log_in(station, operator_name, password_file)
    if answers_name is not None:
        operator = answers.load(answers_name, plan, begun_by=login.person if login is not None else None)
    else:
        operator = AttendedOperator(operator_name if login is None else str(login.person), login)
    watching = arrange_watching(station, operator, visible=not (fast or as_json))
    if answers_name is None and watching.view is None:
        raise _nobody_decides()
    order = Order(
        station=station,
        profile=any_profile.load(station.profile, relative_to=station.folder),
        plan=plan,
        operator=operator,
        out=(out or station.record_folder).resolve(),
        seed=seed,
        watch=watching.watch,
        acts=began(login, plan.title, alarm_heard=alarm_heard),
    )
    result = launch(order, virtual=fast, pace=None, watching=watching)
    sys.exit(show(result, as_json=as_json))


def _at_service(
    station: Station,
    plan: str,
    answers: str | None,
    *,
    name: str,
    password: str | None,
    alarm_heard: bool,
    as_json: bool,
) -> int:
    """The same where a service owns the station."""
    import asyncio

    from rfctl.cli import logs
    from rfctl.cli.attached import run_at_service
    from rfctl.cli.launch import show
    from rfctl.cli.session_report import add_report
    from rfctl.cli.view.terminal import terminal
    from rfctl.model import shipped

    place = None if as_json else terminal()
    if answers is None and place is None:
        raise _nobody_decides()
    logs.configure(quiet=place is not None)
    plan_text = shipped.find("plans", plan).read_text("utf-8")
    answers_text = shipped.find("plans", answers).read_text("utf-8") if answers is not None else None
    result = asyncio.run(
        run_at_service(
            station, plan_text, answers_text, name=name, password=password, alarm_heard=alarm_heard, place=place
        )
    )
    if not result.document:
        click.echo(f"rfctl: {result.error}", err=True)
        return result.exit_code
    add_report(result.document)
    return show(result, as_json=as_json)


def _nobody_decides() -> ConfigError:
    from rfctl.errors import ConfigError

    return ConfigError(
        "nobody is there to decide: without --answers a terminal is needed, and neither --fast nor --json",
        where="rfctl run",
        remedy="Run it on a terminal, or give --answers FILE.",
    )
