"""One row of the results: our figure beside a peer's or a limit's from the same run, and the ratio that is wanted."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """A metric.

    Attributes:
        metric: What was measured.
        unit: Of ours, peer, limit and beside.
        ours: Our figure, the median of the rounds where there are several; not-a-number where there is none.
        peer: The same of somebody else; None where the ratio is to the limit.
        peer_name: Who, with the version; empty where there is none.
        limit: What is possible at best, or allowed at most, on this machine in this run.
        limit_name: What that is.
        runs: The ratio of each round, its two figures measured one after the other.
        goal: For the median of the ratios.
        better: Which ratios are better.
        beside: Others' figures.
        note: What one must know to read the row.
    """

    metric: str
    unit: str
    ours: float
    runs: list[float]
    goal: float
    better: Literal["higher", "lower"]
    peer: float | None = None
    peer_name: str = ""
    limit: float | None = None
    limit_name: str = ""
    beside: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self) -> float:
        """Not-a-number where nothing could be measured; that meets no goal."""
        return statistics.median(self.runs) if self.runs else nan

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal

    def as_json(self, group: str) -> dict[str, object]:
        """As benchmarks/results.json has it."""
        return {
            "metric": self.metric,
            "unit": self.unit,
            "ours": _short(self.ours),
            "peer": _short(self.peer),
            "peer_name": self.peer_name,
            "limit": _short(self.limit),
            "limit_name": self.limit_name,
            "ratio": _short(self.ratio),
            "goal": self.goal,
            "better": self.better,
            "met": self.met,
            "runs": [_short(each) for each in self.runs],
            "beside": {name: _short(value) for name, value in self.beside.items()},
            "note": self.note,
            "group": group,
        }


def _short(value: float | None) -> float | None:
    """Four digits say more than was measured already. JSON has no not-a-number."""
    return None if value is None or isnan(value) else float(f"{value:.4g}")
