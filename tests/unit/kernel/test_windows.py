"""Windows of rows: how long a value must be beyond its limit."""

from __future__ import annotations

from rfctl.kernel.row import Window, sustained


def test_a_sustained_window_is_said_in_milliseconds() -> None:
    assert sustained(200) == Window(200_000_000)
