"""The electrode table: what each gauge and active tip needs and tolerates, computed by the field model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rfctl.errors import ConfigError

TABLE = Path(__file__).with_name("electrodes.toml")


@dataclass(frozen=True, slots=True)
class Electrode:
    """One electrode of the table, in tissue, for 37 to 80 degC with a 10 s ramp.

    Attributes:
        gauge: Cannula gauge.
        tip_mm: Length of the active tip, mm.
        hold_power_w: Power in the tissue that holds 80 degC, W.
        power_cap_w: 1.5 x the peak of the ramp, in the tissue, W.
        probe_energy_j: Energy by which a rise must have shown, J.
        impedance_ohm: Z0, impedance of the tissue alone at 37 degC, ohm.
        half_second_k_per_w: k at 0.5 s: rise half a second after a step of the power in the tissue, K/W.
    """

    gauge: int
    tip_mm: float
    hold_power_w: float
    power_cap_w: float
    probe_energy_j: float
    impedance_ohm: float
    half_second_k_per_w: float


@cache
def electrode_table() -> dict[tuple[int, float], Electrode]:
    """The shipped table by (gauge, tip_mm)."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["electrode"]
    return {(row["gauge"], float(row["tip_mm"])): Electrode(**row) for row in rows}


def find_electrode(gauge: int, tip_mm: float) -> Electrode:
    """The electrode of that gauge and tip.

    Raises:
        ConfigError: Not in the table, so that nobody has computed what it tolerates.
    """
    table = electrode_table()
    try:
        return table[gauge, float(tip_mm)]
    except KeyError:
        known = ", ".join(f"{g} G {t:g} mm" for g, t in sorted(table))
        raise ConfigError(
            f"electrode {gauge} G {tip_mm:g} mm is not in the electrode table", remedy=f"Known: {known}."
        ) from None
