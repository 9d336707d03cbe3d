"""``python -m tests.assurance``: run seeds or faults, go on where an earlier run stopped, replay one.

python -m tests.assurance run --mode safety --seeds 10000 --minutes 30
python -m tests.assurance replay --mode safety 4711
python -m tests.assurance faults --minutes 30
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfctl.clock import NS_PER_S, wall_ns
from rfctl.safety.tree import tree_hash
from tests.assurance.faults import run_faults
from tests.assurance.run import run
from tests.assurance.worlds import Mode, world

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RESULT, PAGE = ROOT / "tests" / "assurance" / "result.json", ROOT / "docs" / "assurance.md"
BATCH = 25
Found = tuple[int, list[str]]
FOLDERS = ("rfctl", "drivers", "simulators", "config")
FILES = (
    "requirements.lock",
    "tests/station_bench.py",
    "tests/intents.py",
    "tests/assurance/oracle.py",
    "tests/assurance/run.py",
    "tests/assurance/worlds.py",
)
HEAD = """# Sessions by seed

A seed says everything of a session: plan, generator, how it is reached, and what goes wrong with it and around it, and
when. A whole station runs it in virtual time against a simulated generator, and what held is judged at the generator's
output stages and by its dose meter. In *safety* anything may go wrong, and the output has to be off in time. In
*liveness* only that goes wrong which a service has to bear, and each lesion has to be completed without a trip.

`make assure` runs them, goes on where it stopped, and writes this page with the hash of the sources that were run. A
seed that shows a violation is run again by `python -m tests.assurance replay --mode safety NUMBER`. A part of them is
in `make test`.

| mode | sessions | with a violation | sources |
|---|---|---|---|
"""


def of_batch(mode: Mode, seeds: list[int]) -> list[Found]:
    """What did not hold, seed by seed."""
    logging.disable()
    return [(seed, violations_of(mode, seed)) for seed in seeds]


def violations_of(mode: Mode, seed: int) -> list[str]:
    """What did not hold in the world of a seed; what it raises is one of them."""
    try:
        return run(world(seed, mode))
    except Exception as problem:
        return [f"raised {type(problem).__name__}: {problem}"]


def kept(file: Path, tree: str) -> dict[int, list[str]]:
    """What earlier runs on the same tree found."""
    found: dict[int, list[str]] = {}
    if file.exists():
        lines = file.read_text(encoding="utf-8").splitlines()
        if lines and json.loads(lines[0]) == {"tree": tree}:
            found = {int(seed): violations for seed, violations in map(json.loads, lines[1:])}
    return found


def batches(seeds: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(seeds), BATCH):
        yield seeds[at : at + BATCH]


def run_seeds(mode: Mode, count: int, minutes: float, file: Path) -> int:
    """Run what is missing of the seeds, within the time. Returns: exit code."""
    tree = sources()
    found = kept(file, tree)
    file.parent.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in range(count) if seed not in found]
    end_ns = wall_ns() + round(minutes * 60 * NS_PER_S)
    with file.open("w", encoding="utf-8") as out, ProcessPoolExecutor() as pool:
        out.write(json.dumps({"tree": tree}) + "\n")
        out.writelines(json.dumps([seed, violations]) + "\n" for seed, violations in found.items())
        waiting = list(batches(missing))
        running = [pool.submit(of_batch, mode, waiting.pop(0)) for _ in range(min(4, len(waiting)))]
        while running:
            for seed, violations in running.pop(0).result():
                found[seed] = violations
                out.write(json.dumps([seed, violations]) + "\n")
                if violations:
                    print(f"seed {seed}: {'; '.join(violations)}")
                    print(f"  replay: python -m tests.assurance replay --mode {mode} {seed}", flush=True)
            out.flush()
            if waiting and wall_ns() < end_ns:
                running.append(pool.submit(of_batch, mode, waiting.pop(0)))
    bad = [seed for seed, violations in sorted(found.items()) if violations]
    publish(mode, len(found), bad, tree)
    print(f"{mode}: {len(found)} of {count} seeds, {len(bad)} with a violation")
    return 1 if bad or len(found) < count else 0


def sources() -> str:
    """Hash of what a result proves: everything that runs in a session by seed."""
    return tree_hash(ROOT, FOLDERS, FILES)


def publish(mode: Mode, sessions: int, violated: list[int], tree: str) -> None:
    """Write the result beside that of the other mode, and the page."""
    results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    results[str(mode)] = {"sessions": sessions, "violated": violated, "sources_sha256": tree}
    RESULT.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


def page(results: dict[str, Any]) -> str:
    """docs/assurance.md, of the results."""
    return HEAD + "".join(
        f"| {mode} | {told['sessions']:,} | {len(told['violated'])} | {told['sources_sha256'][:12]} |\n"
        for mode, told in sorted(results.items())
    )


def replay(mode: Mode, seed: int) -> int:
    """Run one seed and say everything about it. Returns: exit code."""
    logging.disable()
    of_seed = world(seed, mode)
    print(of_seed)
    violations = run(of_seed)
    print("\n".join(violations) or "everything held")
    return 1 if violations else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.assurance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "replay"):
        command = commands.add_parser(name)
        command.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.SAFETY)
        if name == "run":
            command.add_argument("--seeds", type=int, default=10_000)
            command.add_argument("--minutes", type=float, default=600.0)
        else:
            command.add_argument("seed", type=int)
    commands.add_parser("faults").add_argument("--minutes", type=float, default=600.0)
    given = parser.parse_args()
    if given.command == "faults":
        kept_in, page = ROOT / "build" / "assurance" / "faults.jsonl", ROOT / "docs" / "fault-campaign.md"
        return run_faults(given.minutes, kept_in, page, tree_hash(ROOT))
    if given.command == "replay":
        return replay(given.mode, given.seed)
    return run_seeds(given.mode, given.seeds, given.minutes, ROOT / "build" / "assurance" / f"{given.mode}.jsonl")


if __name__ == "__main__":
    sys.exit(main())
