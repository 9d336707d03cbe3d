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
        step_time_constants_s: Time constants of the poles that the step response was fitted with, s; the same for
            every electrode.
        step_poles_k_per_w: K/W of each of them: the response after t is the sum of pole x (1 - exp(-t / time
            constant)), within 2 % from 0.3 s on. A rise x of one pole therefore follows a power P held for dt by
            x += (pole x P - x) x (1 - exp(-dt / time constant)), and the sum of them predicts the thermocouple.
            Some are negative: the first moment passes before the thermocouple answers.
    """

    gauge: int
    tip_mm: float
    hold_power_w: float
    power_cap_w: float
    probe_energy_j: float
    impedance_ohm: float
    step_response: tuple[tuple[float, float], ...]
    step_time_constants_s: tuple[float, ...]
    step_poles_k_per_w: tuple[float, ...]

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.gauge} G {self.tip_mm:g} mm" if self.gauge else "test load"

    @property
    def half_second_k_per_w(self) -> float:
        """K at 0.5 s: rise half a second after a step of the power in the tissue, K/W."""
        return dict(self.step_response)[0.5]


@cache
def electrode_table() -> dict[tuple[int, float], Electrode]:
    """The shipped table by (gauge, tip_mm)."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    time_constants_s = tuple(table["step_time_constants_s"])
    return {(row["gauge"], row["tip_mm"]): _electrode(row, time_constants_s) for row in table["electrode"]}


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


def load_of(power_w: float) -> Electrode:
    """A resistor in its place, that is to take so much, W: gauge 0, nothing in series, no thermocouple to respond."""
    return Electrode(0, 0.0, power_w, power_w, 0.0, 0.0, (), (), ())


def _electrode(row: dict[str, Any], time_constants_s: tuple[float, ...]) -> Electrode:
    response = tuple((after_s, rise) for after_s, rise in row.pop("step_response"))
    poles = tuple(row.pop("step_poles_k_per_w"))
    return Electrode(**row, step_response=response, step_time_constants_s=time_constants_s, step_poles_k_per_w=poles)
