"""What the long campaigns have shown, of which sources, and the page about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from benchmarks import nuisance
from rfctl.safety.tree import tree_hash

ROOT = Path(__file__).parents[2]
RESULT, PAGE = ROOT / "tests" / "assurance" / "result.json", ROOT / "docs" / "assurance.md"
FOLDERS = ("rfctl", "drivers", "simulators", "config")
FILES = (
    "requirements.lock",
    "tests/station_bench.py",
    "tests/intents.py",
    "tests/assurance/oracle.py",
    "tests/assurance/run.py",
    "tests/assurance/worlds.py",
)
FAULT_FILES = (
    "requirements.lock",
    "tests/station_bench.py",
    "tests/intents.py",
    "tests/faults/expected.py",
    "tests/faults/states.py",
)
FAULTS = "faults"
NAMES = {
    "safety": "sessions by seed, safety",
    "liveness": "sessions by seed, liveness",
    FAULTS: "[every state under every fault](fault-campaign.md)",
}
HEAD = """# Long campaigns

A seed says everything of a session: plan, generator, how it is reached, and what goes wrong with it and around it, and
when. A whole station runs it in virtual time against a simulated generator, and what held is judged at the generator's
output stages and by its dose meter. In *safety* anything may go wrong, and the output has to be off in time. In
*liveness* only that goes wrong which a service has to bear, and each lesion has to be completed without a trip.

`make assure` runs what is missing here, goes on where it stopped, and writes this page with the hash of the sources
that were run; `python -m tests.assurance run --again` believes nothing that was kept. A seed that shows a violation is
run again by `python -m tests.assurance replay --mode safety NUMBER`. A part of each campaign is in `make test`. Where
the sources have changed since, the page says *of earlier sources*, and a test holds that it does; `python -m
tests.assurance page` brings it up to date within a second. [Mutants](mutation.md) have a page of their own.

| campaign | runs | with a violation | sources |
|---|---|---|---|
"""


class Result(NamedTuple):
    """What was found of a campaign.

    Attributes:
        runs: Sessions of the seeds from 0 on, or cells.
        violated: Those with a violation: a seed, or state and fault.
        sources: Hash of what ran.
    """

    runs: int
    violated: list[int | str]
    sources: str


def sources(campaign: str) -> str:
    """Hash of everything that runs in a session by seed, or in a state under a fault."""
    return tree_hash(ROOT, FOLDERS, FAULT_FILES if campaign == FAULTS else FILES)


def results() -> dict[str, Result]:
    """By campaign."""
    return {name: Result(**told) for name, told in json.loads(RESULT.read_text(encoding="utf-8")).items()}


def publish(campaign: str, result: Result) -> None:
    """Write the result beside those of the others, and the page."""
    told = {name: each._asdict() for name, each in (results() | {campaign: result}).items()}
    RESULT.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """docs/assurance.md, of the results."""
    rows = [
        (NAMES[name], result.runs, len(result.violated), result.sources, sources(name))
        for name, result in results().items()
    ]
    normal = json.loads(nuisance.RESULT.read_text(encoding="utf-8"))
    name = "[normal procedures](decisions/0012-nuisance-campaign.md), a violation is a trip"
    rows.append((name, normal["procedures"], normal["nuisance_trips"], normal["sources_sha256"], nuisance.sources()))
    text = HEAD
    for name, runs, violated, ran, now in sorted(rows):
        earlier = "" if ran == now else ", of earlier sources"
        text += f"| {name} | {runs:,} | {violated} | {ran[:12]}{earlier} |\n"
    return text
