"""``python -m tests.assurance``: run seeds, faults and normal procedures, go on where a run stopped, replay one.

python -m tests.assurance run --mode safety --seeds 10000 --minutes 30
python -m tests.assurance replay --mode safety 4711
python -m tests.assurance faults --minutes 30
python -m tests.assurance normal --minutes 30
python -m tests.assurance page        write the page of what is known, run nothing
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import nuisance
from rfctl.clock import NS_PER_S, wall_ns
from tests.assurance.faults import run_faults
from tests.assurance.page import FAULTS, PAGE, ROOT, Result, page, publish, results, sources
from tests.assurance.run import run
from tests.assurance.worlds import Mode, world

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = ROOT / "build" / "assurance"
SEEDS = {Mode.SAFETY: 10_000, Mode.LIVENESS: 1_000}
PROCEDURES = 10_000
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
    """What an earlier run on the same tree found that was broken off."""
    found: dict[int, list[str]] = {}
    if file.exists():
        lines = file.read_text(encoding="utf-8").splitlines()
        if lines and json.loads(lines[0]) == {"tree": tree}:
            found = {int(seed): violations for seed, violations in map(json.loads, lines[1:])}
    return found


def committed(mode: Mode, tree: str) -> dict[int, list[str]]:
    """The seeds in which all held, by the result that is in the repository, if it is about the same tree."""
    result = results().get(mode)
    if result is None or result.sources != tree:
        return {}
    return {seed: [] for seed in range(result.runs) if seed not in result.violated}


def batches(seeds: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(seeds), BATCH):
        yield seeds[at : at + BATCH]


def run_seeds(mode: Mode, count: int, minutes: float, file: Path, *, again: bool) -> int:
    """Run what is missing of the seeds, within the time. Returns: exit code."""
    tree = sources(mode)
    found = {} if again else committed(mode, tree) | kept(file, tree)
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
    publish(mode, Result(len(found), list(bad), tree))
    print(f"{mode}: {len(found)} of {count} seeds, {len(bad)} with a violation")
    return 1 if bad or len(found) < count else 0


def run_normal(count: int, minutes: float) -> int:
    """Run normal procedures, unless as many are in the repository, of these sources. Returns: exit code."""
    told = nuisance.committed()
    if told is None or told["procedures"] < count or told["nuisance_trips"]:
        command = [sys.executable, "-m", "benchmarks.nuisance", str(count), "--minutes", str(minutes)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        PAGE.write_text(page(), encoding="utf-8")
        return code
    print(f"normal: {told['procedures']} of {count} procedures, 0 trips")
    return 0


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
    parser = argparse.ArgumentParser(
        prog="python -m tests.assurance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "replay"):
        command = commands.add_parser(name)
        command.add_argument("--mode", type=Mode, choices=list(Mode), default=Mode.SAFETY)
        if name == "run":
            command.add_argument("--seeds", type=int, help="10,000 in safety, 1,000 in liveness")
            command.add_argument("--minutes", type=float, default=600.0)
            command.add_argument("--again", action="store_true", help="what was found before does not count")
        else:
            command.add_argument("seed", type=int)
    for name in (FAULTS, "normal"):
        commands.add_parser(name).add_argument("--minutes", type=float, default=600.0)
    commands.add_parser("page")
    given = parser.parse_args()
    if given.command == FAULTS:
        return run_faults(given.minutes, KEPT / "faults.jsonl")
    if given.command == "normal":
        return run_normal(PROCEDURES, given.minutes)
    if given.command == "page":
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if given.command == "replay":
        return replay(given.mode, given.seed)
    count = SEEDS[given.mode] if given.seeds is None else given.seeds
    return run_seeds(given.mode, count, given.minutes, KEPT / f"{given.mode}.jsonl", again=given.again)


if __name__ == "__main__":
    sys.exit(main())
