"""The QR code of a head: dark runs that lie where the standard's corners are, inside a white border."""

from __future__ import annotations

import pytest

from rfctl.report.head_code import QUIET, head_line, qr_code


@pytest.mark.parametrize("length", [10, 60, 126])
def test_the_runs_are_the_code_inside_its_quiet_zone(length: int) -> None:
    code = qr_code(head_line("rfctl/" + "x" * (length - 6), 999_999_999_999_999, "0123456789abcdef" * 4))
    modules, runs = code["modules"], code["runs"]
    assert isinstance(modules, int)
    assert isinstance(runs, list)
    dark = {(x + step, y) for x, y, run in runs for step in range(run)}
    assert len(dark) == sum(run for _, _, run in runs)
    assert all(QUIET <= x < modules - QUIET and QUIET <= y < modules - QUIET for x, y in dark)
    finder = {(x, y) for x in range(7) for y in range(7) if max(abs(x - 3), abs(y - 3)) != 2}
    for left, top in ((QUIET, QUIET), (modules - QUIET - 7, QUIET), (QUIET, modules - QUIET - 7)):
        assert {(x - left, y - top) for x, y in dark if 0 <= x - left < 7 and 0 <= y - top < 7} == finder


def test_a_head_line_has_sixteen_digits() -> None:
    assert head_line("rfctl/bench-1", 12, "0123456789abcdef" * 4) == "rfctl/bench-1 12 0123456789abcdef"
