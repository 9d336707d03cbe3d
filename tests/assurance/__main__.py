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
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S, wall_ns
from rfctl.safety.tree import tree_hash
from tests.assurance.faults import run_faults
from tests.assurance.run import run
from tests.assurance.worlds import Mode, world

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
BATCH = 25
Found = tuple[int, list[str]]


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
    tree = tree_hash(ROOT)
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
    bad = sum(bool(violations) for violations in found.values())
    print(f"{mode}: {len(found)} of {count} seeds, {bad} with a violation")
    return 1 if bad or len(found) < count else 0


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
