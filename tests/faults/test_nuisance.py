"""Normal procedures through the real kernel: nothing trips. The whole campaign is ``make nuisance``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from benchmarks import nuisance
from benchmarks.nuisance_plant import compute, responses
from rfctl.kernel.limits import ROWS
from rfctl.model.electrode import electrode_table

if TYPE_CHECKING:
    from tests.proofs import Show

ELECTRODES = len(electrode_table())
EACH_ELECTRODE = [n + ELECTRODES * (n % 3) + 3 * ELECTRODES * (n // 3 % 2) for n in range(ELECTRODES)]
"""Every electrode once, with every set temperature and both start temperatures."""
ONCE_FOUND = [6544, 7458]
"""A refusal and a trip of earlier tables, of 10,000: docs/decisions/0012-nuisance-campaign.md."""
SUBSET = [*EACH_ELECTRODE, *range(6 * ELECTRODES, 6 * ELECTRODES + 10), *ONCE_FOUND]


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    return [nuisance.run(number) for number in SUBSET]


def test_a_normal_procedure_is_complete_or_refused_by_its_plan(results: list[dict[str, Any]], shows: Show) -> None:
    told = nuisance.summary(results, nuisance.sources())
    assert told["nuisances"] == []
    assert told["outcomes"]["complete"] >= 0.8 * len(SUBSET)
    for each in filter(None, (told, nuisance.committed())):  # thousands, where they were run on these sources
        for row in ROWS:
            shows(f"row.{row.code}", procedures=each["procedures"], trips=each["by_row"][row.code])


def test_a_limit_that_is_too_tight_is_found() -> None:
    tight = tuple(row._replace(factor=0.5) if row.code == "power_cap" else row for row in ROWS)
    with patch.object(nuisance, "ROWS", tight):
        found = [nuisance.run(number) for number in SUBSET[3:6]]
    assert {result.get("code") for result in found if nuisance.is_nuisance(result)} == {"power_cap"}


def test_a_procedure_is_the_same_whenever_it_is_carried_out(results: list[dict[str, Any]]) -> None:
    assert nuisance.run(SUBSET[1]) == results[1]


def test_the_variants_are_those_of_the_limits() -> None:
    variants = [nuisance.variant(number) for number in range(2000)]
    assert {electrode for what in variants for electrode in what.electrodes} == set(electrode_table())
    assert {what.set_c for what in variants} == {60.0, 80.0, 90.0}
    assert {what.start_c for what in variants} == {22.0, 37.0}
    assert {what.resolution_k for what in variants} == {0.1, 1.0}
    assert {len(what.electrodes) for what in variants} == {1, 4}
    assert {what.control for what in variants} == {"device", "voltage", "power"}
    assert {what.lesions for what in variants} == {1, 2}
    for name, low, high in (("ramp_c_per_s", 1, 5), ("sigma", 0.36, 0.60), ("series_ohm", 0, 200), ("fluid", 0, 0.4)):
        values = [getattr(what, name) for what in variants]
        assert low <= min(values) <= low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) <= max(values) <= high, name


def test_only_a_plan_that_cannot_be_held_may_be_refused() -> None:
    refused = {"outcome": "refused", "cap_over_expected": 1.79}
    assert not nuisance.is_nuisance(refused)
    assert nuisance.is_nuisance({**refused, "cap_over_expected": nuisance.CAP_OVER_EXPECTED})
    assert nuisance.is_nuisance({"outcome": "tripped"})
    thin = next(w for w in map(nuisance.variant, range(2000)) if w.electrodes[0] == (22, 5.0) and w.set_c == 90.0)
    assert replace(thin, start_c=22.0, fluid=0.6, series_ohm=200.0, sigma=0.6).cap_over_expected < 1.8


def test_the_cache_is_what_the_field_model_says() -> None:
    computed = compute("perfused", 20, 5.0)
    cached = responses()["perfused", 20, 5.0]
    assert computed["tip"] == pytest.approx(cached.tip, rel=1e-3, abs=1e-3)
    assert computed["conductance"] == pytest.approx(cached.conductance, rel=1e-3, abs=1e-6)
