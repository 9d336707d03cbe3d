"""The printed head of a record: one line, and the same as a QR code, laid out in modules."""

from __future__ import annotations

from itertools import groupby

ERROR_CORRECTION = "m"
"""15 % of the code may be damaged: a fold, a stamp."""
QUIET = 4
"""Modules of white around, as the standard wants."""


def head_line(origin: str, size: int, head_hex: str) -> str:
    """``ORIGIN SIZE HEX16``, which ``rfctl record verify --head`` takes from a file.

    Args:
        origin: Of the record.
        size: Number of records before the end of what the head covers.
        head_hex: The head's hash, hex.
    """
    return f"{origin} {size} {head_hex[:16]}"


def qr_code(text: str) -> dict[str, object]:
    """The code as dark runs.

    Returns:
        ``modules``: its width with the quiet zone; ``runs``: x, y and length of each horizontal run, in modules.
    """
    import segno

    code = segno.make_qr(text, error=ERROR_CORRECTION, boost_error=False)
    runs = []
    for y, row in enumerate(code.matrix):
        x = 0
        for dark, same in groupby(row):
            length = len(list(same))
            if dark:
                runs.append([x + QUIET, y + QUIET, length])
            x += length
    return {"modules": len(code.matrix) + 2 * QUIET, "runs": runs}
