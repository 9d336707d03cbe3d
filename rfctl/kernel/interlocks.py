"""Interlocks: the signals of a channel derived from a reading, and the rows of the table judged against them."""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING

from rfctl.kernel import signals_thermal
from rfctl.kernel.expected import FLUID_TAKES
from rfctl.kernel.limits import (
    DURATION_MAX_S,
    ENERGY_MAX_J,
    REVERSED_AFTER_J,
    REVERSED_WITHIN_S,
    RISE_CHECKED_BELOW_SET_K,
)
from rfctl.kernel.phase import ENERGISED, HEATING, LESION, OFF_VERIFYING, STIMULATION, Phase
from rfctl.kernel.row import Action, Basis, Row, Side, Window
from rfctl.kernel.signals_stimulation import QUIET, stimulation_signals
from rfctl.kernel.signals_supervision import NOT_SUPERVISED, apparent_power_w, supervised
from rfctl.kernel.signals_thermal import expected_power_w, fluid_of
from rfctl.kernel.state import ChannelState, KernelState, Mean, Sample, Setup, Trip
from rfctl.kernel.supervision import envelope_current_a, warned_lately, whole

if TYPE_CHECKING:
    from rfctl.kernel.thermal import Thermal
    from rfctl.model.plan import Site
    from rfctl.model.reading import ChannelReading, Reading

WINDOW_MAX_NS = 1_000_000_000
"""The longest window of the table. The history reaches back to the last sample that is at least so old."""
STEP_NS = 100_000_000
SLOPE_NS = 1_000_000_000
HALF_SECOND_NS = 500_000_000
IMPEDANCE_CHECK_NS = 5_000_000_000
RF_BAND_CURRENT_MA = 20.0
RF_BAND_POWER_W = 0.5
SET_POINT_STEPS = 2.0
STANDING_STILL_S = 2.0
STANDING_STILL_STEPS = 4.0
NOTHING_AT_IDLE = (None, None, None, *signals_thermal.NONE, *QUIET, *NOT_SUPERVISED)
"""The last fields of a sample, from rise_after_energy_k on, of a channel without a site and without an output."""
IMPEDANCE_CHECKS = frozenset({Phase.IMPEDANCE, Phase.RECHECK})


def averaging_ends_ns(setup: Setup, channel: ChannelState) -> int | None:
    """When the mean of the phase's last 5 s is complete: impedance checks, anaesthetic wait. None in other phases."""
    if channel.phase in IMPEDANCE_CHECKS:
        return channel.since_ns + IMPEDANCE_CHECK_NS
    if channel.phase is Phase.ANAESTHETIC_WAIT:
        return channel.since_ns + round(setup.plan.sites[channel.site].anaesthetic.wait_s * 1e9)
    return None


def averaged(setup: Setup, channel: ChannelState, measured: ChannelReading, now_ns: int) -> Mean:
    """The channel's running mean with this reading in it, if it belongs there."""
    mean = channel.mean
    end_ns = averaging_ends_ns(setup, channel)
    if end_ns is None or now_ns < end_ns - IMPEDANCE_CHECK_NS or not measured.impedance_fresh:
        return mean
    return Mean(
        mean.samples + 1, mean.impedance_sum + measured.impedance_ohm, mean.temperature_sum + measured.temperature_c
    )


def derive(state: KernelState, number: int, mean: Mean, thermal: Thermal, reading: Reading, now_ns: int) -> Sample:
    """The signals of channel ``number`` in this reading, as the rows compare them.

    ``mean`` and ``thermal`` have the reading in them.
    """
    channel = state.channels[number - 1]
    measured = reading.channels[number - 1]
    phase = channel.phase
    if phase is Phase.IDLE and not has_output(measured):
        return _at_idle(channel, measured, reading, now_ns)
    temperature_c = measured.temperature_c
    series_ohm = channel.reference.series_ohm if channel.reference else 0.0
    tissue_ohm = measured.impedance_ohm - series_ohm
    slope = rise = step = half = impedance_mean = None
    recent = channel.history
    if recent:
        step = 0.0
        for sample in reversed(recent):
            if now_ns - sample.now_ns > STEP_NS:
                break
            change = abs(temperature_c - sample.temperature_c)
            if change > step:
                step = change
    rf_on_s = 0.0
    if phase in LESION and channel.figures:
        rf_on_s = (now_ns - channel.figures.rf_on_ns) / 1e9
        half = _half_second_mean(recent, now_ns, tissue_ohm, channel.figures.rf_on_ns)
        if phase in HEATING:
            slope = _slope_pct_per_s(recent, now_ns, tissue_ohm, channel.figures.rf_on_ns)
            least = channel.figures.impedance_min_ohm
            if half is not None and least > 0.0:
                rise = (half / least - 1.0) * 100.0
    elif mean.samples:
        end_ns = averaging_ends_ns(state.setup, channel)
        if end_ns is not None and now_ns >= end_ns:
            impedance_mean = mean.impedance_sum / mean.samples
    output = has_output(measured)
    current_a = measured.current_ma_rms * 1e-3
    return Sample(
        now_ns,
        temperature_c,
        step,
        1.0 if measured.thermocouple_open or temperature_c != temperature_c else 0.0,
        measured.impedance_ohm,
        impedance_mean,
        slope,
        rise,
        tissue_ohm,
        half,
        current_a * current_a * tissue_ohm if measured.rf_on else 0.0,
        rf_on_s,
        1.0 if phase in HEATING and not measured.rf_on else 0.0,
        1.0 if phase in STIMULATION and not measured.stimulating else 0.0,
        1.0 if phase not in LESION and has_rf(measured) else 0.0,
        (now_ns - channel.off_ns) / 1e9 if output and (phase in OFF_VERIFYING or phase is Phase.ENDED) else 0.0,
        float(reading.fault_bits << 16 | measured.fault_bits),
        1.0 if phase in ENERGISED and (reading.owner != state.setup.session or not reading.lease_remaining_ms) else 0.0,
        None if channel.regulator is None else _set_point_error_pct(channel.regulator.value, measured.set_point),
        _neighbour_rise_k(state, number, reading, now_ns) if phase is Phase.PROBE else None,
        measured.power_w,
        apparent_power_w(measured),
        *_lesion_signals(state, channel, temperature_c, rf_on_s),
        *signals_thermal.signals(
            state, number, thermal, mean, measured, now_ns, mean_is_complete=impedance_mean is not None
        ),
        *stimulation_signals(state, number, reading, impedance_mean, now_ns),
        *supervised(state, number, reading, now_ns),
    )


def _at_idle(channel: ChannelState, measured: ChannelReading, reading: Reading, now_ns: int) -> Sample:
    """Of a channel without a site and without an output: what it measures. Half of all samples are of such a channel,
    and the rows in force on it ask for nothing that has to be derived.
    """
    temperature_c, impedance_ohm = measured.temperature_c, measured.impedance_ohm
    series_ohm = channel.reference.series_ohm if channel.reference else 0.0
    return Sample(
        now_ns,
        temperature_c,
        None,
        1.0 if measured.thermocouple_open or temperature_c != temperature_c else 0.0,
        impedance_ohm,
        None,
        None,
        None,
        impedance_ohm - series_ohm,
        None,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        float(reading.fault_bits << 16 | measured.fault_bits),
        0.0,
        None,
        None,
        measured.power_w,
        apparent_power_w(measured),
        *NOTHING_AT_IDLE,
    )


def _lesion_signals(
    state: KernelState, channel: ChannelState, temperature_c: float, rf_on_s: float
) -> tuple[float | None, float | None, float | None]:
    """Rise after the probe's energy, K, fall since RF on, K, and energy in the tissue, J, where they say something."""
    figures = channel.figures
    if figures is None or channel.phase not in LESION:
        return None, None, None
    rise_k = temperature_c - figures.start_c
    energy_j = figures.energy_j
    if channel.phase is Phase.HOLD:
        return None, None, energy_j
    site = state.setup.plan.sites[channel.site]
    rising = not temperature_c >= site.lesions[channel.lesion].set_temperature_c - RISE_CHECKED_BELOW_SET_K
    since_on_j = energy_j - figures.before_j
    checked = since_on_j >= site.electrode.probe_energy_j and rising
    fell = since_on_j >= REVERSED_AFTER_J and rf_on_s <= REVERSED_WITHIN_S
    return rise_k if checked else None, -rise_k if fell else None, energy_j


def _neighbour_rise_k(state: KernelState, number: int, reading: Reading, now_ns: int) -> float:
    """While the channel is probed: how much the warmest of the others has warmed, K, by means of 1 s."""
    rise = 0.0
    for other, before_c in enumerate(state.channels[number - 1].probe_c, start=1):
        channel = state.channels[other - 1]
        if other == number or channel.site < 0:
            continue
        recent = [sample.temperature_c for sample in channel.history if now_ns - sample.now_ns < SLOPE_NS]
        now_c = (sum(recent) + reading.channels[other - 1].temperature_c) / (len(recent) + 1)
        if now_c - before_c != now_c - before_c:
            return math.nan
        rise = max(rise, now_c - before_c)
    return rise


def _set_point_error_pct(commanded: float, held: float) -> float | None:
    """Difference in percent of the set point, of at least 2 V or 2 W: a wire has steps. None where it is not shown."""
    return None if held != held else abs(held - commanded) / max(commanded, SET_POINT_STEPS) * 100.0


def has_rf(measured: ChannelReading) -> bool:
    """RF by either witness: the output stage's own state, or current in the RF band with power. Not-a-number counts."""
    return measured.rf_on or not (
        measured.rf_band_current_ma_rms <= RF_BAND_CURRENT_MA or measured.power_w <= RF_BAND_POWER_W
    )


def has_output(measured: ChannelReading) -> bool:
    """RF or stimulation is measured at the channel's output."""
    return measured.stimulating or has_rf(measured)


def _half_second_mean(recent: tuple[Sample, ...], now_ns: int, tissue_ohm: float, since_ns: int) -> float | None:
    """Mean of the tissue's impedance over the last 0.5 s, ohm; None until RF has been on for so long."""
    if now_ns - since_ns < HALF_SECOND_NS:
        return None
    total, count = tissue_ohm, 1
    for sample in reversed(recent):
        if now_ns - sample.now_ns >= HALF_SECOND_NS:
            break
        total += sample.impedance_tissue_ohm
        count += 1
    return total / count


def _slope_pct_per_s(recent: tuple[Sample, ...], now_ns: int, tissue_ohm: float, since_ns: int) -> float | None:
    """Regression of the tissue's impedance over the last second, in percent of its mean a second."""
    if now_ns - since_ns < SLOPE_NS:
        return None
    window = [sample for sample in recent if now_ns - sample.now_ns <= SLOPE_NS]
    t = [(sample.now_ns - now_ns) * 1e-9 for sample in window]  # the newest sample is at 0 and adds nothing
    z = [sample.impedance_tissue_ohm for sample in window]
    count = len(window) + 1
    sum_t, sum_z = sum(t), sum(z) + tissue_ohm
    sum_tt: float = sum(map(mul, t, t))
    sum_tz: float = sum(map(mul, t, z))
    spread = count * sum_tt - sum_t * sum_t
    if spread <= 0.0:
        return None
    if not sum_z > 0.0:
        return math.nan
    return 100.0 * (count * sum_tz - sum_t * sum_z) / spread * count / sum_z


def limit_of(row: Row, setup: Setup, channel: ChannelState) -> float:
    """The row's limit for this channel, in the row's unit."""
    if row.basis is Basis.ABSOLUTE:
        return row.offset
    if channel.site < 0:
        return math.nan
    if row.basis is Basis.DISPLAY_STEP:
        return max(row.factor * setup.display_step_k, row.offset)
    site = setup.plan.sites[channel.site]
    if row.basis is Basis.RESULT_VALID:
        return row.factor * site.result_valid_s + row.offset
    if row.basis is Basis.ENVELOPE_CURRENT:
        return row.factor * envelope_current_a(setup, channel)
    if row.basis is Basis.MEASURED_POWER:
        return max(row.factor * (channel.history[-1].power_mean_w or 0.0), row.offset)
    if row.basis is Basis.RAMP:
        return _limit_of_ramp(row, site, channel)
    if row.basis is Basis.ENERGY:
        figures = channel.figures
        return min(row.factor * figures.predicted_energy_j + figures.before_j, ENERGY_MAX_J) if figures else math.nan
    if row.basis is Basis.SET_TEMPERATURE:
        return row.factor * site.lesions[channel.lesion].set_temperature_c + row.offset
    if row.basis is Basis.POWER_CAP:
        return row.factor * site.electrode.power_cap_w + row.offset
    if row.basis is Basis.EXPECTED_POWER:
        return row.factor * expected_power_w(site, channel) + row.offset
    if row.basis is Basis.DRY_SHARE:
        return row.factor * (1.0 - FLUID_TAKES * fluid_of(channel)) + row.offset
    if row.basis is Basis.TAKEN_UP:
        return row.factor / (1.0 - FLUID_TAKES * fluid_of(channel)) + row.offset
    if row.basis is Basis.STANDING_STILL:
        return row.factor * _standing_still_s(setup, channel) + row.offset
    return row.factor * min(channel.duration_s, DURATION_MAX_S) + row.offset


def _limit_of_ramp(row: Row, site: Site, channel: ChannelState) -> float:
    """A limit that follows from the planned ramp and the temperature that it began at."""
    lesion = site.lesions[channel.lesion]
    start_c = channel.figures.start_c if channel.figures else math.nan
    return row.factor * lesion.ramp_s(start_c) + row.offset


def _standing_still_s(setup: Setup, channel: ChannelState) -> float:
    """How long a reading may stand still in the ramp, s: four steps of the display at its mean rate, or 2 s."""
    figures, newest = channel.figures, channel.history[-1]
    rise_k = newest.temperature_c - figures.start_c if figures else math.nan
    if not rise_k > 0.0:
        return STANDING_STILL_S if math.isnan(rise_k) else math.inf
    steps_k = STANDING_STILL_STEPS * setup.display_step_k
    return max(STANDING_STILL_S, steps_k * newest.rf_on_s / rise_k)


def _beyond(value: float, limit: float, side: Side) -> bool:
    return not (value <= limit) if side is Side.ABOVE else not (value >= limit)


def _for_long_enough(history: tuple[Sample, ...], field: int, limit: float, row: Row) -> bool:
    """The newest sample is beyond the limit: whether the row's window is full."""
    window = row.window
    if not window.ns:
        last = [sample[field] for sample in history[-window.of_last :]]
        return sum(other is not None and _beyond(other, limit, row.side) for other in last) >= window.needed
    now_ns = history[-1].now_ns
    for sample in reversed(history):
        value = sample[field]
        if value is None or not _beyond(value, limit, row.side):
            return False
        if now_ns - sample.now_ns >= row.window.ns:
            return True
    return False


def judge_channel(state: KernelState, number: int) -> list[Trip]:
    """What the rows in force on the channel say of its newest sample, in the order of the table.

    Warnings up to the first row that ends the procedure, and that one: it names the cause. Rows behind it would name
    the same cause again under other codes.
    """
    setup = state.setup
    channel = state.channels[number - 1]
    history = channel.history
    newest = history[-1]
    verdicts: list[Trip] = []
    for row, field, absolute, above in setup.channel_rows[channel.phase]:
        measured = newest[field]
        if measured is None:
            continue
        limit = limit_of(row, setup, channel) if absolute is None else absolute
        if measured <= limit if above else measured >= limit:
            continue
        if _for_long_enough(history, field, limit, row) and not (
            (row.action is Action.WARN and row.code in channel.warned)
            or (row.action is Action.PAUSE and channel.thermal.pauses)
        ):
            verdicts.append(verdict(row, number, measured, limit, newest.now_ns))
            if row.action not in {Action.WARN, Action.PAUSE}:
                break
    return verdicts


def judge_generator(state: KernelState, sample_age_s: float, now_ns: int) -> list[Trip]:
    """Warnings of the rows on the generator as a whole up to the first that acts, and that one; also on an event that
    brought no sample.
    """
    signals = whole(state, sample_age_s, now_ns)
    verdicts: list[Trip] = []
    for row, field, limit, above in state.setup.generator_rows:
        measured = signals[field]
        if measured is None or limit is None or (measured <= limit if above else measured >= limit):
            continue
        if not any(channel.phase in row.phases for channel in state.channels):
            continue
        if row.action is not Action.WARN:
            return [*verdicts, verdict(row, 0, measured, limit, now_ns)]
        if not warned_lately(state.supervision, row.code, now_ns):
            verdicts.append(verdict(row, 0, measured, limit, now_ns))
    return verdicts


def verdict(row: Row, channel: int, measured: float, limit: float, now_ns: int) -> Trip:
    """The verdict of a row, its text filled in with the numbers."""
    text = row.text.format(
        measured=f"{measured:.4g}", limit=f"{limit:.4g}", window=_window_text(row.window), channel=channel
    )
    return Trip(
        row.code, row.hazard, channel, measured, limit, row.unit, now_ns, text, row.action, row.origin, row.stops_all
    )


def _window_text(window: Window) -> str:
    if window.ns:
        return f"{window.ns / 1e9:g} s"
    return f"{window.needed} of {window.of_last} samples" if window.of_last > 1 else "one sample"
