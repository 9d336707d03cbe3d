"""Runs the suite: ``make bench``, one group of it by ``make bench ONLY=rtu``, fewer rounds by ``QUICK=1``.

A whole run writes benchmarks/results.json and docs/performance.md; a part of it, or a quick one, only prints. A goal
that is missed is said, and is no error.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import page, table

if TYPE_CHECKING:
    from benchmarks.row import Row

GROUPS = {
    "rtu": "benchmarks.transactions:rtu",
    "tcp": "benchmarks.transactions:tcp",
    "stray": "benchmarks.stray_byte:rows",
    "replies": "benchmarks.replies:rows",
    "cycle": "benchmarks.supervised_cycle:rows",
    "record": "benchmarks.record:rows",
    "decision": "benchmarks.decisions:rows",
    "off": "benchmarks.fault_to_off:rows",
    "lateness": "benchmarks.lateness:rows",
    "simulator": "benchmarks.simulator:rows",
    "lesion": "benchmarks.lesion:rows",
    "demo": "benchmarks.times_real_time:rows",
    "help": "benchmarks.help_text:rows",
}
"""Where the rows of each group come from. ``rows(quick)`` returns them."""
ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=GROUPS, help="one group")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it works, not how fast it is")
    options = parser.parse_args()
    found: list[dict[str, object]] = []
    for group in [options.only] if options.only else GROUPS:
        begun = time.perf_counter()
        found += [row.as_json(group) for row in _rows(group, quick=options.quick)]
        print(f"{group}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    if not options.only and not options.quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(found), encoding="utf-8")
    print(table(found))
    missed = [str(row["metric"]) for row in found if not row["met"]]
    print(f"\n{len(found) - len(missed)} of {len(found)} goals met" + "".join(f"\nmissed: {each}" for each in missed))


def _rows(group: str, *, quick: bool) -> list[Row]:
    module, _, function = GROUPS[group].partition(":")
    rows: list[Row] = getattr(importlib.import_module(module), function)(quick=quick)
    return rows


if __name__ == "__main__":
    main()
