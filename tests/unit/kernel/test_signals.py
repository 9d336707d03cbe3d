"""The signals of a channel that the rows compare, each at the edge of what it says."""

from __future__ import annotations

import math
from statistics import linear_regression

import pytest

from rfctl.kernel.interlocks import averaged, averaging_ends_ns, derive, has_output, has_rf
from rfctl.kernel.phase import ENERGISED, HEATING, LESION, OFF_VERIFYING, STIMULATION, Phase
from rfctl.kernel.state import Figures, Mean, Reference
from rfctl.model.capability import SetPoint
from tests.unit.kernel.bench import SESSION, at
from tests.unit.kernel.derived import before, derived, made, reading
from tests.unit.kernel.turned import NOW, Change, S, measured, one, planned, third, two

NAN = math.nan
SERIES_OHM = 80.0
REFERENCE = Reference(200.0, 37.0, SERIES_OHM, 200.0, 37.0)
CHECKED = one(reference=REFERENCE)


def figures(on_s: float = 20.0, start_c: float = 37.0, least_ohm: float = 0.0, energy_j: float = 0.0) -> Figures:
    return Figures(NOW - round(on_s * S), start_c, 0, 0.0, 0.0, energy_j, 0.0, 0.0, 0.0, 0.0, least_ohm, NOW)


def heating(phase: Phase = Phase.RAMP, **told: float) -> Change:
    return one(phase=phase, reference=REFERENCE, figures=figures(**told))


# temperature


@pytest.mark.parametrize(
    ("history", "step_k"),
    [
        ((), None),
        (((50, 37.0),), 0.0),
        (((50, 30.0),), 7.0),
        (((50, 45.0),), 8.0),
        (((150, 50.0), (100, 30.0), (50, 35.0)), 7.0),
        (((100, 35.0), (50, 30.0)), 7.0),
        (((101, 30.0), (50, 36.0)), 1.0),
        (((101, 30.0),), 0.0),
    ],
)
def test_a_step_of_the_temperature_is_the_most_of_100_ms(
    history: tuple[tuple[int, float], ...], step_k: float | None
) -> None:
    samples = [(ms, {"temperature_c": celsius}) for ms, celsius in history]
    assert derived(before(*samples)).temperature_step_k == step_k


@pytest.mark.parametrize("phase", [Phase.IMPEDANCE, Phase.IDLE])
@pytest.mark.parametrize(
    ("fields", "open_"),
    [
        ({}, 0.0),
        ({"thermocouple_open": True}, 1.0),
        ({"thermocouple_open": None}, 0.0),
        ({"temperature_c": NAN}, 1.0),
    ],
)
def test_a_thermocouple_is_open_by_its_bit_or_without_a_number(
    phase: Phase, fields: dict[str, float], open_: float
) -> None:
    assert derived(one(phase=phase), measured(**fields)).thermocouple_open == open_


# impedance


@pytest.mark.parametrize("phase", [Phase.IMPEDANCE, Phase.IDLE])
def test_the_tissue_s_impedance_is_what_the_series_resistance_leaves(phase: Phase) -> None:
    assert derived(one(phase=phase), measured(impedance_ohm=200.0)).impedance_tissue_ohm == 200.0
    assert derived(one(phase=phase), CHECKED, measured(impedance_ohm=200.0)).impedance_tissue_ohm == 120.0


OHMS = tuple(
    (ms, {"impedance_tissue_ohm": ohm}) for ms, ohm in ((1100, 900.0), (500, 300.0), (499, 133.0), (50, 110.0))
)


@pytest.mark.parametrize("phase", sorted(LESION))
@pytest.mark.parametrize(("on_s", "half_ohm"), [(0.499, None), (0.5, 121.0), (9.0, 121.0)])
def test_half_a_second_s_mean_is_that_of_the_samples_within_it_once_rf_was_on_so_long(
    phase: Phase, on_s: float, half_ohm: float | None
) -> None:
    sample = derived(heating(phase, on_s=on_s), before(*OHMS), measured(impedance_ohm=200.0))
    assert sample.impedance_half_ohm == half_ohm
    assert sample.rf_on_s == on_s


@pytest.mark.parametrize(
    ("phase", "least_ohm", "rise_pct"),
    [
        (Phase.RAMP, 100.0, 21.0),
        (Phase.HOLD, 200.0, -39.5),
        (Phase.RAMP, 0.05, 241900.0),
        (Phase.RAMP, 0.0, None),
        (Phase.FIRING, 100.0, None),
    ],
)
def test_the_rise_is_that_of_half_a_second_over_the_least(
    phase: Phase, least_ohm: float, rise_pct: float | None
) -> None:
    sample = derived(heating(phase, least_ohm=least_ohm), before(*OHMS), measured(impedance_ohm=200.0))
    assert sample.impedance_rise_pct == (None if rise_pct is None else pytest.approx(rise_pct))


def test_there_is_no_rise_before_the_first_half_second() -> None:
    sample = derived(heating(least_ohm=100.0, on_s=0.4), before(*OHMS))
    assert sample.impedance_rise_pct is None


POINTS = ((1001, 500.0), (1000, 131.0), (700, 126.0), (333, 128.0), (50, 120.0))


@pytest.mark.parametrize("phase", sorted(HEATING))
@pytest.mark.parametrize(("on_s", "known"), [(0.999, False), (1.0, True), (5.0, True)])
def test_the_slope_is_the_regression_over_the_last_second_in_percent_of_its_mean(
    phase: Phase, on_s: float, known: bool
) -> None:
    history = before(*((ms, {"impedance_tissue_ohm": ohm}) for ms, ohm in POINTS))
    sample = derived(heating(phase, on_s=on_s), history, measured(impedance_ohm=SERIES_OHM + 124.0))
    window = [*POINTS[1:], (0, 124.0)]
    mean_ohm = sum(ohm for _, ohm in window) / len(window)
    slope = linear_regression([-ms / 1e3 for ms, _ in window], [ohm for _, ohm in window]).slope
    wanted = pytest.approx(100.0 * slope / mean_ohm) if known else None
    assert sample.impedance_slope_pct_per_s == wanted


def test_a_slope_needs_two_moments_and_some_impedance() -> None:
    lonely = derived(heating(), before((1001, {})))
    assert lonely.impedance_slope_pct_per_s is None
    two_of_one_moment = derived(heating(), before((0, {}), (0, {})))
    assert two_of_one_moment.impedance_slope_pct_per_s is None
    close = derived(heating(), before((50, {"impedance_tissue_ohm": 0.02})), measured(impedance_ohm=SERIES_OHM + 0.02))
    assert close.impedance_slope_pct_per_s == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("ohm", "known"), [(0.04, True), (0.0, False), (-1.0, False), (NAN, False)])
def test_without_impedance_in_the_tissue_the_slope_is_no_number(ohm: float, known: bool) -> None:
    history = before((50, {"impedance_tissue_ohm": ohm}))
    sample = derived(heating(), history, measured(impedance_ohm=SERIES_OHM + ohm))
    assert sample.impedance_slope_pct_per_s is not None
    assert math.isnan(sample.impedance_slope_pct_per_s) != known


@pytest.mark.parametrize("phase", [Phase.FIRING, Phase.LESION_OFF, Phase.COOLING])
def test_nothing_slopes_but_in_heating(phase: Phase) -> None:
    sample = derived(heating(phase), before(*OHMS))
    assert sample.impedance_slope_pct_per_s is None
    assert (sample.impedance_half_ohm is None) == (phase is not Phase.FIRING)
    assert sample.rf_on_s == (20.0 if phase is Phase.FIRING else 0.0)


# the mean of a phase


FIVE_S = 5 * S
WAIT = planned(anaesthetic={"wait_s": 6.0})


@pytest.mark.parametrize(
    ("phase", "ends_s"),
    [(Phase.IMPEDANCE, 5.0), (Phase.RECHECK, 5.0), (Phase.ANAESTHETIC_WAIT, 6.0), (Phase.MOTOR, None)],
)
def test_a_mean_is_taken_over_the_last_five_seconds_of_a_phase(phase: Phase, ends_s: float | None) -> None:
    state = made(WAIT, one(phase=phase, since_ns=7 * S, mean=Mean(2, 300.0, 70.0)))
    channel = state.channels[0]
    assert state.reading is not None
    measures = state.reading.channels[0]._replace(impedance_ohm=180.0, temperature_c=38.0)
    stale = measures._replace(impedance_fresh=False)
    ends_ns = averaging_ends_ns(state.setup, channel)
    assert ends_ns == (None if ends_s is None else round((7 + ends_s) * S))
    more = Mean(3, 480.0, 108.0)
    begins_ns = 7 * S if ends_ns is None else ends_ns - FIVE_S
    assert averaged(state.setup, channel, measures, begins_ns) == (channel.mean if ends_s is None else more)
    assert averaged(state.setup, channel, measures, begins_ns - 1) == channel.mean
    assert averaged(state.setup, channel, stale, begins_ns) == channel.mean


@pytest.mark.parametrize(
    ("phase", "now_ns", "mean", "mean_ohm"),
    [
        (Phase.IMPEDANCE, NOW + FIVE_S, Mean(4, 600.0, 0.0), 150.0),
        (Phase.IMPEDANCE, NOW + FIVE_S, Mean(1, 170.0, 37.0), 170.0),
        (Phase.IMPEDANCE, NOW + FIVE_S - 1, Mean(4, 600.0, 0.0), None),
        (Phase.IMPEDANCE, NOW + FIVE_S, Mean(), None),
        (Phase.MOTOR, NOW + FIVE_S, Mean(4, 600.0, 0.0), None),
    ],
)
def test_the_mean_is_told_when_it_is_complete(phase: Phase, now_ns: int, mean: Mean, mean_ohm: float | None) -> None:
    sample = derived(one(phase=phase, since_ns=NOW), mean=mean, now_ns=now_ns)
    assert sample.impedance_mean_ohm == mean_ohm


# output


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({}, False),
        ({"rf_on": True}, True),
        ({"rf_band_current_ma_rms": 20.0, "power_w": 9.0}, False),
        ({"rf_band_current_ma_rms": 900.0, "power_w": 0.5}, False),
        ({"rf_band_current_ma_rms": 20.01, "power_w": 0.501}, True),
        ({"rf_band_current_ma_rms": NAN, "power_w": 0.501}, True),
        ({"rf_band_current_ma_rms": 20.01, "power_w": NAN}, True),
        ({"rf_band_current_ma_rms": NAN, "power_w": 0.5}, False),
    ],
)
def test_rf_is_seen_by_either_witness_and_an_output_is_rf_or_stimulation(fields: dict[str, float], seen: bool) -> None:
    state = made(measured(**fields))
    assert state.reading is not None
    channel = state.reading.channels[0]
    assert has_rf(channel) == has_output(channel) == seen
    assert has_output(channel._replace(stimulating=True))


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.IDLE}))
def test_what_an_output_is_called_depends_on_the_phase(phase: Phase) -> None:
    off, on = one(phase=phase, off_ns=NOW - S // 4), measured(rf_on=True)
    silent, rf = derived(off), derived(off, on)
    assert rf.uncommanded_rf == (phase not in LESION)
    assert silent.uncommanded_rf == rf.rf_missing == 0.0
    assert silent.rf_missing == (phase in HEATING)
    assert silent.stimulation_missing == (phase in STIMULATION)
    stimulated = derived(off, measured(stimulating=True))
    assert stimulated.stimulation_missing == stimulated.uncommanded_rf == silent.output_after_off_s == 0.0
    after_s = 0.25 if phase in OFF_VERIFYING or phase is Phase.ENDED else 0.0
    assert stimulated.output_after_off_s == rf.output_after_off_s == after_s


@pytest.mark.parametrize("change", [measured(rf_on=True), measured(stimulating=True)])
def test_an_output_of_a_channel_without_a_site_is_seen_too(change: Change) -> None:
    idle = one(phase=Phase.IDLE, site=-1)
    sample = derived(idle, change)
    assert (sample.uncommanded_rf, sample.uncommanded_stimulation) in ((1.0, 0.0), (0.0, 1.0))
    assert (derived(idle).uncommanded_rf, derived(idle).uncommanded_stimulation) == (0.0, 0.0)


@pytest.mark.parametrize("phase", [Phase.IMPEDANCE, Phase.IDLE])
def test_faults_of_generator_and_channel_are_told_apart(phase: Phase) -> None:
    sample = derived(one(phase=phase), reading(fault_bits=0b101), measured(fault_bits=0b11))
    assert sample.fault_bits == 0b101_0000_0000_0000_0011
    assert derived(one(phase=phase), measured(2, fault_bits=0b11)).fault_bits == 0.0


OWNED = reading(owner=SESSION, lease_remaining_ms=1)


@pytest.mark.parametrize("phase", [*sorted(ENERGISED), Phase.ARMED, Phase.LESION_OFF])
def test_the_lease_is_lost_without_owner_or_time_while_there_is_energy(phase: Phase) -> None:
    lost = float(phase in ENERGISED)
    assert derived(one(phase=phase), OWNED).lease_lost == 0.0
    assert derived(one(phase=phase), OWNED, reading(owner=SESSION + 1)).lease_lost == lost
    assert derived(one(phase=phase), OWNED, reading(lease_remaining_ms=0)).lease_lost == lost


def test_power_is_that_of_the_current_in_the_tissue_while_rf_is_on() -> None:
    flows = measured(impedance_ohm=200.0, current_ma_rms=300.0, voltage_v_rms=60.0, power_w=17.5, rf_on=True)
    sample = derived(CHECKED, flows)
    assert sample.power_tissue_w == pytest.approx(0.3 * 0.3 * 120.0)
    assert (sample.power_w, sample.apparent_power_w) == (17.5, pytest.approx(18.0))
    assert derived(CHECKED, flows, measured(rf_on=False)).power_tissue_w == 0.0


# lesion


def planned_at(set_c: float) -> Change:
    return planned(lesion={"set_temperature_c": set_c})


PROBE_J = made().setup.plan.sites[0].electrode.probe_energy_j


@pytest.mark.parametrize("phase", [Phase.FIRING, Phase.PROBE, Phase.RAMP])
@pytest.mark.parametrize(
    ("energy_j", "before_j", "tip_c", "rise_k"),
    [
        (PROBE_J, 0.0, 39.5, 2.5),
        (PROBE_J + 8.0, 8.0, 39.5, 2.5),
        (PROBE_J + 7.99, 8.0, 39.5, None),
        (PROBE_J, 0.0, 74.9, 37.9),
        (PROBE_J, 0.0, 75.0, None),
        (PROBE_J, 0.0, NAN, NAN),
    ],
)
def test_a_rise_is_asked_for_from_the_probe_s_energy_on_up_to_near_the_set_temperature(
    phase: Phase, energy_j: float, before_j: float, tip_c: float, rise_k: float | None
) -> None:
    heated = one(phase=phase, figures=figures(energy_j=energy_j)._replace(before_j=before_j))
    sample = derived(planned_at(80.0), heated, measured(temperature_c=tip_c))
    assert sample.rise_after_energy_k == (None if rise_k is None else pytest.approx(rise_k, nan_ok=True))
    assert sample.energy_j == energy_j


@pytest.mark.parametrize(
    ("energy_j", "before_j", "on_s", "fallen_k"),
    [
        (2.0, 0.0, 3.0, 1.5),
        (10.0, 8.0, 0.1, 1.5),
        (9.99, 8.0, 0.1, None),
        (2.0, 0.0, 3.05, None),
        (1.99, 0.0, 3.0, None),
    ],
)
def test_a_fall_is_asked_for_from_two_joules_on_within_three_seconds(
    energy_j: float, before_j: float, on_s: float, fallen_k: float | None
) -> None:
    heated = one(phase=Phase.RAMP, figures=figures(on_s, energy_j=energy_j)._replace(before_j=before_j))
    assert derived(heated, measured(temperature_c=35.5)).fallen_k == fallen_k


@pytest.mark.parametrize(("phase", "energy_j"), [(Phase.HOLD, 50.0), (Phase.LESION_OFF, None), (Phase.ARMED, None)])
def test_beyond_the_ramp_only_the_energy_is_asked_for(phase: Phase, energy_j: float | None) -> None:
    sample = derived(heating(phase, on_s=1.0, energy_j=50.0))
    assert (sample.rise_after_energy_k, sample.fallen_k, sample.energy_j) == (None, None, energy_j)
    assert derived(one(phase=Phase.RAMP)).energy_j is None


# set point


@pytest.mark.parametrize(
    ("told", "held", "error_pct"),
    [(10.0, 9.0, 10.0), (10.0, 12.0, 20.0), (1.0, 1.5, 25.0), (2.05, 2.05, 0.0), (2.05, 0.0, 100.0), (10.0, NAN, None)],
)
def test_a_set_point_is_compared_in_percent_of_at_least_two(told: float, held: float, error_pct: float | None) -> None:
    regulator = at(Phase.RAMP, SetPoint.VOLTAGE).channel.regulator
    assert regulator is not None
    own = one(regulator=regulator._replace(value=told))
    wanted = None if error_pct is None else pytest.approx(error_pct)
    assert derived(own, measured(set_point=held)).set_point_error_pct == wanted
    assert derived(measured(set_point=held)).set_point_error_pct is None


# neighbours of a probe


PROBED = one(phase=Phase.PROBE, probe_c=(37.0, 36.0), figures=figures())


@pytest.mark.parametrize(
    ("history", "tip_c", "rise_k"),
    [
        ((), 36.5, 0.5),
        ((), 35.0, 0.0),
        (((999, 36.2), (50, 37.3)), 36.0, 0.5),
        (((1000, 99.0), (50, 37.0)), 36.0, 0.5),
        ((), NAN, NAN),
        (((50, NAN),), 36.0, NAN),
    ],
)
def test_a_neighbour_of_the_probe_warms_by_its_mean_of_a_second(
    history: tuple[tuple[int, float], ...], tip_c: float, rise_k: float
) -> None:
    samples = [(ms, {"temperature_c": celsius}) for ms, celsius in history]
    sample = derived(PROBED, before(*samples, number=2), measured(2, temperature_c=tip_c))
    assert sample.neighbour_rise_k == pytest.approx(rise_k, nan_ok=True)


def test_the_warmest_of_the_others_counts_and_neither_the_probed_nor_one_without_a_site() -> None:
    state = made(third(site=0, history=()), two(history=()), one(phase=Phase.PROBE, probe_c=(30.0, 36.0, 36.0)))
    assert state.reading is not None
    first, second = state.reading.channels
    for tips_c, sites, rise_k in (
        ((99.0, 36.3, 36.9), (0, 1, 0), 0.9),
        ((99.0, 36.9, 36.3), (0, 1, 0), 0.9),
        ((99.0, 36.3, 36.9), (0, 1, -1), 0.3),
        ((99.0, 36.9, 36.3), (0, -1, 0), 0.3),
        ((99.0, NAN, 36.3), (0, -1, 0), 0.3),
    ):
        channels = tuple(each._replace(site=site) for each, site in zip(state.channels, sites, strict=True))
        tips = tuple(each._replace(temperature_c=c) for each, c in zip((first, second, second), tips_c, strict=True))
        told = state.reading._replace(channels=tips)
        asked = state._replace(channels=channels)
        sample = derive(asked, 1, Mean(), channels[0].thermal, told, NOW)
        assert sample.neighbour_rise_k == pytest.approx(rise_k)


@pytest.mark.parametrize("phase", [Phase.RAMP, Phase.FIRING, Phase.ARMED])
def test_neighbours_are_asked_only_while_one_is_probed(phase: Phase) -> None:
    assert derived(PROBED, one(phase=phase)).neighbour_rise_k is None


@pytest.mark.parametrize("change", [one(), CHECKED, measured(temperature_c=NAN, impedance_ohm=NAN, fault_bits=3)])
def test_a_channel_without_a_site_says_what_one_that_waits_says_but_for_steps(change: Change) -> None:
    history = before((50, {"temperature_c": 44.0}))
    idle = derived(change, history, one(phase=Phase.IDLE, site=-1))
    waiting = derived(change, history, one(phase=Phase.QUEUED, site=-1))
    assert idle.temperature_step_k is None
    assert repr(idle) == repr(waiting._replace(temperature_step_k=None))


def test_the_channel_that_is_asked_about_is_the_one_that_is_measured() -> None:
    apart = (
        one(off_ns=NOW - S),
        two(off_ns=NOW - 3 * S, phase=Phase.ENDED),
        measured(2, rf_on=True, temperature_c=44.0),
    )
    first, second = derived(*apart), derived(*apart, number=2)
    assert (first.temperature_c, first.output_after_off_s) == (37.0, 0.0)
    assert (second.temperature_c, second.output_after_off_s) == (44.0, 3.0)
    assert first.now_ns == second.now_ns == NOW
