"""Signals of the stimulator, of the electrode and of the impedance since its reference, each by the number."""

from __future__ import annotations

import math

import pytest

from rfctl.kernel.phase import BEFORE_RF, LESION, STIMULATION, Phase
from rfctl.kernel.signals_stimulation import QUIET, SAME_ELECTRODE, WITHOUT_STIMULATION, StimulationSignals
from rfctl.kernel.state import Mean, Reference, Sample
from rfctl.kernel.stimulation import Stimulation
from rfctl.model.plan import Medium
from rfctl.model.reading import Mode
from tests.unit.kernel.derived import derived
from tests.unit.kernel.turned import NOW, Change, S, measured, medium, one, planned

NAN = math.nan
REFERENCE = Reference(220.0, 37.0, 80.0, 200.0, 37.0, NOW)
CHECKED = one(phase=Phase.ARM_READY, reference=REFERENCE)
ELECTRODE_ID = 0x1810
KNOWN = Stimulation(electrode_id=ELECTRODE_ID, present=True)
ON = measured(stimulating=True)


def signals(sample: Sample) -> StimulationSignals:
    return StimulationSignals(*(getattr(sample, name) for name in StimulationSignals._fields))


def approx(value: float | None) -> object:
    return None if value is None else pytest.approx(value, nan_ok=True)


# stimulator


@pytest.mark.parametrize("phase", list(Phase))
def test_a_stimulator_is_on_without_command_where_no_check_is_made_and_never_with_rf(phase: Phase) -> None:
    assert derived(one(phase=phase)).uncommanded_stimulation == 0.0
    stimulated = derived(one(phase=phase), ON)
    assert stimulated.uncommanded_stimulation == (phase in WITHOUT_STIMULATION)
    assert stimulated.stimulation_with_rf == 0.0
    assert derived(one(phase=phase), measured(rf_on=True)).stimulation_with_rf == 0.0
    for number in (1, 2):
        assert derived(one(phase=phase), ON, measured(number, rf_on=True)).stimulation_with_rf == 1.0


@pytest.mark.parametrize(
    ("phase", "unit", "mode", "wrong"),
    [
        (Phase.SENSORY, "V", Mode.STIMULATION_VOLTAGE, 0.0),
        (Phase.SENSORY, "V", Mode.STIMULATION_CURRENT, 1.0),
        (Phase.MOTOR, "V", Mode.STIMULATION_CURRENT, 0.0),
        (Phase.MOTOR, "V", Mode.STIMULATION_VOLTAGE, 1.0),
        (Phase.SENSORY, "V", None, None),
        (Phase.SENSORY_START, "V", Mode.STIMULATION_CURRENT, None),
    ],
)
def test_the_mode_is_that_of_the_unit_of_the_check_that_is_made(
    phase: Phase, unit: str, mode: Mode | None, wrong: float | None
) -> None:
    in_ma = planned(sensory={"unit": unit}, motor={"unit": "mA"})
    assert derived(in_ma, one(phase=phase), measured(mode=mode)).stimulation_mode_wrong == wrong


@pytest.mark.parametrize(
    ("phase", "rate_hz", "width_us", "errors"),
    [
        (Phase.SENSORY, 50.0, 1000, (0.0, 0.0)),
        (Phase.SENSORY, 49.5, 995, (0.5, 5.0)),
        (Phase.MOTOR, 50.0, 1200, (48.0, 200.0)),
        (Phase.MOTOR, 2.25, 1000, (0.25, 0.0)),
        (Phase.SENSORY, NAN, None, (None, None)),
        (Phase.ARM_READY, 2.0, 1, (None, None)),
    ],
)
def test_rate_and_width_are_compared_with_the_check_s(
    phase: Phase, rate_hz: float, width_us: int | None, errors: tuple[float | None, float | None]
) -> None:
    sample = derived(one(phase=phase), measured(stimulation_rate_hz=rate_hz, stimulation_width_us=width_us))
    assert (sample.stimulation_rate_error_hz, sample.stimulation_width_error_us) == errors


@pytest.mark.parametrize("phase", sorted(STIMULATION))
@pytest.mark.parametrize(
    ("commanded", "delivered", "excess_pct"),
    [(0.0, 0.15, 15.0), (0.5, 0.6, 10.0), (2.0, 2.5, 25.0), (2.0, 1.0, -50.0), (1.02, 1.53, 50.0), (1.0, NAN, NAN)],
)
def test_an_excess_is_in_percent_of_the_amplitude_of_at_least_one(
    phase: Phase, commanded: float, delivered: float, excess_pct: float
) -> None:
    sample = derived(one(phase=phase, amplitude=commanded), measured(stimulation_amplitude=delivered))
    assert sample.stimulation_excess_pct == approx(excess_pct)


def test_a_lower_amplitude_is_given_its_time_to_fall() -> None:
    lowered = one(
        phase=Phase.SENSORY, amplitude=1.0, stepped_ns=NOW - 1_150_000_000, stimulation=Stimulation(allowed=3.0)
    )
    assert derived(lowered, measured(stimulation_amplitude=3.0)).stimulation_excess_pct == approx(20.0)


# electrode


@pytest.mark.parametrize(
    ("known", "fields", "changed"),
    [
        (KNOWN, {}, 0.0),
        (KNOWN, {"electrode_present": False}, 1.0),
        (KNOWN, {"electrode_present": None}, 0.0),
        (KNOWN, {"electrode_id": 7}, 1.0),
        (KNOWN, {"electrode_id": 0}, 1.0),
        (KNOWN._replace(electrode_id=1), {"electrode_id": 1}, 0.0),
        (KNOWN._replace(electrode_id=1), {"electrode_id": 2}, 1.0),
        (KNOWN._replace(electrode_id=0), {"electrode_id": 7}, 0.0),
        (KNOWN._replace(present=False), {"electrode_present": False}, 0.0),
        (KNOWN._replace(present=False), {"electrode_id": 7}, 1.0),
        (KNOWN._replace(electrode_id=0), {"electrode_present": False}, 1.0),
    ],
)
def test_another_electrode_or_none_is_a_change_where_the_generator_knew_one(
    known: Stimulation, fields: dict[str, int], changed: float
) -> None:
    for phase in Phase:
        sample = derived(one(phase=phase, stimulation=known), measured(**fields))
        assert sample.electrode_changed == (changed if phase in SAME_ELECTRODE else None), phase
    stimulated = derived(one(phase=Phase.HOLD, stimulation=known), ON, measured(**fields))
    assert stimulated.electrode_changed == changed


@pytest.mark.parametrize("phase", sorted(LESION))
def test_in_a_lesion_nothing_else_is_asked(phase: Phase) -> None:
    told = signals(derived(one(phase=phase, reference=REFERENCE, stimulation=KNOWN._replace(checked_ns=1))))
    assert told == QUIET._replace(electrode_changed=0.0)


# the result of the checks


@pytest.mark.parametrize("phase", list(Phase))
def test_a_result_ages_until_rf_and_its_impedance_is_compared(phase: Phase) -> None:
    checked = one(phase=phase, reference=REFERENCE, stimulation=KNOWN._replace(checked_ns=NOW - 90 * S))
    sample = derived(checked, measured(impedance_ohm=180.0))
    before_rf = phase in BEFORE_RF
    assert sample.result_age_s == (90.0 if before_rf else None)
    compared = (sample.impedance_high_pct, sample.impedance_low_pct, sample.tissue_high_pct)
    assert compared == ((approx(90.0), approx(90.0), approx(100.0 * 100.0 / 120.0)) if before_rf else (None,) * 3)
    assert (sample.electrode_open is None) == (phase is not Phase.ANAESTHETIC_WAIT)


@pytest.mark.parametrize("phase", [Phase.ARM_READY, Phase.ANAESTHETIC_WAIT])
@pytest.mark.parametrize("change", [one(reference=None), medium(Medium.LOAD)])
def test_without_a_reference_and_in_a_load_no_impedance_is_compared(phase: Phase, change: Change) -> None:
    sample = derived(CHECKED, one(phase=phase, since_ns=-(10**12)), change, mean=Mean(1, 90.0, 37.0))
    assert signals(sample) == QUIET._replace(electrode_changed=0.0)


def test_before_a_check_no_result_ages_and_an_old_impedance_is_not_compared() -> None:
    sample = derived(CHECKED, measured(impedance_fresh=False))
    assert (sample.result_age_s, sample.impedance_high_pct, sample.tissue_high_pct) == (None, None, None)


@pytest.mark.parametrize(
    ("tip_c", "high", "low"),
    [
        (37.0, 1.0, 1.0),
        (37.05, 1.00035, 1.00125),
        (47.0, 1.07, 1.25),
        (57.0, 1.14, 1.5),
        (67.0, 1.14, 1.75),
        (27.0, 0.75, 0.93),
    ],
)
def test_warmth_is_allowed_for_by_its_least_and_its_most(tip_c: float, high: float, low: float) -> None:
    sample = derived(CHECKED, measured(temperature_c=tip_c, impedance_ohm=260.0))
    assert sample.impedance_high_pct == approx(130.0 * high)
    assert sample.impedance_low_pct == approx(130.0 * low)
    assert sample.tissue_high_pct == approx(150.0 * high)


@pytest.mark.parametrize(
    ("fluid", "ago_s", "tissue_pct"),
    [(0.5, 0, 150.0), (0.5, 60, 100.0), (0.5, 120, 75.0), (0.5, 240, 75.0), (0.0, 99, 150.0)],
)
def test_fluid_is_taken_up_for_two_minutes(fluid: float, ago_s: int, tissue_pct: float) -> None:
    wet = one(reference=REFERENCE._replace(fluid=fluid, after_ns=NOW - ago_s * S))
    sample = derived(CHECKED, wet, measured(impedance_ohm=260.0))
    assert sample.tissue_high_pct == approx(tissue_pct)
    assert sample.impedance_high_pct == approx(130.0)


@pytest.mark.parametrize(("after_ohm", "tells"), [(110.0, True), (109.9, False), (70.0, False)])
def test_a_tissue_s_share_of_less_than_30_ohm_tells_nothing(after_ohm: float, tells: bool) -> None:
    sample = derived(CHECKED, one(reference=REFERENCE._replace(after_ohm=after_ohm)), measured(impedance_ohm=110.0))
    assert sample.tissue_high_pct == (approx(100.0) if tells else None)
    assert sample.impedance_low_pct == approx(100.0 * 110.0 / after_ohm)


# injection


WAITING = one(phase=Phase.ANAESTHETIC_WAIT, reference=REFERENCE, since_ns=0)


@pytest.mark.parametrize(
    ("fields", "open_"),
    [
        ({"impedance_ohm": 1200.0}, 0.0),
        ({"impedance_ohm": 1200.1}, 1.0),
        ({"impedance_ohm": NAN}, 1.0),
        ({"impedance_ohm": NAN, "impedance_fresh": False}, 0.0),
    ],
)
def test_an_electrode_is_open_by_a_fresh_impedance_that_no_tissue_has(fields: dict[str, float], open_: float) -> None:
    sample = derived(WAITING, measured(**fields))
    assert sample.electrode_open == open_
    assert sample.injection_change_pct is None


@pytest.mark.parametrize(
    ("series_ohm", "mean_ohm", "pct"),
    [(80.0, 150.0, -50.0), (80.0, 248.0, 20.0), (219.95, 220.1, 200.0), (220.0, 200.0, NAN), (230.0, 200.0, NAN)],
)
def test_an_injection_changes_the_tissue_s_share_since_the_check(
    series_ohm: float, mean_ohm: float, pct: float
) -> None:
    before = one(reference=REFERENCE._replace(series_ohm=series_ohm))
    sample = derived(WAITING, before, mean=Mean(2, 2 * mean_ohm, 74.0))
    assert sample.injection_change_pct == approx(pct)
