"""Curves in braille characters: two dots across and four down in each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLANK = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a cell: row, then column."""
MARK_EVERY = 4
"""A marked value is a dotted line with a dot in every so many columns, so that it is never taken for the curve."""


def plot(
    points: Sequence[tuple[float, float | None]],
    *,
    start: float,
    end: float,
    low: float,
    high: float,
    columns: int,
    rows: int,
    mark: float | None = None,
) -> list[str]:
    """Draw a curve.

    Args:
        points: (x, y) by rising x; where y is None the curve has a gap.
        start: x at the left edge; what lies before is not drawn.
        end: x at the right edge.
        low: y at the bottom; what lies beyond bottom or top is drawn at the edge.
        high: y at the top.
        columns: Width in cells.
        rows: Height in cells.
        mark: A value to mark by a dotted line.

    Returns:
        ``rows`` lines of ``columns`` characters, the top one first.
    """
    cells = [[0] * columns for _ in range(rows)]
    across, down = columns * 2 - 1, rows * 4 - 1

    def level(y: float) -> int:
        share = (min(max(y, low), high) - low) / (high - low)
        return down - round(share * down)

    def put(x: int, y: int) -> None:
        cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]

    if mark is not None:
        for x in range(0, across + 1, MARK_EVERY):
            put(x, level(mark))
    before: int | None = None
    for x_value, y_value in points:
        if y_value is None or not start <= x_value <= end:
            before = None
            continue
        x, y = round((x_value - start) / (end - start) * across), level(y_value)
        put(x, y)
        if before is not None:
            for between in range(min(before, y) + 1, max(before, y)):
                put(x, between)
        before = y
    return ["".join(chr(BLANK + bits) for bits in row) for row in cells]
