"""The whole campaign: ``make crash``. Stopped, it goes on where it was; what it counted goes into docs/record.md."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.crash.campaign import HARMS, ROOT, Campaign

PAGE = ROOT / "docs" / "record.md"
BEGIN, END = "<!-- make crash -->\n", "<!-- /make crash -->\n"


def main() -> int:
    """Returns: the exit code; 1 when anything was wrong."""
    results = Path(sys.argv[1])
    done = {}
    if results.exists():
        done = {tuple(row[:2]): row[2:] for row in map(json.loads, results.read_text().splitlines())}
    with tempfile.TemporaryDirectory() as folder, Campaign(Path(folder)) as campaign, results.open("a") as kept:
        points = campaign.points()
        for place, point in enumerate(points):
            for harm in HARMS:
                if (f"{point}", harm) in done:
                    continue
                found = campaign.harm(point, harm)
                row = [f"{point}", harm, found.acknowledged, found.verdict, found.wrong]
                done[f"{point}", harm] = row[2:]
                kept.write(json.dumps(row) + "\n")
                kept.flush()
                if found.wrong:
                    print(f"{point}, {harm}: {found.wrong}")
            if place % 50 == 0:
                print(f"{place} of {len(points)} calls", file=sys.stderr)
    wrong = sum(bool(row[2]) for row in done.values())
    rows = ["| at each call | runs | as it was left | acknowledged, and there afterwards |\n|---|---|---|---|\n"]
    for harm in HARMS:
        these = [row for (_, each), row in done.items() if each == harm]
        verdicts = Counter(str(row[1] or "no log yet") for row in these)
        left = ", ".join(f"{verdict} {number}" for verdict, number in sorted(verdicts.items()))
        rows.append(f"| {harm} | {len(these)} | {left} | {sum(row[0] for row in these):,} of as many |\n")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    if wrong == 0:
        PAGE.write_text(f"{before}{BEGIN}{''.join(rows)}{END}{after}", encoding="utf-8")
    print(f"{len(done)} runs at {len(points)} calls, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
