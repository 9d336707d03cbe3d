"""Writes interlock-times.md from what tests/faults/test_interlock_proofs.py measured. Run by ``make docs``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rfctl.kernel.limits import ROWS

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent / "build" / "interlock-times"
PAGE = FOLDER / "interlock-times.md"

HEAD = """\
# How fast each interlock acts

This page is written by `make docs` from a run of `tests/faults/test_interlock_proofs.py`: for every row of the
[interlock table](interlocks.md) a fault of the simulated generator ([what there is](faults.md)) makes the row's
cause, and the whole station on a real socket, in virtual time, has to act. The time is that to *output off* at the
simulator's output stage, whatever the station believes; where no output is on, or none can be turned off, that to the
*verdict*, and of a warning to the *warning*. A cause that grows counts from where it is beyond the row's limit, so that
a time can be a little less than nothing: the station judges means and has tolerances of its own. The generator's own
safety is made blind to the fault wherever it would be faster.

*Below* and *above* are the values at which the row was found silent and acting, to the sample
(`tests/unit/kernel/test_limits.py`), of a time or a sum the limit and the value that tripped; a dash: a flag. *Without
the row* is the first verdict when the row is taken out of the table: the same proof fails then, and this is what stands
behind it.

"""
COLUMNS = ("row", "hazard", "fault", "counted from, to", "time s", "at most s", "below", "above", "without the row")


def page(numbers: dict[str, dict[str, Any]]) -> str:
    """The page, of the numbers of one run."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    for code, row in numbers.items():
        limit = f"{row['t_limit_s']:g} ({row['source']})"
        time = f"{row['t_measured_s']:.3f}"
        edge = [_value(row[side], row["unit"]) for side in ("below", "above")]
        behind = f"`{row['without']}`" if row["without"] else "nothing"
        lines.append(_line((f"`{code}`", row["hazard"], row["fault"], row["counted"], time, limit, *edge, behind)))
    return HEAD + "\n".join(lines) + "\n"


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None or unit == "1" else f"{value:.6g} {unit}"


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    if not RESULTS.exists():
        sys.exit(f"{RESULTS} is missing: run pytest tests/faults/test_interlock_proofs.py first")
    files = {row.code: RESULTS / f"{row.code}.json" for row in ROWS}
    numbers = {code: json.loads(file.read_text(encoding="utf-8")) for code, file in files.items() if file.exists()}
    PAGE.write_text(page(numbers), encoding="utf-8")
