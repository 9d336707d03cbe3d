"""A part of the campaign of every state and every fault: each fault in one state, each state by several."""

from __future__ import annotations

from itertools import cycle

import pytest

from rfctl.station.connection import Connection
from rfctl_sim.catalogue.table import CATALOGUE
from tests.faults.expected import EXPECTED, UNWANTED_S
from tests.faults.states import STATES, Shown, strike, violations

LOOKED_ON_S = 5.0
SHOWN = [name for name, fault in EXPECTED.items() if not fault.not_shown]
CELLS = list(zip(cycle(STATES), SHOWN, strict=False))


def test_every_fault_of_the_catalogue_is_in_the_table() -> None:
    assert list(EXPECTED) == list(CATALOGUE)


def test_the_cells_are_every_fault_and_every_state() -> None:
    assert {fault for _, fault in CELLS} == set(SHOWN)
    assert {state for state, _ in CELLS} == set(STATES)


@pytest.mark.parametrize(("state", "fault"), CELLS)
def test_an_output_is_off_in_time(state: str, fault: str) -> None:
    shown = strike(state, fault, LOOKED_ON_S)
    assert violations(shown) == [], shown


def test_a_station_that_does_not_turn_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay opens all the same, later than a thermocouple may be open."""
    monkeypatch.setattr(Connection, "off", lambda _: None)
    shown = strike("hold", "thermocouple_open", LOOKED_ON_S)
    assert 0.2 < shown.rf_s <= UNWANTED_S
    assert any("RF on for" in violation for violation in violations(shown))


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (Shown("hold", "mute", unwanted_s=0.51), "unwanted"),
        (Shown("hold", "mute", hottest_c=100.0), "tissue"),
        (Shown("hold", "mute", hottest_c=float("nan")), "tissue"),
        (Shown("hold", "mute", left_on=True), "is on when"),
        (Shown("motor stimulation", "mute", stimulation_s=0.51), "stimulation for"),
    ],
)
def test_each_violation_is_named(shown: Shown, words: str) -> None:
    (violation,) = violations(shown)
    assert words in violation
