"""The electrode table, computed: ``python -m rfctl_sim.electrode_table`` prints rfctl/model/electrodes.toml.

Each row is one gauge and active tip in tissue of 37 degC, heated to 80 degC by a ramp of 10 s and held for 90 s under
ideal regulation. What the numbers are for stands in docs/interlocks.md; where they came from before, and why they
differ, in docs/decisions/0008-electrode-table.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import exp

import click
import numpy as np

from rfctl_sim.field.needle import NeedleField

GAUGES = (23, 22, 20, 18, 17, 16)
TIPS_MM = (2.0, 4.0, 5.0, 10.0, 15.0)
REST_C, SET_C, RAMP_S, HOLD_S = 37.0, 80.0, 10.0, 90.0
CAP_OVER_PEAK = 1.5
PROBE_OVER_RISE, PROBE_RISE_K = 2.5, 2.0

# From the first sample after RF on to the longest RF on; between two of them the response goes nearly straight over
# the logarithm of the time.
STEP_RESPONSE_S = (0.1, 0.2, 0.3, 0.5, 0.66, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 480, 720)

# What the response is fitted with, so that a prediction costs one number a pole: three in a decade, and the same for
# every electrode. The fit's relative error stays below 1 % from 0.3 s on (0008-electrode-table.md).
STEP_TIME_CONSTANTS_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)

# The slowest that the time budget of a procedure allows for.
THERMOCOUPLE_LAG_S = 0.3

# Twice the simulator's mesh: what is computed once may cost more.
FINENESS = 2.0

# A step of so little power that nothing about the tissue changes.
SMALL_W = 1e-3
CONTROL_S, LATER_CONTROL_S, PROBE_STEP_S, STEPS_BETWEEN = 0.25, 1.0, 0.02, 6
IN_A_LINE = 6

HEAD = """\
# Electrodes in the tissue, 37 -> 80 degC with a 10 s ramp and a 90 s hold, by the simulator's field model.
# Written by `make electrodes` (simulators/rfctl_sim/electrode_table.py). rfctl/model/electrode.py reads it and says
# what each quantity is.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What the field model says of one electrode: the quantities of the file, by their names there."""

    gauge: int
    tip_mm: float
    hold_power_w: float
    power_cap_w: float
    probe_energy_j: float
    impedance_ohm: float
    step_response: tuple[tuple[float, float], ...]
    step_poles_k_per_w: tuple[float, ...]

    def as_toml(self) -> str:
        """One table of the file; three or four digits say all that the model knows."""
        pairs = [f"[{after_s:.2f}, {rise:.4g}]," for after_s, rise in self.step_response]
        lines = [
            f"gauge = {self.gauge}",
            f"tip_mm = {self.tip_mm}",
            f"hold_power_w = {self.hold_power_w:.3f}",
            f"power_cap_w = {self.power_cap_w:.2f}",
            f"probe_energy_j = {self.probe_energy_j:.2f}",
            f"impedance_ohm = {self.impedance_ohm:.1f}",
            "step_response = [",
            *("  " + " ".join(pairs[first : first + IN_A_LINE]) for first in range(0, len(pairs), IN_A_LINE)),
            "]",
            f"step_poles_k_per_w = [{', '.join(f'{pole:.4g}' for pole in self.step_poles_k_per_w)}]",
        ]
        return "\n".join(["[[electrode]]", *lines, ""])


def compute(gauge: int, tip_mm: float) -> Row:
    """One row of the table, from three runs of the field model.

    Args:
        gauge: One of GAUGES.
        tip_mm: Length of the active tip, mm.
    """
    peak_w, hold_w = ramp_and_hold(gauge, tip_mm)
    response = step_response(gauge, tip_mm)
    return Row(
        gauge,
        tip_mm,
        hold_w,
        CAP_OVER_PEAK * peak_w,
        PROBE_OVER_RISE * rise_energy_j(gauge, tip_mm, CAP_OVER_PEAK * peak_w),
        NeedleField(gauge, tip_mm, REST_C, fineness=FINENESS).impedance_ohm,
        response,
        step_poles(response),
    )


def ramp_and_hold(gauge: int, tip_mm: float) -> tuple[float, float]:
    """The power at the end of the ramp and at the end of the hold, W."""
    field = NeedleField(gauge, tip_mm, REST_C, fineness=FINENESS)
    ramp = [
        field.advance_to(CONTROL_S, REST_C + (SET_C - REST_C) * (index + 1) * CONTROL_S / RAMP_S)
        for index in range(round(RAMP_S / CONTROL_S))
    ]
    hold = [field.advance_to(LATER_CONTROL_S, SET_C) for _ in range(round(HOLD_S / LATER_CONTROL_S))]
    # Each is the mean of its step: half a step further leads to the end of it.
    return 1.5 * ramp[-1] - 0.5 * ramp[-2], hold[-1]


def rise_energy_j(gauge: int, tip_mm: float, power_w: float) -> float:
    """The energy that a step of ``power_w`` watts needs until a thermocouple reads PROBE_RISE_K more, J."""
    field, read_k, before_k, steps = NeedleField(gauge, tip_mm, REST_C, fineness=FINENESS), 0.0, 0.0, 0
    follows = 1.0 - exp(-PROBE_STEP_S / THERMOCOUPLE_LAG_S)
    while read_k < PROBE_RISE_K:
        field.advance(PROBE_STEP_S, power_w)
        before_k = read_k
        read_k += (field.tip_temperature_c - REST_C - read_k) * follows
        steps += 1
    return power_w * PROBE_STEP_S * (steps - (read_k - PROBE_RISE_K) / (read_k - before_k))


def step_response(gauge: int, tip_mm: float) -> tuple[tuple[float, float], ...]:
    """Rise of the thermocouple at each of STEP_RESPONSE_S after a step of the power in the tissue, K/W."""
    field, rises = NeedleField(gauge, tip_mm, REST_C, fineness=FINENESS), []
    for begin_s, end_s in pairwise((0.0, *STEP_RESPONSE_S)):
        for _ in range(STEPS_BETWEEN):
            field.advance((end_s - begin_s) / STEPS_BETWEEN, SMALL_W)
        rises.append((end_s, (field.tip_temperature_c - REST_C) / SMALL_W))
    return tuple(rises)


def step_poles(response: tuple[tuple[float, float], ...]) -> tuple[float, ...]:
    """The K/W of each of STEP_TIME_CONSTANTS_S whose sum is nearest to a step response, in relative terms.

    The fastest comes out negative: heat needs a moment to reach the thermocouple.
    """
    after_s, rise = np.array(response).T
    shapes = 1.0 - np.exp(-after_s[:, None] / np.array(STEP_TIME_CONSTANTS_S))
    poles = np.linalg.lstsq(shapes / rise[:, None], np.ones_like(rise), rcond=None)[0]
    return tuple(poles.tolist())


def main() -> None:
    """Print the file."""
    rows = [compute(gauge, tip_mm).as_toml() for gauge in GAUGES for tip_mm in TIPS_MM]
    click.echo("\n".join([HEAD, f"step_time_constants_s = {list(STEP_TIME_CONSTANTS_S)}\n", *rows]), nl=False)


if __name__ == "__main__":
    main()
