"""Two electrodes as a bipolar pair: the current of one returns through the other, and no pad takes part.

An approximation, for each electrode's field is computed as if it were alone. Resistance is that of both in series less
twice what each raises at the other; each is warmed by the current as it would be alone, and the heat of both adds up.
In truth the far fields cancel, and what lies between the two gets more: decision 0009 has how much that matters.
"""

from __future__ import annotations

from math import inf, pi
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfctl_sim.setups import Setup
    from rfctl_sim.tissue import Tissue

# Of tissue at 37 degC.
SIGMA_S_PER_M = 0.45


def mutual_ohm(setup: Setup, tissue: Tissue) -> float:
    """What 1 A of one electrode raises at the other, ohm: by the field at rest, or by a point in endless tissue.

    At the distance of the other electrode the tissue hardly warms, so it is taken once.
    """
    spacing_mm = setup.spacing_mm or inf
    if setup.tissue == "field":
        from rfctl_sim.field.electrode import ElectrodeTissue

        if isinstance(tissue, ElectrodeTissue):
            return tissue.field.mutual_ohm(spacing_mm)
    return 1.0 / (4.0 * pi * SIGMA_S_PER_M * spacing_mm * 1e-3)


class BipolarTissue:
    """What the output stage of the first channel sees: both electrodes.

    Attributes:
        first: Around the electrode of the first channel.
        back: The way back, around the electrode of the second.
    """

    __slots__ = ("_mutual_ohm", "back", "first")

    def __init__(self, first: Tissue, second: Tissue, mutual: float) -> None:
        self.first = first
        self.back = ReturnTissue(second)
        self._mutual_ohm = mutual

    @property
    def warmed_k(self) -> float:
        return self.first.warmed_k

    @warmed_k.setter
    def warmed_k(self, rise_k: float) -> None:
        self.first.warmed_k = rise_k

    @property
    def tip_temperature_c(self) -> float:
        return self.first.tip_temperature_c

    @property
    def tissue_max_c(self) -> float:
        return self.first.tissue_max_c

    @property
    def impedance_ohm(self) -> float:
        """Of both in series, less what each raises at the other twice, ohm."""
        both_ohm = self.first.impedance_ohm + self.back.tissue.impedance_ohm
        return max(both_ohm - 2.0 * self._mutual_ohm, 0.25 * both_ohm)

    @property
    def at_rest(self) -> bool:
        return self.first.at_rest

    def advance(self, dt_s: float, power_w: float) -> None:
        """The same current flows through both, and warms each as it would alone."""
        square_a2 = power_w / self.impedance_ohm
        self.back.received_w = square_a2 * self.back.tissue.impedance_ohm
        self.first.advance(dt_s, square_a2 * self.first.impedance_ohm)

    def rise_at_k(self, distance_mm: float) -> float:
        return self.first.rise_at_k(distance_mm)

    def inject(self, share: float) -> None:
        self.first.inject(share)

    def move(self, distance_mm: float) -> None:
        self.first.move(distance_mm)

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        self.first.cool(conductance_w_per_k, coolant_c)


class ReturnTissue:
    """Around the second electrode: its own channel's power, and what returns through it.

    Attributes:
        tissue: What it is.
        received_w: Of the first channel's power since the last step, W.
    """

    __slots__ = ("received_w", "tissue")

    def __init__(self, tissue: Tissue) -> None:
        self.tissue = tissue
        self.received_w = 0.0

    @property
    def warmed_k(self) -> float:
        return self.tissue.warmed_k

    @warmed_k.setter
    def warmed_k(self, rise_k: float) -> None:
        self.tissue.warmed_k = rise_k

    @property
    def tip_temperature_c(self) -> float:
        return self.tissue.tip_temperature_c

    @property
    def tissue_max_c(self) -> float:
        return self.tissue.tissue_max_c

    @property
    def impedance_ohm(self) -> float:
        return self.tissue.impedance_ohm

    @property
    def at_rest(self) -> bool:
        return self.tissue.at_rest and not self.received_w

    def advance(self, dt_s: float, power_w: float) -> None:
        received_w, self.received_w = self.received_w, 0.0
        self.tissue.advance(dt_s, power_w + received_w)

    def rise_at_k(self, distance_mm: float) -> float:
        return self.tissue.rise_at_k(distance_mm)

    def inject(self, share: float) -> None:
        self.tissue.inject(share)

    def move(self, distance_mm: float) -> None:
        self.tissue.move(distance_mm)

    def cool(self, conductance_w_per_k: float, coolant_c: float) -> None:
        self.tissue.cool(conductance_w_per_k, coolant_c)
