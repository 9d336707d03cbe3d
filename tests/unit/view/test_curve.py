"""Curves in braille."""

from __future__ import annotations

from rfctl.cli.view.curve import plot


def test_a_rising_line_goes_from_the_lower_left_to_the_upper_right() -> None:
    points = [(float(x), float(x)) for x in range(4)]
    assert plot(points, start=0, end=3, low=0, high=3, columns=2, rows=1) == ["⡠⠊"]


def test_a_jump_is_drawn_as_a_wall() -> None:
    assert plot([(0.0, 0.0), (1.0, 3.0)], start=0, end=1, low=0, high=3, columns=1, rows=1) == ["⡸"]


def test_where_nothing_is_known_there_is_a_gap() -> None:
    points = [(0.0, 0.0), (1.0, None), (2.0, 0.0), (3.0, None)]
    assert plot(points, start=0, end=3, low=0, high=3, columns=2, rows=1) == ["⡀⡀"]


def test_what_lies_beyond_the_scale_is_drawn_at_its_edge_and_what_is_older_not_at_all() -> None:
    points = [(-5.0, 1.0), (0.0, 900.0), (3.0, -900.0)]
    lines = plot(points[:2], start=0, end=3, low=0, high=3, columns=2, rows=1)
    assert lines == ["⠁⠀"]
    assert plot(points[:1], start=0, end=3, low=0, high=3, columns=2, rows=1) == ["⠀⠀"]


def test_a_marked_value_is_a_dotted_line() -> None:
    assert plot([], start=0, end=7, low=0, high=3, columns=4, rows=1, mark=3.0) == ["⠁⠀⠁⠀"]
