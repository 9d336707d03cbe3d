"""The pump of a cooled electrode: what flows, and what that takes from the tip."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfctl_sim.tissue import Tissue

# A peristaltic pump starts and stops within a second.
PUMP_S = 0.3

# The flow that the conductance of a set-up is stated for, mL/min. More flow takes more, but ever less so.
STATED_FLOW_ML_MIN = 10.0

# Below this nothing flows.
STILL_ML_MIN = 0.01


# Smaller changes of the flow are not worth a new factorisation of the field.
CHANGE_ML_MIN = 1.0


class Pump:
    """One channel's pump.

    Attributes:
        coolant_c: Temperature of what flows in, degC.
        set_ml_min: What it is told to pump, mL/min.
        flow_ml_min: What flows.
        ratio: Share of what it is told that it pumps: a kinked tube, an empty bag.
    """

    __slots__ = (
        "_a",
        "_dt_s",
        "_told_ml_min",
        "conductance_w_per_k",
        "coolant_c",
        "flow_ml_min",
        "ratio",
        "set_ml_min",
    )

    def __init__(self, coolant_c: float, conductance_w_per_k: float) -> None:
        self.coolant_c = coolant_c
        self.conductance_w_per_k = conductance_w_per_k
        self.set_ml_min = self.flow_ml_min = self._told_ml_min = 0.0
        self.ratio = 1.0
        self._a = self._dt_s = 0.0

    @property
    def at_rest(self) -> bool:
        """Neither flows nor is told to."""
        return self.set_ml_min == self.flow_ml_min == 0.0

    def advance(self, dt_s: float, tissue: Tissue) -> None:
        """Let ``dt_s`` seconds pass, and tell the tissue when its tip's cooling has changed."""
        if dt_s != self._dt_s:
            self._dt_s, self._a = dt_s, 1.0 - exp(-dt_s / PUMP_S)
        wanted_ml_min = self.set_ml_min * self.ratio
        self.flow_ml_min += (wanted_ml_min - self.flow_ml_min) * self._a
        if abs(self.flow_ml_min - wanted_ml_min) < STILL_ML_MIN:
            self.flow_ml_min = wanted_ml_min
        change_ml_min = abs(self.flow_ml_min - self._told_ml_min)
        arrived = change_ml_min > 0.0 and self.flow_ml_min == wanted_ml_min
        if arrived or change_ml_min > CHANGE_ML_MIN:
            self._told_ml_min = self.flow_ml_min
            tissue.cool(self._conductance_w_per_k(), self.coolant_c)

    def _conductance_w_per_k(self) -> float:
        """Grows with the flow as 1 - exp(-flow/10), which is how far coolant and metal approach each other."""
        reach = 1.0 - exp(-self.flow_ml_min / STATED_FLOW_ML_MIN)
        return self.conductance_w_per_k * reach / (1.0 - exp(-1.0))
