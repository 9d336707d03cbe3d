"""One lesion under ideal regulation: the thermocouple follows ramp and set temperature exactly."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf
from typing import TYPE_CHECKING

import numpy as np

from rfctl_sim.field.extents import Tissue
from rfctl_sim.field.matter import Matter
from rfctl_sim.field.needle import NeedleField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl_sim.field.mesh import Array

EDGES_C = (50, 55, 60)

# Steps, s, of the ramp and of the hold from each of these times on, s. A thick needle's thermocouple sits in metal that
# the tissue heats from outside: power that made it follow within much less than a quarter of a second would oscillate.
RAMP_STEP_S = 0.25
HOLD_STEPS_S = ((0.0, 0.25), (5.0, 0.5), (20.0, 1.0))

# The first quarter of a ramp starts from a corner and is no peak of it.
CORNER = 0.25

# Its logarithm stands for no damage at all.
LEAST_DAMAGE = 1e-9


@dataclass(frozen=True, slots=True)
class Heating:
    """What is asked for.

    Attributes:
        gauge: Of the cannula.
        tip_mm: Active tip, its hemispherical end included, mm.
        set_c: Set temperature at the thermocouple, degC.
        hold_s: From set temperature reached, s.
        ramp_s: From start to set temperature, s.
        start_c: Of everything at the start, and far away for ever, degC.
        perfusion: Of the tissue at rest, 1/s.
        fineness: Of the mesh; twice as fine is 2.
        quicker: Divides the steps of time.
    """

    gauge: int
    tip_mm: float
    set_c: float
    hold_s: float
    ramp_s: float = 10.0
    start_c: float = 37.0
    perfusion: float = 0.0
    fineness: float = 1.0
    quicker: float = 1.0


@dataclass(frozen=True, slots=True)
class Lesion:
    """What became of it; all at the last instant before RF off.

    Attributes:
        field: The field.
        tissue: Where its points are.
        width_mm: By edge: degC of the running maximum, or ``arrhenius`` for 63 % denatured.
        length_mm: The same along the axis.
        power_w: Into the tissue.
        peak_power_w: The highest in ramp and hold.
        voltage_v_rms: Across the tissue.
        impedance_ohm: Of the tissue.
        impedance_start_ohm: Before RF on.
        tissue_max_c: The hottest that tissue has been.
        simulated_s: Ramp and hold.
    """

    field: NeedleField
    tissue: Tissue
    width_mm: dict[str, float]
    length_mm: dict[str, float]
    power_w: float
    peak_power_w: float
    voltage_v_rms: float
    impedance_ohm: float
    impedance_start_ohm: float
    tissue_max_c: float
    simulated_s: float


def make_lesion(heating: Heating) -> Lesion:
    """Heat, and measure what became of it."""
    matter = Matter(perfusion=heating.perfusion)
    field = NeedleField(heating.gauge, heating.tip_mm, heating.start_c, matter, fineness=heating.fineness)
    start_ohm = field.impedance_ohm
    span_k = heating.set_c - heating.start_c
    powers_w: list[float] = []
    reached, corner = 0, 0
    for ends_s, step_s in _steps(heating):
        powers_w.append(field.advance_to(step_s, heating.start_c + span_k * min(1.0, ends_s / heating.ramp_s)))
        reached += ends_s <= heating.ramp_s + 1e-9
        corner += ends_s <= CORNER * heating.ramp_s
    peak_w = max(*powers_w[corner:], _at_the_end(powers_w[:reached]))
    power_w = _at_the_end(powers_w)
    tissue = Tissue(field.mesh, matter.metal_conductivity, matter.conductivity)
    sizes = _sizes(field, tissue)
    return Lesion(
        field=field,
        tissue=tissue,
        width_mm={edge: width for edge, (width, _) in sizes.items()},
        length_mm={edge: length for edge, (_, length) in sizes.items()},
        power_w=power_w,
        peak_power_w=peak_w,
        voltage_v_rms=(power_w * field.impedance_ohm) ** 0.5,
        impedance_ohm=field.impedance_ohm,
        impedance_start_ohm=start_ohm,
        tissue_max_c=float(field.peak_c[:, field.mesh.metal :].max()),
        simulated_s=heating.ramp_s + heating.hold_s,
    )


def _steps(heating: Heating) -> Iterator[tuple[float, float]]:
    """End and length of each step, s."""
    count = max(2, ceil(heating.quicker * heating.ramp_s / RAMP_STEP_S - 1e-9))
    for index in range(count):
        yield heating.ramp_s * (index + 1) / count, heating.ramp_s / count
    for (begins_s, step_s), (next_s, _) in zip(HOLD_STEPS_S, (*HOLD_STEPS_S[1:], (inf, 0.0)), strict=True):
        length_s = min(next_s, heating.hold_s) - begins_s
        if length_s > 1e-9:
            count = ceil(heating.quicker * length_s / step_s - 1e-9)
            for index in range(count):
                yield heating.ramp_s + begins_s + length_s * (index + 1) / count, length_s / count


def _at_the_end(powers_w: list[float]) -> float:
    """Each power is the mean of its step: half a step further is the end of it."""
    return max(0.0, 1.5 * powers_w[-1] - 0.5 * powers_w[-2])


def _sizes(field: NeedleField, tissue: Tissue) -> dict[str, tuple[float, float]]:
    """Width and length by edge, mm."""
    peak_k = tissue.everywhere(field.peak_rise)
    sizes = {str(edge): tissue.width_and_length_mm(peak_k, edge - field.rest_c) for edge in EDGES_C}
    sizes["arrhenius"] = tissue.width_and_length_mm(tissue.of_tissue(log_damage(field)), 0.0)
    return sizes


def log_damage(field: NeedleField) -> Array:
    """Natural logarithm of the Arrhenius integral of the tissue cells: 0 where 63 % is denatured."""
    logarithm: Array = np.log(np.maximum(field.damage, LEAST_DAMAGE))
    return logarithm
