"""Stops a station from outside: at the desk of whoever runs it, or at its generator when nobody does."""

from __future__ import annotations

import asyncio
import json
import select
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S, RealClock
from rfctl.errors import ConfigError, LinkClosed, RfctlError
from rfctl.record.pointer import StateFolder
from rfctl.station import local_socket
from rfctl.station.connection import Connection
from rfctl.station.guarding import DESK as GUARD_SOCKET
from rfctl.station.measured_off import turn_off
from rfctl.station.stop_desk import STOP_SOCKET, Verdict

if TYPE_CHECKING:
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station

ANSWER_S = 12.0
"""A desk answers after 100 ms and 3 s with a hung loop, after 6.5 s and 3 s at the latest."""
GUARD_S = 1.0
"""A contact is open within half a second."""
KNOCK_NS = 3 * NS_PER_S
"""How long a process that owns the station may have no desk: while it starts, while it ends."""
KNOCK_AGAIN_S = 0.05


def stop(station: Station, profile: AnyProfile) -> Verdict:
    """Turn everything off and wait for the measurement. Idempotent; never raises what it can put into the verdict.

    Args:
        station: Whose generator.
        profile: That generator's.
    """
    with ExitStack() as stack:
        guard = _at_the_guard(station, stack)
        verdict = _stop(station, profile)
        return replace(verdict, relay_open=_said_by(guard)) if guard is not None else verdict


def _at_the_guard(station: Station, stack: ExitStack) -> local_socket.Socket | None:
    """A connection to the guard is a stop; None where none runs. It is not waited for before the station hears."""
    try:
        return stack.enter_context(local_socket.connect(station.state_folder, GUARD_SOCKET, timeout_s=GUARD_S))
    except OSError:
        return None


def _said_by(guard: local_socket.Socket) -> bool | None:
    """Whether its contact was seen open; None for no answer."""
    try:
        answer = guard.makefile("rb").readline()
        return bool(json.loads(answer)["opened"]) if answer else None
    except (OSError, ValueError, KeyError):
        return None


def _stop(station: Station, profile: AnyProfile) -> Verdict:
    clock = RealClock()
    give_up_ns = clock.monotonic_ns() + KNOCK_NS
    while True:
        verdict = _at_the_desk(station)
        if verdict is not None:
            return verdict
        try:
            with StateFolder.claim(station.state_folder):
                return _at_the_generator(station, profile, clock)
        except ConfigError as owned:
            if clock.monotonic_ns() >= give_up_ns:
                text = f"{owned.what}, and does not listen for a stop. End that process; switch the generator off."
                return Verdict(off_measured=False, sent_by="nobody", text=text)
        select.select((), (), (), KNOCK_AGAIN_S)


def _at_the_desk(station: Station) -> Verdict | None:
    """The verdict of the process that runs the station; None when there is none, or it ended meanwhile."""
    try:
        with local_socket.connect(station.state_folder, STOP_SOCKET, timeout_s=ANSWER_S) as desk:
            answer = desk.makefile("rb").readline()
    except TimeoutError:
        return Verdict(off_measured=False, sent_by="nobody", text=f"no answer within {ANSWER_S:g} s")
    except OSError:
        return None
    return Verdict(**json.loads(answer)) if answer else None


def _at_the_generator(station: Station, profile: AnyProfile, clock: RealClock) -> Verdict:
    sender = "this command"
    try:
        if station.in_process:
            raise LinkClosed(
                "nobody runs this station, and its simulator exists only in the process that does", where=station.link
            )
        connection = Connection(station.link, profile, clock, simulated=station.simulated)
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(turn_off(connection, clock))
    except RfctlError as problem:
        return Verdict(off_measured=False, sent_by=sender, text=str(problem))
    return Verdict(off_measured=True, sent_by=sender, text="nobody runs the station; measured off")
