"""How many times real time the physics of one lesion run on one core, beside finite elements that solve the same.

Both heat 18 G, 10 mm to 80 degC for 90 s, each in a fresh process that has one core from its start, imports not
counted. How far they are apart in that run is in the note: a fast answer that is wrong is none.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from importlib.metadata import version
from typing import Any

from benchmarks.help_text import RFCTL
from benchmarks.rounds import one_core
from benchmarks.row import Row

ROUNDS, QUICK_ROUNDS = 15, 3
WANTED = 1000.0
CASE = ("--gauge", "18", "--tip-mm", "10", "--set-c", "80", "--hold-s", "90")
PRODUCT = (str(RFCTL), "sim", "lesion", *CASE, "--json")
# The coarsest mesh whose answers are within 0.1 % of the finest's.
ELEMENTS = (sys.executable, "-m", "benchmarks.fem_lesion", *CASE, "--finer", "0.5")
EDGE = "50"


def rows(*, quick: bool) -> list[Row]:
    with one_core():
        rounds = [_lesion(PRODUCT) for _ in range(QUICK_ROUNDS if quick else ROUNDS)]
        elements = _lesion(ELEMENTS)
    times = [_times(each) for each in rounds]
    ours, theirs = statistics.median(times), _times(elements)
    return [
        Row(
            "lesion physics, one core, times real time",
            "1",
            ours,
            [each / WANTED for each in times],
            1.0,
            "higher",
            peer=theirs,
            peer_name=f"scikit-fem {version('scikit-fem')}",
            limit=WANTED,
            limit_name="wanted",
            note=f"The ratio is to {WANTED:g} times real time. 18 G, 10 mm, 80 degC, 90 s, edge {EDGE} degC; "
            f"from scikit-fem in this run: {_apart(rounds[0], elements)}.",
        )
    ]


def _lesion(command: tuple[str, ...]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _times(document: dict[str, Any]) -> float:
    return float(document["simulated_s"] / document["wall_s"])


def _apart(made: dict[str, Any], elements: dict[str, Any]) -> str:
    def values(document: dict[str, Any]) -> dict[str, float]:
        return {
            "width": document["width_mm"][EDGE],
            "length": document["length_mm"][EDGE],
            "power": document["power_w"],
            "impedance": document["impedance_ohm"],
        }

    theirs = values(elements)
    return ", ".join(f"{name} {100.0 * (value / theirs[name] - 1.0):+.1f} %" for name, value in values(made).items())
