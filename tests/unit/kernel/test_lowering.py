"""The power limit near the set temperature: when it is lowered, to what, and what else is narrowed with it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from rfctl.kernel.actions import f32
from rfctl.kernel.effects import LowerLimit
from rfctl.kernel.expected import allowed_power_w, hold_power_w
from rfctl.kernel.lowering import limit_again, lower_limits
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.state import KernelState, Reference
from rfctl.kernel.thermal import Thermal
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium
from tests.unit.kernel.bench import ELECTRODE, at
from tests.unit.kernel.turned import Change, medium, one, tip, treating, two

SERIES_OHM, FULL_W = 80.0, 45.0
TISSUE_W = allowed_power_w(ELECTRODE, 80.0, hold_power_w(ELECTRODE, 43.0, 0.0), treating().setup.budget)
"""What may flow in the tissue near 80 degC."""
REFERENCE = Reference(200.0, 37.0, SERIES_OHM, 200.0, 37.0)
INTENDED = Permit(3, PermitKind.LESION, Envelope(temperature_c=80.0, power_w=FULL_W, duration_s=60.0), 7)


@cache
def _heating() -> KernelState:
    state = treating()
    for change in (
        tip(60.0, 65.0, 70.0),
        one(phase=Phase.RAMP, reference=REFERENCE, intended=INTENDED, power_limit_w=FULL_W, thermal=Thermal(pauses=1)),
    ):
        state = change(state)
    return state


def heating(*changes: Change) -> KernelState:
    """The first channel at the temperature from which the limit is lowered."""
    state = _heating()
    for change in changes:
        state = change(state)
    return state


def terminal_w(impedance_ohm: float) -> float:
    return f32(TISSUE_W * impedance_ohm / (impedance_ohm - SERIES_OHM))


def newest(**fields: float | None) -> Change:
    def change(state: KernelState) -> KernelState:
        history = state.channels[0].history
        return one(history=(*history[:-1], history[-1]._replace(**fields)))(state)

    return change


@pytest.mark.parametrize("phase", [Phase.RAMP, Phase.HOLD])
def test_from_10_k_below_the_set_temperature_limit_and_envelope_are_no_wider_than_the_time_budget(phase: Phase) -> None:
    state, effects = lower_limits(heating(one(phase=phase)))
    channel = state.channels[0]
    assert effects == (LowerLimit(1, terminal_w(200.0)),)
    assert channel.power_limit_w == terminal_w(200.0) < FULL_W
    assert channel.intended == replace(INTENDED, envelope=replace(INTENDED.envelope, power_w=terminal_w(200.0)))
    assert channel.thermal == Thermal(pauses=1, lowered=True)
    assert lower_limits(state) == (state, ())


@pytest.mark.parametrize(
    ("half_ohm", "impedance_ohm"),
    [(None, 200.0), (160.0, 160.0 + SERIES_OHM)],
)
def test_it_is_lowered_by_the_impedance_of_now_averaged_where_that_can_be(
    half_ohm: float | None, impedance_ohm: float
) -> None:
    _, effects = lower_limits(heating(newest(impedance_half_ohm=half_ohm)))
    assert effects == (LowerLimit(1, terminal_w(impedance_ohm)),)


@pytest.mark.parametrize(
    "change",
    [
        medium(Medium.LOAD),
        tip(90.0, 90.0, 69.99),
        *(one(phase=phase) for phase in sorted(HEATING - {Phase.RAMP, Phase.HOLD} | {Phase.FIRING, Phase.LESION_OFF})),
        one(thermal=Thermal(lowered=True)),
    ],
)
def test_nothing_is_lowered_without_heat_near_the_set_temperature_or_twice(change: Change) -> None:
    state = heating(change)
    assert lower_limits(state) == (state, ())


@pytest.mark.parametrize(
    ("limit_w", "lowered"), [(math.nextafter(terminal_w(200.0), 99.0), True), (terminal_w(200.0), False), (5.0, False)]
)
def test_a_limit_that_is_narrow_enough_stays_as_it_is(limit_w: float, lowered: bool) -> None:
    before = heating(one(power_limit_w=limit_w))
    state, effects = lower_limits(before)
    assert bool(effects) == lowered
    if not lowered:
        memory = before.channels[0].thermal._replace(lowered=True)
        assert state == one(thermal=memory)(before)


@pytest.mark.parametrize("temperature_c", [70.0, 50.0])
def test_a_limit_of_which_nobody_knows_whether_it_was_written_is_written_again_and_once(temperature_c: float) -> None:
    before = heating(one(power_limit_w=7.0, thermal=Thermal(pauses=1, lowered=True)), tip(temperature_c))
    asked = limit_again(before, 1)
    assert asked == one(thermal=Thermal(pauses=1, lowered=True, limit_due=True))(before)
    assert lower_limits(asked) == (before, (LowerLimit(1, 7.0),))
    assert limit_again(before, 2).channels[0] == before.channels[0]
    assert limit_again(before, 2).channels[1].thermal.limit_due


@pytest.mark.parametrize("first", [one(), one(phase=Phase.COOLING), tip(60.0), one(power_limit_w=5.0)])
def test_each_channel_that_heats_has_its_own(first: Change) -> None:
    ready = heating().channels[0]
    state, effects = lower_limits(heating(two(**(ready._asdict() | {"site": 1})), first))
    assert effects[-1] == LowerLimit(2, terminal_w(200.0))
    assert state.channels[1].power_limit_w == terminal_w(200.0)
    assert [effect.channel for effect in effects if isinstance(effect, LowerLimit)] in ([1, 2], [2])


def test_the_station_s_own_control_aims_within_the_lowered_limit() -> None:
    regulator = at(Phase.RAMP, SetPoint.VOLTAGE).channel.regulator
    assert regulator is not None
    state, _ = lower_limits(heating(one(regulator=regulator)))
    wanted = regulator._replace(aim=regulator.aim._replace(limit_w=terminal_w(200.0)))
    assert state.channels[0].regulator == wanted
