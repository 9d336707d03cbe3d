"""Signals of meters, modes, a tip that warms without power and an arm that waits, each at the edge of what it says."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfctl.kernel.phase import HEATING, LESION, Phase
from rfctl.kernel.signals_supervision import PLACED
from rfctl.kernel.state import KernelState
from rfctl.model.capability import SetPoint
from rfctl.model.reading import Mode
from tests.unit.kernel.derived import MS, before, derived
from tests.unit.kernel.turned import FIGURES, NOW, Change, S, measured, one, two

NAN = math.nan


def station(**fields: object) -> Change:
    """The set-up is otherwise."""
    return lambda state: state._replace(setup=replace(state.setup, **fields))


def heats(on_ms: int = 5000, phase: Phase = Phase.RAMP) -> dict[str, object]:
    return {"phase": phase, "figures": FIGURES._replace(rf_on_ns=NOW - on_ms * MS)}


# power by two meters


METERS = measured(voltage_v_rms=50.0, current_ma_rms=200.0, power_w=7.0)
POWERS = tuple(
    (ms, {"power_w": power_w, "apparent_power_w": apparent_w})
    for ms, power_w, apparent_w in ((500, 90.0, 10.0), (499, 12.0, 13.0), (50, 5.0, 7.0))
)


@pytest.mark.parametrize("phase", sorted(HEATING))
@pytest.mark.parametrize(("on_ms", "known"), [(499, False), (500, True), (9000, True)])
def test_power_and_v_times_i_are_compared_by_their_means_of_half_a_second(
    phase: Phase, on_ms: int, known: bool
) -> None:
    sample = derived(one(**heats(on_ms, phase)), before(*POWERS), METERS)
    assert sample.apparent_power_w == 10.0
    assert (sample.power_mean_w, sample.power_difference_w) == ((8.0, 2.0) if known else (None, None))


def test_the_difference_has_no_sign() -> None:
    sample = derived(one(**heats()), before((600, {})), METERS, measured(power_w=12.5))
    assert (sample.power_mean_w, sample.power_difference_w) == (12.5, 2.5)


@pytest.mark.parametrize(
    "change",
    [station(voltage_measured=False), one(figures=None), one(phase=Phase.FIRING), one(phase=Phase.LESION_OFF)],
)
def test_without_heating_or_a_second_meter_nothing_is_compared(change: Change) -> None:
    sample = derived(one(**heats()), before(*POWERS), METERS, change)
    assert (sample.power_mean_w, sample.power_difference_w) == (None, None)


@pytest.mark.parametrize("phase", [*sorted(LESION), Phase.ARMED, Phase.COOLING])
def test_the_current_is_told_in_a_lesion(phase: Phase) -> None:
    assert derived(one(phase=phase), METERS).current_a == (pytest.approx(0.2) if phase in LESION else None)


# mode


@pytest.mark.parametrize("phase", [*sorted(HEATING), Phase.FIRING, Phase.COOLING])
@pytest.mark.parametrize(
    ("set_point", "mode"),
    [
        (None, Mode.LESION_TEMPERATURE),
        (SetPoint.VOLTAGE, Mode.LESION_VOLTAGE),
        (SetPoint.POWER, Mode.LESION_POWER),
    ],
)
def test_the_mode_is_that_of_what_is_set(phase: Phase, set_point: SetPoint | None, mode: Mode) -> None:
    for told in (*Mode, None):
        sample = derived(station(set_point=set_point), one(phase=phase), measured(mode=told))
        wrong = None if told is None or phase not in HEATING else float(told is not mode)
        assert sample.mode_wrong == wrong


# a tip that warms while another channel heats


BESIDE = two(**heats(1001))
RESTED = one(phase=Phase.COOLING, off_ns=NOW - 3 * S)
SECOND = [1000, 950, 900, 850, 800, 200, 150, 100, 50]
"""Five samples at its beginning; four at its end, and the newest."""
AT_C = [40.0, 40.1, 40.2, 40.3, 40.4, 42.0, 42.1, 42.2, 42.3]


def warms(*changes: Change) -> float | None:
    history = before(*((ms, {"temperature_c": celsius}) for ms, celsius in zip(SECOND, AT_C, strict=True)))
    return derived(BESIDE, RESTED, history, measured(temperature_c=42.4), *changes).idle_slope_k_per_s


def longer(*ms: int) -> Change:
    """Samples between the two ends, or before them, of a temperature that tells nothing."""

    def change(state: KernelState) -> KernelState:
        history = state.channels[0].history
        more = [history[0]._replace(now_ns=NOW - each * MS, temperature_c=90.0) for each in ms]
        return one(history=tuple(sorted((*history, *more))))(state)

    return change


def test_the_slope_is_that_between_the_means_of_five_samples_at_each_end_of_the_second() -> None:
    assert warms(longer(500)) == pytest.approx((42.2 - 40.2) / 0.8)
    assert warms(longer(600, 500, 400)) == pytest.approx((42.2 - 40.2) / 0.8)


@pytest.mark.parametrize("phase", list(Phase))
def test_it_is_asked_where_the_electrode_lies_and_nobody_handles_it(phase: Phase) -> None:
    assert (warms(longer(500), one(phase=phase)) is None) == (phase not in PLACED)


@pytest.mark.parametrize(
    ("change", "known"),
    [
        (one(off_ns=NOW - 3 * S + 1), False),
        (measured(power_w=0.199), True),
        (measured(power_w=0.2), False),
        (measured(2, power_w=5.0), True),
        (two(**heats(1000)), False),
        (two(**heats(1001, Phase.HOLD)), True),
        (two(**heats(1001, Phase.PROBE)), True),
        (two(**heats(1001, Phase.LESION_OFF)), False),
        (two(phase=Phase.RAMP, figures=None), False),
    ],
)
def test_it_is_asked_of_a_tip_without_power_of_its_own_beside_one_that_has_long_been_heating(
    change: Change, known: bool
) -> None:
    assert (warms(longer(500), change) is not None) == known


def test_it_needs_a_second_of_samples() -> None:
    assert warms() is None
    history = [(ms, {"temperature_c": 37.0}) for ms in (999, 900, 800, 700, 600, 500, 400, 300, 200, 100)]
    assert derived(BESIDE, RESTED, before(*history)).idle_slope_k_per_s is None
    history[0] = (1000, {"temperature_c": 37.0})
    assert derived(BESIDE, RESTED, before(*history)).idle_slope_k_per_s == pytest.approx(0.0)


# arm


@pytest.mark.parametrize(("token", "armed_s"), [(77, 2.5), (1, 2.5), (0, math.inf)])
def test_an_arm_is_as_old_as_its_token(token: int, armed_s: float) -> None:
    armed = one(phase=Phase.ARMED, token=token, since_ns=NOW - 2_500_000_000)
    assert derived(armed).armed_s == armed_s
    assert derived(armed, one(phase=Phase.ARMING)).armed_s is None
