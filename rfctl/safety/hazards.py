"""Hazards and controls as data, read strictly: an unknown id, or a control that nothing needs, is an error."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rfctl.errors import ConfigError
from rfctl.kernel.limits import ROWS
from rfctl.kernel.row import Row
from rfctl.model.strict_toml import Strict, read

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW = "row."
"""Prefix that tells the row of the interlock table from other controls."""


class Hazard(Strict):
    """One hazard.

    Attributes:
        id: HZ-01 to HZ-64.
        title: What can happen.
        cause: What typically causes it.
        severity: Of the harm.
        t_limit_s: From the cause to energy off, s; None where it is refused before any energy.
        latch: Reset class of a trip.
        priority: Of its alarm.
        rows: Codes of interlock rows that stand against it beside those that name it.
        controls: Ids of other controls.
        statement: Why nothing on this side of the cable can see it; the whole treatment of such a hazard.
        absent: The mode that it belongs to and that the product refuses.
    """

    id: str = Field(pattern=r"^HZ-\d\d$")
    title: str
    cause: str
    severity: Literal["critical", "serious", "minor"]
    t_limit_s: float | None = None
    latch: Literal["R0", "R1", "R2", "R3", "R4"] | None = None
    priority: Literal["high", "medium", "low"] | None = None
    rows: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    statement: str = ""
    absent: str = ""


class Control(Strict):
    """What stands against hazards, other than a row.

    Attributes:
        id: Its name, for ever: tests and kills refer to it.
        title: What it is.
        requirement: What a test has to show; the requirement's id is the control's.
    """

    id: str
    title: str
    requirement: str


class _Hazards(Strict):
    hazard: tuple[Hazard, ...]


class _Controls(Strict):
    control: tuple[Control, ...]


class Catalogue(Strict):
    """All hazards with all controls, rows among them.

    Attributes:
        hazards: In order of their ids.
        controls: By id.
        of: Ids of the controls of each hazard.
    """

    hazards: tuple[Hazard, ...]
    controls: dict[str, Control]
    of: dict[str, tuple[str, ...]]


@cache
def catalogue() -> Catalogue:
    """The catalogue as it is shipped."""
    folder = Path(str(files("rfctl.safety")))
    hazards = read(folder / "hazards.toml", _Hazards).hazard
    controls = read(folder / "controls.toml", _Controls).control
    return joined(hazards, controls, ROWS)


def joined(hazards: Sequence[Hazard], controls: Sequence[Control], rows: Sequence[Row]) -> Catalogue:
    """Join hazards, controls and interlock rows.

    Raises:
        ConfigError: An id twice, an id that does not exist, a control or a row that stands against nothing.
    """
    by_id = {control.id: control for control in controls}
    if len(by_id) < len(controls):
        raise ConfigError("an id is given twice", where="controls.toml", remedy="Give each control an id of its own.")
    for row in rows:
        by_id[ROW + row.code] = Control(id=ROW + row.code, title=f"Interlock {row.code}", requirement=row.text)
    of: dict[str, tuple[str, ...]] = {}
    for hazard in hazards:
        own = [ROW + row.code for row in rows if row.hazard == hazard.id]
        further = [ROW + code for code in hazard.rows]
        of[hazard.id] = tuple(dict.fromkeys([*own, *further, *hazard.controls]))
        for name in of[hazard.id]:
            if name not in by_id:
                raise ConfigError(
                    f"{hazard.id} names {name}, which does not exist",
                    where="hazards.toml",
                    remedy="Name a row of the interlock table or a control of controls.toml.",
                )
    idle = sorted(by_id.keys() - {name for names in of.values() for name in names})
    if idle or len(of) < len(hazards):
        raise ConfigError(
            f"no hazard needs {', '.join(idle)}" if idle else "a hazard is given twice",
            where="hazards.toml",
            remedy="Name it at the hazard that it stands against, or remove it.",
        )
    return Catalogue(hazards=tuple(hazards), controls=by_id, of=of)
