"""How the rows about heat are driven: by the reading where that can be, else by what the channel remembers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from rfctl.kernel.actions import with_channel
from rfctl.kernel.phase import Phase
from rfctl.kernel.signals_thermal import follow
from rfctl.kernel.thermal import HoldSigns, predicted_rise_k
from tests.unit.kernel.bench import BODY_C, PERIOD_NS, SERIES_OHM, TISSUE_OHM, Bench
from tests.unit.kernel.row_case import Case

HOLD_POWER_W = 2.036
"""Of an 18 G electrode of 10 mm at 80 degC from 37 degC."""


def remembers(bench: Bench, **fields: Any) -> None:
    """The channel's thermal memory is so."""
    channel = bench.channel
    memory = channel.thermal._replace(**fields)
    bench.state = with_channel(bench.state, bench.active, channel._replace(thermal=memory))


def rise_share(bench: Bench, pct: float) -> None:
    """The model has predicted 20 K and goes on; the tip shows so much of it."""
    poles = len(bench.channel.thermal.rises_k)
    remembers(bench, rises_k=(0.0,) * (poles - 1) + (20.0,))
    number = bench.active

    def show(_t: float, _now: object) -> float:
        memory = follow(bench.setup, number, bench.channel, bench.outputs[number - 1].measure(), bench.now_ns)
        return memory.base_c + pct / 100.0 * predicted_rise_k(memory)

    bench.alter(number, temperature_c=show)


def stands_still(bench: Bench, seconds: float) -> None:
    """The reading moves by a step in each sample for 1.5 s, then every so often."""

    def shown(t: float, _now: object) -> float:
        return 50.0 + 0.1 * round(min(t, 1.5) / 0.05) + 0.1 * (max(t - 1.5 + 1e-6, 0.0) // (seconds + 0.05))

    bench.alter(bench.active, temperature_c=shown)


def stands_still_in_hold(bench: Bench, _seconds: float) -> None:
    """A reading that is noisy by a step of the display has stood still for nearly 10 s."""
    channels = len(bench.outputs)
    bench.state = bench.state._replace(setup=replace(bench.state.setup, noise_k=(0.1,) * channels))
    reading_c = bench.newest(bench.active).temperature_c
    bench.alter(bench.active, temperature_c=reading_c)
    remembers(bench, code_c=reading_c, code_ns=bench.now_ns - 10_000_000_000 + 3 * PERIOD_NS)


def stays_warm(bench: Bench, _seconds: float) -> None:
    """The tip has stayed where it is for nearly 300 s."""
    reading_c = bench.newest(bench.active).temperature_c
    bench.alter(bench.active, temperature_c=reading_c)
    since_ns = bench.now_ns - 300_000_000_000 + 3 * PERIOD_NS
    remembers(bench, low_c=reading_c, low_ns=since_ns)
    channels = tuple(channel._replace(since_ns=since_ns, off_ns=since_ns) for channel in bench.state.channels)
    bench.state = bench.state._replace(channels=channels)


def fallen(bench: Bench, kelvin: float) -> None:
    """By so much, and no more, from the edge on."""
    edge = bench.channel.thermal.edge
    bench.alter(bench.active, temperature_c=edge.temperature_c - kelvin if edge else math.nan)


def hold_power(bench: Bench, power_w: float) -> None:
    remembers(bench, hold=HoldSigns(power_w, None, None, None))


def hold_share(bench: Bench, pct: float) -> None:
    remembers(bench, hold=HoldSigns(HOLD_POWER_W, pct, None, None))


def hold_ratio(bench: Bench, pct: float) -> None:
    remembers(bench, hold=HoldSigns(HOLD_POWER_W, None, pct, pct))


def jump(bench: Bench, kelvin: float) -> None:
    """The reading jumps off its line as RF goes on or off."""

    def shown(_t: float, _now: object) -> float:
        edge = bench.channel.thermal.edge
        assert edge is not None
        return edge.temperature_c + edge.slope_k_per_s * (bench.now_ns - edge.ns) * 1e-9 + kelvin

    bench.alter(bench.active, temperature_c=shown)


def biased(bench: Bench, value: float) -> None:
    remembers(bench, biased=bool(value))


def rating(bench: Bench, tissue_w: float) -> None:
    """The generator is rated for so much in the tissue."""
    rated_w = tissue_w * (SERIES_OHM + TISSUE_OHM) / TISSUE_OHM
    bench.state = bench.state._replace(setup=replace(bench.state.setup, rated_power_w=rated_w))


def reads(bench: Bench, celsius: float) -> None:
    bench.alter(bench.active, temperature_c=celsius)


def from_cold_junction(bench: Bench, kelvin: float) -> None:
    bench.alter(bench.active, temperature_c=BODY_C, cold_junction_c=BODY_C - kelvin)
    if math.isnan(kelvin):
        bench.alter(bench.active, temperature_c=kelvin, cold_junction_c=22.0)


CHECK = 130
"""Samples until an impedance check is certainly over."""

CASES: dict[str, Case] = {
    "model_check": Case(Phase.RAMP, Phase.HOLD, rise_share, 21, 45.05, 44.95, nan=True),
    "model_check_pause": Case(Phase.RAMP, Phase.HOLD, rise_share, 21, 60.05, 59.95, nan=True),
    "temperature_frozen": Case(Phase.RAMP, Phase.HOLD, stands_still, 1, 2.0, 3600.0, 110),
    "temperature_frozen_hold": Case(Phase.HOLD, Phase.RAMP, stands_still_in_hold, 1, None, 1),
    "cooling_stands_still": Case(Phase.COOLING, Phase.HOLD, stays_warm, 1, None, 1),
    "not_cooling": Case(Phase.COOLING, Phase.HOLD, fallen, 1, 1.001, 0.999, 110, nan=True),
    "hold_power": Case(
        Phase.HOLD, Phase.RAMP, hold_power, 1, 3.5 * HOLD_POWER_W - 0.005, 3.5 * HOLD_POWER_W + 0.005, nan=True
    ),
    "hold_power_growing": Case(Phase.HOLD, Phase.RAMP, hold_share, 1, 149.9, 150.1, nan=True),
    "hold_rise_low": Case(Phase.HOLD, Phase.RAMP, hold_ratio, 1, 28.1, 27.9, nan=True),
    "hold_rise_high": Case(Phase.HOLD, Phase.RAMP, hold_ratio, 1, 249.9, 250.1, nan=True),
    "rf_pickup": Case(Phase.RAMP, Phase.HOLD, jump, 1, 1.499, 1.501, 2, nan=True),
    "rf_pickup_before": Case(Phase.ARM_READY, Phase.IMPEDANCE, biased, 1, 0, 1),
    "time_budget": Case(
        Phase.ARM_READY, Phase.IMPEDANCE, rating, 1, 1.8 * HOLD_POWER_W + 0.005, 1.8 * HOLD_POWER_W - 0.005, nan=True
    ),
    "too_cold_for_tissue": Case(Phase.IMPEDANCE, Phase.ARM_READY, reads, 1, 15.0, 14.99, CHECK, nan=True),
    "thermocouple_shorted": Case(Phase.IMPEDANCE, Phase.ARM_READY, from_cold_junction, 1, 1.01, 0.99, CHECK, nan=True),
}

OVERTAKEN_BY = {"too_cold_for_tissue": {"temperature_step"}, "rise_missing": {"model_check", "model_check_pause"}}
"""Rows that speak later than another one on the same signal, as the test gives it."""
