"""What a session that went down leaves latched: it may have had energy on, and nobody saw it end (HZ-22)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from rfctl.accounts.resets import Latch, ResetClass, class_in_force
from rfctl.errors import RfctlError
from rfctl.kernel.state import Stage, initial
from rfctl.kernel.step import step
from rfctl.record import segments
from rfctl.record.segments import Entry
from rfctl.record.setup import setup_from
from rfctl.record.story import story
from rfctl.station.latches import Standing, latched, standing_of
from rfctl.station.measured_off import turn_off

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.state import KernelState
    from rfctl.model.plan import Medium
    from rfctl.station.connection import Connection

LOG = logging.getLogger("rfctl.went_down")
CODE = "unclean_end"
HAZARD = "HZ-22"


async def off_first(connection: Connection, clock: Clock) -> None:
    """Everything off, before its record is read, which may take minutes. What keeps the generator from confirming that
    meets the session again, which then gives no energy.

    Args:
        connection: Not open, and for nothing else.
        clock: Of the running loop.
    """
    try:
        await turn_off(connection, clock)
    except RfctlError as problem:
        LOG.warning("the session before went down, and off is not confirmed: %s", problem)


async def latches_of(record: Path, medium: Medium, clock: Clock) -> tuple[Standing, ...]:
    """What the newest session of a record leaves, which was not ended in it: its trips, and an unclean end on each
    channel that it had an intent for. Nothing where it never had one.

    A record that nobody can read leaves the strictest: what it did is not known, and there is no impedance to compare.

    Args:
        record: Its folder.
        medium: Of the station.
        clock: Of the running loop.
    """
    at = f"{clock.utc():%Y-%m-%dT%H:%M:%SZ}"
    with clock.hold():  # it may be long
        try:
            name, state = await asyncio.to_thread(_last_state, record)
        except RfctlError as problem:
            text = f"the session before went down, and its record cannot be read: {problem.what}"
            klass = class_in_force(Latch.R3, medium, anaesthetic_or_heat=True)
            if klass is ResetClass.R3B:
                klass = ResetClass.R4
            return (Standing(CODE, HAZARD, 0, text, str(klass), None, record.parent.name, at),)
    if state is None:
        return ()
    trips = latched(state, name, at)
    if state.stage is Stage.ENDED and state.off_verified:
        return trips  # only its record had no end
    text = f"{name} went down before it ended"
    sites = state.setup.plan.sites
    channels = {number for number, channel in enumerate(state.channels, 1) if channel.intent}
    channels |= {sites[result.site].channel for result in state.results}
    return (*trips, *(standing_of(CODE, HAZARD, number, text, state, name, at) for number in sorted(channels)))


def _last_state(record: Path) -> tuple[str, KernelState | None]:
    """The newest procedure's name, and what its kernel knew at last; None where it never had an intent."""
    number, intended, name = 0, False, ""
    for entry in segments.entries(record):
        if _begins(entry):
            number, intended, name = number + 1, False, str(entry.members.get("procedure_id"))
        intended = intended or entry.kind == "intent"
    if not intended:
        return name, None
    state: KernelState | None = None
    for told in story(record):
        if isinstance(told, Entry):
            number -= _begins(told)
            if told.kind == "setup" and not number:
                state = initial(setup_from(told.members))
        elif state is not None:
            state, _ = step(state, told.event)
    return name, state


def _begins(entry: Entry) -> bool:
    return entry.kind == "session" and not entry.members.get("after_failure")
