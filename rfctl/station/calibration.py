"""Whether the generator is calibrated: nothing is energised on a device whose calibration is missing or has run out.

The station file says so by the certificate, and a generator may tell dates of its own. Each word is judged for itself.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.generator import Identity
    from rfctl.station.station_file import Station

BEGUN = re.compile(r"-(\d{8}T\d{6}Z)-")
"""When a record was begun, in the name of its folder."""


class Source(NamedTuple):
    """Whose word it is.

    Attributes:
        name: In the record.
        renew: What to do when it has run out.
        correct: What to do, beside setting the clock, when it lies in the future.
    """

    name: str
    renew: str
    correct: str


STATION_FILE = Source(
    "station file",
    "Have the generator calibrated, and state the new dates in [calibration].",
    "correct [calibration] done",
)
GENERATOR = Source(
    "generator", "Have it calibrated, so that it tells a new date.", "have the date in the generator corrected"
)


def require(station: Station, identity: Identity, now: datetime, records: Path) -> tuple[dict[str, str], ...]:
    """The calibration holds today, by the station file and by the generator itself.

    Args:
        station: Whose generator.
        identity: What the generator tells of itself.
        now: By the wall clock, which may have been set back: a record of this station that is newer counts instead.
        records: The folder in which the station's records lie.

    Returns:
        What it was found to be, for the record, one for each ``source``: ``done``, ``due``, the day that counts as
        ``today``, and ``by`` whose word. Nothing of a source that states none.

    Raises:
        ConfigError: A device whose station file states no calibration.
        RefusedError: It has run out, or lies in the future.
    """
    return (*of_station(station, now, records), *of_generator(station, identity, now, records))


def of_station(station: Station, now: datetime, records: Path) -> tuple[dict[str, str], ...]:
    """The calibration that the station file states holds today. A simulator needs none; one that it states is judged.

    Args, returns and raises as ``require``.
    """
    stated = station.calibration
    if stated is None:
        if station.simulated:
            return ()
        raise ConfigError(
            "[calibration] is missing: on a device nothing is energised whose calibration is not known to hold",
            where=station.id,
            remedy="Add [calibration] with done = DATE and due = DATE, by the generator's calibration certificate.",
        )
    return (_judged(STATION_FILE, stated.done, stated.due, station, now, records),)


def of_generator(station: Station, identity: Identity, now: datetime, records: Path) -> tuple[dict[str, str], ...]:
    """The calibration that the generator tells of itself holds today, on a simulator as on a device.

    Args, returns and raises as ``require``.
    """
    done, due = identity.calibration_done, identity.calibration_due
    if done is None and due is None:
        return ()
    return (_judged(GENERATOR, done, due, station, now, records),)


def _judged(
    source: Source, done: date | None, due: date | None, station: Station, now: datetime, records: Path
) -> dict[str, str]:
    today, by = _today(station, now, records)
    if due is not None and today > due:
        raise RefusedError(
            f"the {source.name} says that the calibration ran out: due {due}, today is {today} by {by}",
            where=station.id,
            remedy=source.renew,
        )
    if done is not None and today < done:
        raise RefusedError(
            f"the {source.name} says that the calibration is dated {done}, in the future: today is {today} by {by}",
            where=station.id,
            remedy=f"Set the computer's clock, or {source.correct}.",
        )
    told = {name: str(day) for name, day in (("done", done), ("due", due)) if day is not None}
    return {"source": source.name, **told, "today": str(today), "by": by}


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
