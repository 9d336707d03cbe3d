"""rfctl serve: the service of a station, without a terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station


@click.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
def serve(*, station_name: str) -> None:
    """Run a station as a service: turn off, verify, watch every interlock, and run procedures for who holds control.

    rfctl run and rfctl attach reach it over a local socket, rfctl stop stops it. SIGTERM turns everything off, verifies
    and seals; SIGHUP reads the station file again, except while energised. Speaks sd_notify (Type=notify, WatchdogSec).

    Example: rfctl serve --station simulator
    """
    from rfctl.cli import logs
    from rfctl.profile import any_profile
    from rfctl.station import station_file
    from rfctl.station.real_time import real_time

    logs.configure(quiet=False)
    station = station_file.load(station_name)
    station_file.require_layers(station)
    station_file.require_accounts(station)
    found = any_profile.load(station.profile, relative_to=station.folder)
    with (
        real_time(wanted=station.real_time, station=station.id),
        asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
    ):
        code = runner.run(_serve(station, found, station_name))
    sys.exit(code)


async def _serve(station: Station, profile: AnyProfile, source: str) -> int:
    import structlog

    from rfctl.cli import logs
    from rfctl.clock import RealClock
    from rfctl.record.pointer import StateFolder
    from rfctl.station.control import ControlServer
    from rfctl.station.service import Service
    from rfctl.station.stop_desk import StopDesk
    from rfctl.station.supervisor import Supervisor

    context = {"station": station.id, "backend": "SIMULATED" if station.simulated else "device"}
    log = structlog.get_logger().bind(**context)
    clock = RealClock()
    control = ControlServer(clock, station.accounts, patient=station.patient)

    def say(text: str) -> None:
        log.info(text)
        control.notice(text)

    with StateFolder.claim(station.state_folder) as state_folder, StopDesk(station.state_folder) as desk:
        service = Service(
            station,
            profile,
            clock,
            source=source,
            state_folder=state_folder,
            desk=desk,
            supervisor=Supervisor(os.environ, clock),
            progress=logs.progress(**context),
            say=say,
            finished=control.finished,
        )
        await control.open(station.state_folder, service)
        try:
            return await service.run()
        finally:
            await control.close()
