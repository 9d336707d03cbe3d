"""Results as people read them: the table, and the page docs/performance.md."""

from __future__ import annotations

import os
import platform
import statistics
from importlib.metadata import PackageNotFoundError, version
from typing import Any

HEADINGS = ("metric", "unit", "ours", "peer; limit; others", "ratio (min, median, max)", "goal", "met")
COMPARED = ("pymodbus", "minimalmodbus", "umodbus", "async-modbus", "click", "scikit-fem")
INTRODUCTION = """# Performance

`make bench` wrote this page and benchmarks/results.json. Every goal is a ratio to a peer or a limit that ran in the
same run, in turns with ours, in the same place; absolute figures are this machine's, in this hour, and nobody else's. A
ratio is the median of its rounds. `make bench ONLY=rtu` runs one group, `QUICK=1` fewer rounds; neither rewrites the
page.

"""


def table(rows: list[dict[str, Any]]) -> str:
    """The results in Markdown, and what one must know to read them."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    for row in rows:
        runs = row["runs"] or [None]
        ratios = f"{_number(min(runs))}, **{_number(row['ratio'])}**, {_number(max(runs))}"
        goal = f"{'>=' if row['better'] == 'higher' else '<='} {row['goal']:g}"
        cells = (row["metric"], row["unit"], _number(row["ours"]), _other(row), ratios, goal)
        lines.append(f"| {' | '.join(cells)} | {'yes' if row['met'] else '**no**'} |")
    notes = [f"- {row['metric']}: {row['note']}" for row in rows if row["note"]]
    return "\n".join([*lines, "", *notes])


def page(rows: list[dict[str, Any]]) -> str:
    """The whole page."""
    return f"{INTRODUCTION}{table(rows)}\n\n{_where()}\n"


def _other(row: dict[str, Any]) -> str:
    both = []
    if row["peer"] is not None:
        both.append(f"{_number(row['peer'])} ({row['peer_name']})")
    if row["limit"] is not None:
        both.append(f"{_number(row['limit'])} ({row['limit_name']})")
    return "; ".join(both + [f"{_number(value)} ({name})" for name, value in row["beside"].items()])


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _where() -> str:
    versions = ", ".join(f"{name} {found}" for name in COMPARED if (found := _version(name)))
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()} on {platform.machine()}, "
        f"{os.cpu_count()} cores, load {load:.1f} at the end (the suite's own included). {versions}."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def median_of(pairs: list[tuple[float, float]]) -> tuple[float, float, list[float]]:
    """The medians of both figures of all rounds, and the ratio of each round."""
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return ours, theirs, [first / second for first, second in pairs]
