"""Drawings of lesions: what is near stays apart, and no peak is lost."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfctl.report.plot import BREAK_NS, SECTIONS, spread, stretches, ticks

PLACES = st.lists(st.floats(0.0, 100.0), max_size=12)


@given(PLACES)
def test_words_that_belong_to_the_same_place_stand_apart_within_the_paper(wanted):
    placed = spread(wanted, 4.6, 0.0, 100.0)
    assert all(-0.02 <= place <= 100.0 for place in placed)
    assert all(after - before >= 4.58 for before, after in pairwise(sorted(placed)))


@given(PLACES)
def test_they_keep_the_order_of_their_places(wanted):
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = spread(wanted, 4.6, 0.0, 100.0)
    assert [placed[index] for index in order] == sorted(placed)


def test_a_word_with_room_stands_exactly_at_its_place():
    assert spread([50.0, 10.0], 4.6, 0.0, 100.0) == [50.0, 10.0]


def test_too_many_words_share_what_room_there_is():
    placed = spread([5.0] * 30, 4.6, 0.0, 100.0)
    assert sorted(placed) == placed
    assert placed[0] >= -0.02
    assert placed[-1] == 100.0


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 100.0, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
        (-5.0, 141.8, [0.0, 50.0, 100.0]),
        (36.9, 37.1, [36.9, 36.95, 37.0, 37.05, 37.1]),
    ],
)
def test_an_axis_has_round_numbers(low, high, expected):
    assert ticks(low, high, 5) == pytest.approx(expected)


def test_thinning_keeps_the_peak_of_a_single_sample():
    samples = [(index * 1000, 80.0) for index in range(50 * SECTIONS)]
    samples[12_345] = (12_345_000, 93.5)
    (curve,) = stretches(samples)
    assert len(curve) <= 4 * SECTIONS + 4
    assert (12_345_000, 93.5) in curve
    assert curve == sorted(curve)
    assert curve[0] == samples[0]
    assert curve[-1] == samples[-1]


def test_a_curve_has_a_gap_where_nothing_was_measured():
    before = [(index * 50_000_000, 37.0) for index in range(10)]
    open_circuit = [(500_000_000, math.nan)]
    after = [(550_000_000 + index * 50_000_000, 38.0) for index in range(10)]
    silence = [(after[-1][0] + BREAK_NS + 1, 39.0)]
    assert [len(stretch) for stretch in stretches(before + open_circuit + after + silence)] == [10, 10, 1]
    assert stretches([]) == []
