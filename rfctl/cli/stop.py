"""rfctl stop: everything off, whoever runs the station."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def stop(*, station_name: str, as_json: bool) -> None:
    """Turn everything off and wait until that is measured.

    Goes to the process that runs the station, also when its event loop hangs; when none runs, to the generator itself;
    and at the same time to the guard, which opens the enable loop.
    Can be repeated. Exit code 0 only when the output was measured off, else 4.

    Example: rfctl stop --station simulator
    """
    import json
    from dataclasses import asdict

    from rfctl.errors import EXIT_DEVICE, EXIT_DONE
    from rfctl.profile import any_profile
    from rfctl.station import station_file
    from rfctl.station.stop import stop as stop_station

    station = station_file.load(station_name)
    verdict = stop_station(station, any_profile.load(station.profile, relative_to=station.folder))
    if as_json:
        click.echo(json.dumps({"station": station.id} | asdict(verdict)))
    elif verdict.off_measured:
        click.echo(f"{station.id}: {verdict.text} (off sent by {verdict.sent_by})")
    if verdict.relay_open is False:
        click.echo(f"rfctl: {station.id}: the guard's contact was NOT seen open", err=True)
    if not verdict.off_measured:
        click.echo(f"rfctl: {station.id}: NOT MEASURED OFF: {verdict.text}", err=True)
    sys.exit(EXIT_DONE if verdict.off_measured else EXIT_DEVICE)
