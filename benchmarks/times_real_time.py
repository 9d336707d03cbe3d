"""How fast the demo runs in virtual time, and what `rfctl --help` costs beside a bare click program.

Every figure is a ratio measured in this run. Absolute times are printed for orientation only: machines differ.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RFCTL = Path(sys.executable).with_name("rfctl")
DEMO_ROUNDS = 5
HELP_ROUNDS = 15
BARE_CLICK = """
import click
@click.group()
def cli(): "A bare click program."
for name in "abcdefghijkl":
    @cli.command(name=name)
    @click.option("--x", help="an option")
    def command(x): "A command."
cli()
"""


def times_real_time() -> list[float]:
    """Simulated seconds a second of the wall, start-up excluded, once a round in a fresh process."""
    ratios = []
    for _ in range(DEMO_ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            command = [RFCTL, "demo", "--fast", "--json", "--out", folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        document = json.loads(done.stdout)
        ratios.append(document["simulated_s"] / document["wall_s"])
    return ratios


def help_ratios() -> list[float]:
    """Time of `rfctl --help` over that of a bare click program of 12 commands, run in turns."""
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_CLICK)
        for _ in range(HELP_ROUNDS):
            peer_s = _wall_s([sys.executable, str(bare), "--help"])
            ratios.append(_wall_s([str(RFCTL), "--help"]) / peer_s)
    return ratios


def _wall_s(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    print("| metric | min | median | max | goal |")
    print("|---|---|---|---|---|")
    for metric, values, goal in (
        ("demo --fast, times real time", times_real_time(), ">= 200"),
        ("rfctl --help / bare click program", help_ratios(), "<= 1.6"),
    ):
        print(f"| {metric} | {min(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} | {goal} |")


if __name__ == "__main__":
    main()
