"""Runs the exploration and writes its counts, which exploration.md is drawn from and a test holds; some minutes.

.venv/bin/python docs/exploration.py && .venv/bin/python docs/generate.py
"""

from __future__ import annotations

import json
from pathlib import Path

from rfctl.safety.explore import EDGES, PART_EDGES, explore

FOREVER_S = 36_000.0
"""Bounded by decisions alone, so that any machine finds the same."""


def main() -> None:
    """Write exploration.json."""
    part = explore(edges=PART_EDGES, seconds=FOREVER_S)
    full = explore(edges=EDGES, seconds=FOREVER_S)
    reached = [name for name, reached in part.goals.reached.items() if reached]
    counts = {
        "full": full.document(),
        "part": {"states": part.states, "edges": part.edges, "sometimes": reached},
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
