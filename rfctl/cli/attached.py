"""A session that a service runs, as run and attach show it: a view in a terminal, else lines."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

import structlog

from rfctl.cli.view.keys import Acknowledge, Answer, Stop
from rfctl.errors import LinkClosed
from rfctl.station.control_client import ControlClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.station.session import Result
    from rfctl.station.snapshot import SeenEvent, Snapshot
    from rfctl.station.station_file import Station

_LEVELS = {"warning": logging.WARNING, "trip": logging.ERROR}
Place = tuple[int, int] | None
"""Descriptors of keyboard and screen, None for lines."""


async def run_at_service(
    station: Station,
    plan: str,
    answers: str | None,
    *,
    name: str,
    password: str | None,
    alarm_heard: bool,
    place: Place,
) -> Result:
    """Have the service run a procedure, hold the control right meanwhile, and show it to its end.

    Args:
        station: Whose service.
        plan: Content of the plan file.
        answers: Content of the answers file; None: the person at the view answers.
        name: Who holds the control right.
        password: Proves it, where the station has accounts.
        alarm_heard: The alarm's test tone has sounded here, and the person has heard it.
        place: Where it is shown.

    Raises:
        ConfigError: The service does not accept the plan or the answers.
        RefusedError: Somebody else holds the control right, or the name was not proved.
        LinkClosed: The service is gone before it began.
    """
    client = await ControlClient.connect(station.state_folder, name)
    try:
        if password is not None:
            await client.log_in(name, password)
        await client.ask("take")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, client.say_stop)
        await client.ask("watch")
        await client.ask("start", plan=plan, answers=answers, alarm_heard=alarm_heard)
        await _show(client, client.snapshots(until_ended=True), place, ours=True, answers=answers is None)
        async for _ in client.snapshots(until_ended=True):
            pass  # the view is gone, which was a stop: see it through
        return client.result()
    finally:
        await client.close()


async def attach_to_service(station: Station, *, name: str, place: Place) -> None:
    """Watch a service until the person leaves.

    Raises:
        ConfigError: No service runs.
        LinkClosed: It has ended.
    """
    client = await ControlClient.connect(station.state_folder, name)
    try:
        await client.ask("watch")
        await _show(client, client.snapshots(until_ended=False), place, ours=False, answers=False)
        if client.lost:
            raise LinkClosed("the service has ended", where=station.id, remedy="See its log.")
    finally:
        await client.close()


async def _show(
    client: ControlClient, snapshots: AsyncIterator[Snapshot], place: Place, *, ours: bool, answers: bool
) -> None:
    if place is None:
        await _print(snapshots)
        return
    from rfctl.cli.view.show import show

    def act(meant: Answer | Stop | Acknowledge) -> None:
        if isinstance(meant, Acknowledge):
            client.say_acknowledge()
        elif isinstance(meant, Answer):
            client.say_answer(meant.channel, meant.question, meant.choice, meant.reason, meant.physician)
        else:
            client.say_stop()

    try:
        await show(snapshots, act, terminal=place, ours=ours, answers=answers)
    except Exception:
        if ours:  # without the view nobody could stop it here
            client.say_stop()
        raise


async def _print(snapshots: AsyncIterator[Snapshot]) -> None:
    log = structlog.get_logger()
    seen: set[SeenEvent] = set()
    stage = ending = ""
    async for snapshot in snapshots:
        words = {"station": snapshot.station, "backend": "SIMULATED" if snapshot.simulated else "device"}
        if snapshot.stage != stage:
            stage = snapshot.stage
            log.info(stage, **words, plan=snapshot.plan, t_s=snapshot.elapsed_s)
        for event in snapshot.events:
            if event not in seen:
                log.log(_LEVELS.get(event.level, logging.INFO), event.text, **words, t_s=event.t_s, code=event.code)
        seen = set(snapshot.events)
        if snapshot.ending != ending:
            ending = snapshot.ending
            if ending:
                log.info(ending, **words, outcome=snapshot.outcome, off_verified=snapshot.off_verified)
