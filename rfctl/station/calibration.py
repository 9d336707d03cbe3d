"""Whether the generator is calibrated: nothing is energised on a device whose calibration is missing or has run out."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.station.station_file import Station

BEGUN = re.compile(r"-(\d{8}T\d{6}Z)-")
"""When a record was begun, in the name of its folder."""


def require(station: Station, now: datetime, records: Path) -> dict[str, object] | None:
    """The calibration holds today. A simulator needs none; one that it states is judged.

    Args:
        station: Whose generator.
        now: By the wall clock, which may have been set back: a record of this station that is newer counts instead.
        records: The folder in which the station's records lie.

    Returns:
        What it was found to be, for the record: ``done``, ``due``, the day that counts as ``today``, and ``by`` whose
        word. None where none is stated and none is needed.

    Raises:
        ConfigError: A device whose station file states no calibration.
        RefusedError: It has run out, or lies in the future.
    """
    stated = station.calibration
    if stated is None:
        if station.simulated:
            return None
        raise ConfigError(
            "[calibration] is missing: on a device nothing is energised whose calibration is not known to hold",
            where=station.id,
            remedy="Add [calibration] with done = DATE and due = DATE, by the generator's calibration certificate.",
        )
    today, by = _today(station, now, records)
    if today > stated.due:
        raise RefusedError(
            f"the calibration ran out: due {stated.due}, today is {today} by {by}",
            where=station.id,
            remedy="Have the generator calibrated, and state the new dates in [calibration].",
        )
    if today < stated.done:
        raise RefusedError(
            f"the calibration is dated {stated.done}, in the future: today is {today} by {by}",
            where=station.id,
            remedy="Set the computer's clock, or correct [calibration] done.",
        )
    return {"done": str(stated.done), "due": str(stated.due), "today": str(today), "by": by}


def _today(station: Station, now: datetime, records: Path) -> tuple[date, str]:
    """The day that cannot be before it, and whose word that is."""
    newest, by = now, "the clock"
    for folder in records.glob(f"{station.id}-*"):
        found = BEGUN.match(folder.name.removeprefix(station.id))
        if found is None:
            continue
        try:
            begun = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            continue
        if begun > newest:
            newest, by = begun, f"the record {folder.name}"
    return newest.date(), by
