"""rfctl attach: watch a service; STOP is open to everybody."""

from __future__ import annotations

import click


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--name", help="Who watches; default the user's name.")
def attach(*, station_name: str, name: str | None) -> None:
    """Watch the service of a station: the live view in a terminal, lines without one.

    The space bar is STOP; q only leaves. Nothing else can be done from here: procedures are begun by rfctl run.

    Example: rfctl attach --station simulator
    """
    import asyncio
    import getpass
    from contextlib import suppress

    from rfctl.cli import logs
    from rfctl.cli.attached import attach_to_service
    from rfctl.cli.view.terminal import terminal
    from rfctl.station import station_file

    logs.configure(quiet=False)
    station = station_file.load(station_name)
    with suppress(KeyboardInterrupt):  # who only watches only leaves
        asyncio.run(attach_to_service(station, name=name or getpass.getuser(), place=terminal()))
