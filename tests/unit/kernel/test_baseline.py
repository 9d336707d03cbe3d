"""Where a tip must be before RF: the windows of a first and of a later lesion, and heat that is still coming."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.kernel.baseline import WARM_FOR_NS, too_hot_to_begin, waits_for
from rfctl.kernel.state import KernelState
from rfctl.kernel.thermal import Half, Thermal
from rfctl.model.plan import Medium
from tests.unit.kernel.turned import Change, medium, one, tip, treating, two

NOW = 1_000_000_000_000
COLDER_C, STEP_K = 20.0, 0.5
FIRST = {Medium.TISSUE: (30.0, 40.0), Medium.PHANTOM: (15.0, 40.0)}
LATER = {Medium.TISSUE: (30.0, 45.0), Medium.PHANTOM: (15.0, 45.0)}


def state(*changes: Change) -> KernelState:
    found = treating()
    for change in changes:
        found = change(found)
    return found


def coarse(state: KernelState) -> KernelState:
    """The display shows half degrees."""
    return state._replace(setup=replace(state.setup, resolution_k=(STEP_K, 0.1)))


def heated(ago_ns: int, rise_k: float = 0.0, count: int = 20) -> Change:
    """So long ago; the mean of the last 5 s is so much above that of the 5 s before."""
    halves = tuple(Half(at, 0.0, 36.0 + rise_k * (at >= count - 10)) for at in range(count))
    return one(thermal=Thermal(heated_ns=NOW - ago_ns, halves=halves))


@pytest.mark.parametrize("where", [Medium.TISSUE, Medium.PHANTOM])
@pytest.mark.parametrize("later", [False, True])
def test_a_tip_waits_below_and_above_its_window_and_begins_at_both_ends_of_it(where: Medium, later: bool) -> None:
    low_c, high_c = (LATER if later else FIRST)[where]
    before = heated(WARM_FOR_NS - 1 if later else WARM_FOR_NS)
    for reading_c, inside, hot in (
        (low_c - 0.1, False, False),
        (low_c, True, False),
        (high_c, True, False),
        (high_c + 0.1, False, True),
    ):
        asked = state(medium(where), before, tip(10.0, 60.0, reading_c))
        words = f"the tip reads {reading_c:.1f} degC; RF begins from {low_c:g} to {high_c:g} degC"
        assert waits_for(asked, 1, NOW) == ("" if inside else words)
        assert too_hot_to_begin(asked, 1, NOW) == (words if hot else "")


@pytest.mark.parametrize("change", [medium(Medium.LOAD), one(history=())])
def test_a_load_and_a_channel_without_a_reading_wait_for_nothing(change: Change) -> None:
    asked = state(tip(90.0), change)
    assert waits_for(asked, 1, NOW) == too_hot_to_begin(asked, 1, NOW) == ""


def test_each_channel_waits_for_its_own_tip() -> None:
    asked = state(tip(36.0), two(history=treating().channels[1].history[:1]))
    asked = state(tip(50.0), lambda hot: asked._replace(channels=(asked.channels[0], hot.channels[0])))
    assert [waits_for(asked, number, NOW) == "" for number in (1, 2)] == [True, False]
    assert [too_hot_to_begin(asked, number, NOW) == "" for number in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        (heated(0, 0.5 * STEP_K), False),
        (heated(0, 0.5 * STEP_K + 0.01), True),
        (heated(WARM_FOR_NS - 1, 0.5 * STEP_K + 0.01), True),
        (heated(WARM_FOR_NS, 0.5 * STEP_K + 0.01), False),
        (heated(NOW + 1, 0.5 * STEP_K + 0.01), False),
        (heated(0, -5.0), False),
        (heated(0, 0.0, 19), True),
        (heated(0, 0.0, 0), True),
    ],
)
def test_after_a_lesion_the_tip_must_not_be_warming(change: Change, waits: bool) -> None:
    words = waits_for(state(coarse, tip(36.0), change), 1, NOW)
    assert ("heat is still coming" in words) == waits


@pytest.mark.parametrize(("ago_ns", "waits"), [(NOW, True), (NOW - 5, True), (NOW + 1, False)])
def test_heat_counts_from_the_first_moment_of_the_clock_and_never_is_none(ago_ns: int, waits: bool) -> None:
    """A station's clock may be young: 0 is a time, and before it nothing was heated."""
    at_ns = WARM_FOR_NS - 1
    warm = state(tip(36.0), heated(ago_ns, count=0))
    assert bool(waits_for(warm, 1, at_ns)) == waits


def test_heat_of_a_neighbour_warms_too() -> None:
    warm = two(thermal=Thermal(heated_ns=NOW - 5))
    assert "heat is still coming" in waits_for(state(tip(36.0), warm), 1, NOW)
    assert waits_for(state(tip(42.0), warm, heated(NOW + 1)), 1, NOW) == ""
    assert too_hot_to_begin(state(tip(42.0), warm), 1, NOW) == ""
    assert too_hot_to_begin(state(tip(42.0)), 1, NOW)
