"""A procedure's set-up in the record, so that replay decides by the same plan and the same table."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rfctl.errors import RecordError
from rfctl.kernel.expected import Budget
from rfctl.kernel.limits import ROWS
from rfctl.kernel.row import Row
from rfctl.kernel.state import Setup
from rfctl.model.capability import SetPoint
from rfctl.model.plan import Medium, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping


def rows_sha256(rows: tuple[Row, ...]) -> str:
    """Hash of an interlock table: every value of every row, phases in a fixed order."""
    text = "\n".join(
        "|".join(",".join(sorted(item)) if isinstance(item, frozenset) else str(item) for item in row) for row in rows
    )
    return hashlib.sha256(text.encode()).hexdigest()


def members_of(setup: Setup) -> dict[str, Any]:
    """The set-up as members of a record line; the interlock table by its hash."""
    return {
        "plan": asdict(setup.plan),
        "medium": str(setup.medium),
        "session": setup.session,
        "channels": setup.channels,
        "rated_power_w": setup.rated_power_w,
        "simulated": setup.simulated,
        "set_point": setup.set_point,
        "channel_off": setup.channel_off,
        "resolution_k": list(setup.resolution_k),
        "noise_k": [None if noise != noise else noise for noise in setup.noise_k],
        "budget_s": list(setup.budget),
        "guarded": setup.guarded,
        "rows_sha256": rows_sha256(setup.rows),
        "pad_monitored": setup.pad_monitored,
        "voltage_measured": setup.voltage_measured,
        "multiplexed": setup.multiplexed,
    }


def setup_from(members: Mapping[str, Any]) -> Setup:
    """The set-up back, with this version's interlock table.

    Raises:
        RecordError: Unreadable, or decided by another interlock table than this version's.
    """
    from pydantic import TypeAdapter, ValidationError

    if members.get("rows_sha256") != rows_sha256(ROWS):
        raise RecordError(
            "the record was decided by another interlock table than this version of rfctl has",
            remedy="Replay it with the version that its first line names.",
        )
    try:
        plan = TypeAdapter(Plan).validate_python(members["plan"])
        return Setup(
            plan=plan,
            medium=Medium(members["medium"]),
            session=int(members["session"]),
            channels=int(members["channels"]),
            rated_power_w=float(members["rated_power_w"]),
            simulated=bool(members["simulated"]),
            set_point=SetPoint(members["set_point"]) if members["set_point"] is not None else None,
            channel_off=bool(members["channel_off"]),
            resolution_k=tuple(map(float, members["resolution_k"])),
            noise_k=tuple(math.nan if noise is None else float(noise) for noise in members["noise_k"]),
            budget=Budget(*map(float, members["budget_s"])),
            guarded=bool(members["guarded"]),
            pad_monitored=bool(members["pad_monitored"]),
            voltage_measured=bool(members["voltage_measured"]),
            multiplexed=bool(members["multiplexed"]),
        )
    except (KeyError, TypeError, ValueError, ValidationError) as problem:
        raise RecordError(f"the set-up cannot be read: {problem}") from None
