"""What `rfctl --help` takes beside the help of a bare click program of 12 commands."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.report import median_of
from benchmarks.row import Row

RFCTL = Path(sys.executable).with_name("rfctl")
ROUNDS, QUICK_ROUNDS = 25, 5
GOAL = 1.6
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


def rows(*, quick: bool) -> list[Row]:
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_CLICK)
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            peer_ms = _wall_ms([sys.executable, str(bare), "--help"])
            pairs.append((_wall_ms([str(RFCTL), "--help"]), peer_ms))
    ours, peer, runs = median_of(pairs)
    return [
        Row("rfctl --help", "ms", ours, runs, GOAL, "lower", peer=peer, peer_name=f"click {version('click')} alone")
    ]


def _wall_ms(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - begun) * 1000
