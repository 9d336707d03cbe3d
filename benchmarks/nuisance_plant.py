"""A simulated generator's channel that is quick enough for thousands of whole procedures.

The tissue is the field model's own linear response, computed once an electrode and matter
(``python -m benchmarks.nuisance_plant`` writes field_responses.json) and fitted by poles: of the thermocouple, and of
the conductance. Control is the simulator's firmware's, its gain that of the electrode; thermocouple lag, noise,
resolution, series resistance, fluid and neighbours are added for each procedure.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from rfctl_sim.electrode_table import GAUGES, SMALL_W, STEP_RESPONSE_S, STEP_TIME_CONSTANTS_S, STEPS_BETWEEN, TIPS_MM
from rfctl_sim.field.matter import Matter
from rfctl_sim.field.needle import NeedleField
from rfctl_sim.regulator import Regulator
from rfctl_sim.tissue import FLUID_DECAY_S, FLUID_POWER_SHARE
from tests.unit.kernel.bench import Output

if TYPE_CHECKING:
    from rfctl.model.electrode import Electrode
    from rfctl.model.reading import ChannelReading

RESPONSES = Path(__file__).with_name("field_responses.json")
MATTERS = {
    "usual": Matter(),
    "conducts heat better": Matter(conductivity=0.57, density=1050.0),
    "conducts heat worse": Matter(conductivity=0.40),
    "stores more heat": Matter(heat_capacity=4200.0, sigma_per_k=0.023),
    "perfused": Matter(perfusion=0.00086, sigma_per_k=0.015),
}
"""Tissue within 20 % of the usual, or within the ranges of the literature where they are narrower."""
CONTROL_S = 0.025
RATED_W, MOST_V_RMS, MOST_A_RMS = 50.0, 150.0, 1.0
USUAL_CAP_W, USUAL_SHARE = 11.7, 0.46
"""18 G, 10 mm with 100 ohm in series: what the firmware's gains are made for."""
FAR_S = 10.0
IMPEDANCE_SIGMA = 0.005
PICK_UP_K_PER_V2 = 8e-6


@dataclass(frozen=True)
class Response:
    """What 1 W in the tissue does: rise of the thermocouple, K, and share of the conductance, a pole each."""

    tip: tuple[float, ...]
    conductance: tuple[float, ...]


def responses() -> dict[tuple[str, int, float], Response]:
    """The cached ones by matter, gauge and tip."""
    rows: list[dict[str, Any]] = json.loads(RESPONSES.read_text(encoding="utf-8"))
    return {
        (row["matter"], row["gauge"], row["tip_mm"]): Response(tuple(row["tip"]), tuple(row["conductance"]))
        for row in rows
    }


def compute(matter: str, gauge: int, tip_mm: float) -> dict[str, object]:
    """One row of the cache, by the field model."""
    needle = NeedleField(gauge, tip_mm, 37.0, MATTERS[matter])
    weights = needle.impedance_fall_per_k()
    tip, conductance = [], []
    for begin_s, end_s in pairwise((0.0, *STEP_RESPONSE_S)):
        for _ in range(STEPS_BETWEEN):
            needle.advance((end_s - begin_s) / STEPS_BETWEEN, SMALL_W)
        tip.append((needle.tip_temperature_c - 37.0) / SMALL_W)
        conductance.append(float(weights @ needle.rise.ravel()) / SMALL_W)
    return {
        "matter": matter,
        "gauge": gauge,
        "tip_mm": tip_mm,
        "tip": _poles(tip),
        "conductance": _poles(conductance),
    }


def _poles(values: list[float]) -> list[float]:
    rise = np.array(values)
    shapes = 1.0 - np.exp(-np.array(STEP_RESPONSE_S)[:, None] / np.array(STEP_TIME_CONSTANTS_S))
    poles = np.linalg.lstsq(shapes / rise[:, None], np.ones_like(rise), rcond=None)[0]
    return [float(f"{pole:.4g}") for pole in poles]


@dataclass
class Around:
    """What surrounds one channel's electrode in one procedure.

    Attributes:
        response: Of its tissue.
        start_c: Temperature before any heat.
        sigma: Electric conductivity, S/m at 37 degC.
        series_ohm: Body, pad and leads.
        noise_k: Of the thermocouple, standard deviation.
        resolution_k: Of what is shown.
        lag_s: Of the thermocouple.
        fluid: Share of the impedance that an injection takes.
    """

    response: Response
    start_c: float
    sigma: float
    series_ohm: float
    noise_k: float
    resolution_k: float
    lag_s: float
    fluid: float


@dataclass
class FieldOutput(Output):
    """One channel of the generator, heating tissue of the field model."""

    electrode: Electrode = field(kw_only=True)
    around: Around = field(kw_only=True)
    random: Random = field(kw_only=True)
    host_controls_voltage: bool | None = field(default=None, kw_only=True)
    warmed_k: float = 0.0

    def __post_init__(self) -> None:
        around = self.around
        self.parts = [0.0] * (2 * len(STEP_TIME_CONSTANTS_S))
        self.gains = (*around.response.tip, *around.response.conductance)
        self.shares = [1.0 - math.exp(-CONTROL_S / s) for s in STEP_TIME_CONSTANTS_S] * 2
        self.follows = 1.0 - math.exp(-CONTROL_S / around.lag_s)
        self.at_37_ohm = self.electrode.impedance_ohm * 0.45 / around.sigma
        self.tip_c = self.sensed_c = self.read_c = around.start_c
        self.fluid = 0.0
        self.ohm = self.at_37_ohm
        self.delivered_w = 0.0
        self.regulator: Regulator | None = None
        self._look()

    def inject(self) -> None:
        """The anaesthetic is given."""
        self.fluid = self.around.fluid

    @property
    def far_k(self) -> float:
        """The slow part of its own rise, which neighbours see."""
        return sum(k for k, s in zip(self.parts, STEP_TIME_CONSTANTS_S, strict=False) if s >= FAR_S)

    @property
    def tissue_ohm(self) -> float:
        return self.ohm

    @property
    def power_tissue_w(self) -> float:
        return self.delivered_w if self.rf_on else 0.0

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / CONTROL_S)):
            self._control()
            self._advance()

    def _control(self) -> None:
        if not self.rf_on:
            self.regulator, self.delivered_w = None, 0.0
            return
        total_ohm = self.ohm + self.around.series_ohm
        share = self.ohm / total_ohm
        if self.host_controls_voltage is not None:
            wanted_w = self.set_point**2 / total_ohm if self.host_controls_voltage else self.set_point
        else:
            if self.regulator is None:
                self.regulator = Regulator()
                self.regulator.start(self.read_c)
            gain = self.electrode.power_cap_w / share / (USUAL_CAP_W / USUAL_SHARE)
            wanted_w = gain * self.regulator.power_w(
                CONTROL_S, self.read_c, self.set_temperature_c, self.ramp_c_per_s, self.power_limit_w / gain
            )
        most_w = min(self.power_limit_w, RATED_W, MOST_V_RMS**2 / total_ohm, MOST_A_RMS**2 * total_ohm)
        self.delivered_w = min(wanted_w, most_w) * share

    def _advance(self) -> None:
        power_w = self.delivered_w * (1.0 - FLUID_POWER_SHARE * self.fluid)
        self.parts = [
            k + (power_w * gain - k) * share for k, gain, share in zip(self.parts, self.gains, self.shares, strict=True)
        ]
        if self.fluid:
            self.fluid *= 1.0 - CONTROL_S / FLUID_DECAY_S
        self._look()
        self.sensed_c += (self.tip_c - self.sensed_c) * self.follows
        self.read_c = self.sensed_c + self.random.gauss(0.0, self.around.noise_k)

    def _look(self) -> None:
        half = len(STEP_TIME_CONSTANTS_S)
        self.tip_c = self.around.start_c + self.warmed_k + sum(self.parts[:half])
        cold = 1.0 + 0.02 * (self.around.start_c + self.warmed_k - 37.0)
        self.ohm = self.at_37_ohm / (cold + sum(self.parts[half:])) * (1.0 - self.fluid)

    def measure(self) -> ChannelReading:
        around = self.around
        reading = super().measure()
        total_ohm = self.ohm + around.series_ohm
        current_a = math.sqrt(self.power_tissue_w / self.ohm)
        power_w = current_a * current_a * total_ohm
        shown_c = self.read_c + PICK_UP_K_PER_V2 * power_w * total_ohm
        return reading._replace(
            temperature_c=round(shown_c / around.resolution_k) * around.resolution_k,
            voltage_v_rms=current_a * total_ohm,
            current_ma_rms=current_a * 1e3,
            rf_band_current_ma_rms=current_a * 1e3,
            power_w=power_w,
            impedance_ohm=total_ohm * (1.0 + self.random.gauss(0.0, IMPEDANCE_SIGMA)),
        )


def main() -> None:
    rows = [compute(matter, gauge, tip_mm) for matter in MATTERS for gauge in GAUGES for tip_mm in TIPS_MM]
    lines = ",\n".join(json.dumps(row) for row in rows)
    RESPONSES.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
