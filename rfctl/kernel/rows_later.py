"""Rows of ways to heat that this version refuses: their numbers are fixed, their signals not read.

A plan that asks for one of them is refused and names them. A mode is accepted no earlier than its rows are judged.
"""

from __future__ import annotations

from typing import NamedTuple


class LaterRow(NamedTuple):
    """One interlock that a mode will need.

    Attributes:
        mode: Of the lesion, as a plan names it.
        code: Its name, for ever.
        hazard: The hazard it will control.
        limit: Beyond which it will act.
        unit: UCUM unit of the limit.
        rule: What is compared with it, and how long.
        action: ``warn`` or ``trip``.
    """

    mode: str
    code: str
    hazard: str
    limit: float
    unit: str
    rule: str
    action: str


LATER: tuple[LaterRow, ...] = (
    LaterRow("pulsed", "pulsed_mean_temperature", "HZ-54", 45.0, "Cel", "mean of 1 s above, for 1 s", "trip"),
    LaterRow("pulsed", "pulsed_maximum_warning", "HZ-54", 50.0, "Cel", "reported maximum above", "warn"),
    LaterRow("pulsed", "pulsed_mean_power", "HZ-54", 1.0, "W", "mean power above", "trip"),
    LaterRow("pulsed", "pulse_width", "HZ-54", 1.2, "1", "latched width over the set one above", "trip"),
    LaterRow("pulsed", "pulse_period", "HZ-54", 0.8, "1", "latched period over the set one below", "trip"),
    LaterRow("cooled", "coolant_flow", "HZ-53", 80.0, "%", "flow of the set one below, for 300 ms", "trip"),
    LaterRow("cooled", "cooled_tip_slope", "HZ-53", 3.0, "K/s", "slope of the tip in the hold above", "trip"),
    LaterRow("cooled", "cooled_power", "HZ-53", 40.0, "%", "power of the expected one below, for 2 s", "trip"),
    LaterRow("bipolar", "bipolar_imbalance", "HZ-13", 15.0, "K", "difference of the two tips above", "trip"),
)
MODES = tuple(dict.fromkeys(row.mode for row in LATER))


def why_refused(mode: str) -> str:
    """Why a plan with this mode is refused."""
    codes = ", ".join(row.code for row in LATER if row.mode == mode)
    return f"{mode} lesions are refused: this version has no interlocks for them ({codes}); use 'thermal'"
