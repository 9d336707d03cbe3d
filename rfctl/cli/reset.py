"""rfctl reset: leave a latch by what its class demands."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rfctl.cli.password import PASSWORD_FILE


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--operator", "operator_name", help="Who resets; default the user's name.")
@PASSWORD_FILE
@click.option("--reason", default="", help="Why it may go on, at least 10 characters (from class R2 on).")
@click.option("--new-setup", is_flag=True, help="The set-up was made and confirmed anew (R3a).")
@click.option("--physician", default="", help="Who confirmed the electrode's position by imaging (R3b).")
@click.option("--service", default="", help="What was changed in service or configuration (R4).")
@click.option("--second", "second_name", help="The second person, with that role, another account (R4).")
@click.option(
    "--second-password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The same for the second person's password.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def reset(
    *,
    station_name: str,
    operator_name: str | None,
    password_file: Path | None,
    reason: str,
    new_setup: bool,
    physician: str,
    service: str,
    second_name: str | None,
    second_password_file: Path | None,
    as_json: bool,
) -> None:
    """Reset what an interlock has latched at a station, as far as its class allows.

    Whatever trips outlives its procedure: nothing is begun before it was reset. The generator is measured off, the
    relay is proved, the cause is looked for, and the demands of the latch's reset class are asked for
    (docs/accounts.md). A reset, and one that is refused, is a record of its own. Exit code 0 when nothing stands any
    more, else 3.

    Example: rfctl reset --station theatre.toml --operator anna --reason "lead was plugged in again"
    """
    import asyncio
    import getpass
    import json

    from rfctl.cli.login import prove
    from rfctl.clock import RealClock
    from rfctl.errors import EXIT_DONE, EXIT_STOPPED, RefusedError
    from rfctl.profile import any_profile
    from rfctl.station import station_file
    from rfctl.station.reset import Asked, login_refused
    from rfctl.station.reset import reset as reset_station

    station = station_file.load(station_name)
    station_file.require_accounts(station)
    profile = any_profile.load(station.profile, relative_to=station.folder)
    name, clock = operator_name or getpass.getuser(), RealClock()
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        try:
            by, second = prove(station, name, password_file), None
            if second_name is not None:
                name = second_name
                second = prove(station, name, second_password_file, option="--second-password-file")
        except RefusedError as refused:
            runner.run(login_refused(station, profile, name, str(refused), clock))
            raise
        asked = Asked(by, second, reason, service, physician, new_setup)
        outcome = runner.run(reset_station(station, profile, asked, clock))
    if as_json:
        document = {
            "station": station.id,
            "reset": [str(latch) for latch in outcome.reset],
            "standing": [
                {"latch": str(latch), "missing": [str(demand) for demand in lacks]} for latch, lacks in outcome.refused
            ],
            "self_test": outcome.problem or "passed",
            "record": str(outcome.record) if outcome.record else None,
            "public_key": str(outcome.public_key) if outcome.public_key else None,
        }
        click.echo(json.dumps(document))
    else:
        if outcome.record is None:
            click.echo(f"{station.id}: nothing is latched")
        for latch in outcome.reset:
            click.echo(f"{station.id}: reset: {latch}")
    if outcome.problem:
        click.echo(f"rfctl: {station.id}: self-test: {outcome.problem}", err=True)
    for latch, lacks in outcome.refused:
        click.echo(f"rfctl: {station.id}: NOT RESET: {latch}", err=True)
        for demand in lacks:
            click.echo(f"         missing: {demand}", err=True)
    sys.exit(EXIT_STOPPED if outcome.refused else EXIT_DONE)
