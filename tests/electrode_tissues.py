"""Tissues around other electrodes than the simulator's own, scaled to what the electrode table says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.model.electrode import find_electrode
from rfctl_sim.tissue import GAUGE_18_TIP_10_MM, Pole, ThreePoles

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode

KNOWN = find_electrode(18, 10)


def poles_of(electrode: Electrode, *, gain: float = 1.0, speed: float = 1.0) -> ThreePoles:
    """The 18 G, 10 mm tissue scaled to an electrode's hold power, first slope and impedance.

    Args:
        electrode: Row of the electrode table.
        gain: The final rise is so many times the table's.
        speed: It is reached so many times as fast.
    """
    rise = KNOWN.hold_power_w / electrode.hold_power_w
    slope = electrode.half_second_k_per_w / KNOWN.half_second_k_per_w

    def scaled(pole: Pole) -> Pole:
        return Pole(
            pole.rise_k_per_w * rise * gain, pole.time_constant_s * rise / slope / speed, pole.conductance_per_k
        )

    known = GAUGE_18_TIP_10_MM
    return ThreePoles(
        electrode.impedance_ohm, scaled(known.near), scaled(known.middle), scaled(known.far), lead=known.lead
    )
