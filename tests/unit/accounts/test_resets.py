"""Reset classes: each demand of each class is really demanded, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfctl.accounts.resets import (
    DEMANDS,
    IMPEDANCE_WITHIN,
    SECOND_PERSON_NS,
    Demand,
    Given,
    Latch,
    ResetClass,
    class_in_force,
    members_of,
    missing,
)
from rfctl.accounts.roles import Person, Role
from rfctl.model.plan import Medium

NOW_NS = 10**15
ANNA = Person("anna", frozenset({Role.OPERATOR}), NOW_NS - 3600 * 10**9)
CARLA = Person("carla", frozenset({Role.SECOND_PERSON}), NOW_NS - 10**9)
ALL = Given(
    cause_gone=True,
    by=ANNA,
    reason="lead was plugged in again",
    self_test_passed=True,
    new_setup=True,
    stimulation_checked=True,
    physician="Dr. Weber",
    impedance_ohm=114.0,
    reference_ohm=100.0,
    on_report=True,
    service="thermocouple lead replaced",
    second=CARLA,
)
WITHOUT = {
    Demand.CAUSE_GONE: [{"cause_gone": False}],
    Demand.ACKNOWLEDGED: [
        {"by": None},
        {"by": replace(ANNA, roles=frozenset({Role.VIEWER}))},
        {"by": replace(ANNA, roles=frozenset({Role.ENGINEER}))},
    ],
    Demand.REASON: [{"reason": ""}, {"reason": "ok"}, {"reason": "   ok        "}],
    Demand.SELF_TEST: [{"self_test_passed": False}],
    Demand.NEW_SETUP: [{"new_setup": False}],
    Demand.NEW_STIMULATION_CHECK: [{"stimulation_checked": False}],
    Demand.IMAGING: [{"physician": ""}, {"physician": "  "}],
    Demand.IMPEDANCE: [
        {"impedance_ohm": 115.1},
        {"impedance_ohm": 84.9},
        {"impedance_ohm": float("nan")},
        {"reference_ohm": float("nan")},
        {"impedance_ohm": float("inf")},
        {"reference_ohm": -100.0},
    ],
    Demand.ON_REPORT: [{"on_report": False}],
    Demand.SERVICE: [{"service": ""}, {"service": "done"}],
    Demand.SECOND_PERSON: [
        {"second": None},
        {"second": replace(CARLA, name="anna")},
        {"second": replace(CARLA, roles=frozenset({Role.OPERATOR, Role.ENGINEER}))},
        {"second": replace(CARLA, proved_ns=NOW_NS - SECOND_PERSON_NS - 1)},
        {"second": replace(CARLA, proved_ns=NOW_NS + 1)},
    ],
}
EXPECTED = {
    ResetClass.R0: set(),
    ResetClass.R1: {Demand.CAUSE_GONE, Demand.ACKNOWLEDGED},
    ResetClass.R2: {Demand.CAUSE_GONE, Demand.ACKNOWLEDGED, Demand.REASON, Demand.SELF_TEST},
}
EXPECTED |= {
    ResetClass.R3A: EXPECTED[ResetClass.R2] | {Demand.NEW_SETUP, Demand.NEW_STIMULATION_CHECK},
    ResetClass.R3B: EXPECTED[ResetClass.R2] | {Demand.IMAGING, Demand.IMPEDANCE, Demand.ON_REPORT},
    ResetClass.R4: EXPECTED[ResetClass.R2] | {Demand.SERVICE, Demand.SECOND_PERSON},
}


def lacking(reset_class: ResetClass, given: Given) -> tuple[Demand, ...]:
    return missing(reset_class, given, NOW_NS, patient=True)


@pytest.mark.parametrize("reset_class", ResetClass)
def test_each_class_demands_what_the_hazard_table_says(reset_class: ResetClass) -> None:
    assert set(DEMANDS[reset_class]) == EXPECTED[reset_class]
    assert lacking(reset_class, ALL) == ()


@pytest.mark.parametrize("reset_class", ResetClass)
@pytest.mark.parametrize("demand", Demand)
def test_each_demand_is_missing_alone_where_it_is_demanded(reset_class: ResetClass, demand: Demand) -> None:
    expected = (demand,) if demand in EXPECTED[reset_class] else ()
    for lack in WITHOUT[demand]:
        found = lacking(reset_class, replace(ALL, **lack))
        if lack == {"by": None} and reset_class is ResetClass.R4:
            assert found == (Demand.ACKNOWLEDGED, Demand.SECOND_PERSON)  # beside whom?
        else:
            assert found == expected, lack


@pytest.mark.parametrize("reset_class", ResetClass)
def test_nothing_given_lacks_everything_in_the_order_of_the_table(reset_class: ResetClass) -> None:
    assert lacking(reset_class, Given()) == DEMANDS[reset_class]


def test_the_bounds_themselves_are_allowed() -> None:
    edge = replace(ALL, impedance_ohm=100.0 * (1 + IMPEDANCE_WITHIN) - 1e-9)
    assert lacking(ResetClass.R3B, edge) == ()
    edge = replace(ALL, second=replace(CARLA, proved_ns=NOW_NS - SECOND_PERSON_NS))
    assert lacking(ResetClass.R4, edge) == ()


def test_an_engineer_resets_where_there_is_no_patient() -> None:
    given = replace(ALL, by=replace(ANNA, roles=frozenset({Role.ENGINEER})))
    assert missing(ResetClass.R2, given, NOW_NS, patient=False) == ()


@pytest.mark.parametrize("medium", Medium)
@pytest.mark.parametrize("anaesthetic_or_heat", [False, True])
def test_r3_depends_on_what_was_done_and_on_what_the_electrode_stands_in(
    medium: Medium, anaesthetic_or_heat: bool
) -> None:
    found = class_in_force(Latch.R3, medium, anaesthetic_or_heat=anaesthetic_or_heat)
    in_tissue = ResetClass.R3B if anaesthetic_or_heat else ResetClass.R3A
    assert found is (in_tissue if medium is Medium.TISSUE else ResetClass.R2)
    for latch in set(Latch) - {Latch.R3}:
        assert class_in_force(latch, medium, anaesthetic_or_heat=anaesthetic_or_heat).value == latch.value


def test_a_reset_in_the_record_names_everybody_with_role_and_reason() -> None:
    assert members_of(ResetClass.R4, ALL) == {
        "class": "R4",
        "actor": "anna",
        "roles": ["operator"],
        "reason": "lead was plugged in again",
        "physician": "Dr. Weber",
        "service": "thermocouple lead replaced",
        "second": {"actor": "carla", "roles": ["second-person"]},
    }
