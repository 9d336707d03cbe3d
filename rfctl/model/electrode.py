"""The electrode table: what each gauge and active tip needs and tolerates, computed by the field model."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rfctl.errors import ConfigError

TABLE = Path(__file__).with_name("electrodes.toml")


@dataclass(frozen=True, slots=True)
class Electrode:
    """One electrode of the table, in tissue, for 37 to 80 degC with a 10 s ramp and a 90 s hold.

    Attributes:
        gauge: Cannula gauge.
        tip_mm: Length of the active tip, mm.
        hold_power_w: Power in the tissue that holds 80 degC at the end, W.
        power_cap_w: 1.5 x the peak of the ramp, in the tissue, W.
        probe_energy_j: Energy by which a rise must have shown, J: 2.5 x what gives a reading 2 K higher at power_cap_w.
        impedance_ohm: Z0, impedance of the tissue alone at 37 degC, ohm.
        step_response: (s, K/W), by rising time: rise of the thermocouple so long after a step of the power in the
            tissue, which without power is where it was. Half a second is among the times.
    """

    gauge: int
    tip_mm: float
    hold_power_w: float
    power_cap_w: float
    probe_energy_j: float
    impedance_ohm: float
    step_response: tuple[tuple[float, float], ...]

    @property
    def half_second_k_per_w(self) -> float:
        """K at 0.5 s: rise half a second after a step of the power in the tissue, K/W."""
        return dict(self.step_response)[0.5]


@cache
def electrode_table() -> dict[tuple[int, float], Electrode]:
    """The shipped table by (gauge, tip_mm)."""
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["electrode"]
    return {(row["gauge"], row["tip_mm"]): _electrode(row) for row in rows}


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


def _electrode(row: dict[str, Any]) -> Electrode:
    response = tuple((after_s, rise) for after_s, rise in row.pop("step_response"))
    return Electrode(**row, step_response=response)
