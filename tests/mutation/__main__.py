"""``python -m tests.mutation``: change one thing after the other, and see which test notices it.

python -m tests.mutation                        try the modules whose code is not that of tests/mutation/results.json,
                                                go on where the last run stopped, and write docs/mutation.md
python -m tests.mutation --minutes 30 rfctl.link.gate
python -m tests.mutation --again rfctl.guard    try all of a module once more, say after its tests have changed
python -m tests.mutation --page rfctl.link      write the page of what is known, name what was not noticed, try nothing
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from rfctl.clock import NS_PER_S
from tests.mutation.campaign import KILLED, Campaign, Fate, until_ns
from tests.mutation.mutants import digest, mutants_of
from tests.mutation.page import PAGE, RESULTS, Result, page, reasons, results
from tests.mutation.subjects import SUBJECTS

ROOT = Path(__file__).parents[2]
FATES = ROOT / "build" / "mutation"
OPTIONS = ("-p", "no:cacheprovider", "-p", "no:terminal", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def known(module: str) -> list[Fate]:
    """What earlier runs found of functions that are as they were; a survivor is tried again until it is explained."""
    mutants, why = {(mutant.key, mutant.source) for mutant in mutants_of(module)}, reasons()
    return [
        fate
        for fate in fates(module)
        if (fate.fate == KILLED or fate.mutant in why) and (fate.mutant, fate.source) in mutants
    ]


def fates(module: str) -> list[Fate]:
    """All that was found."""
    path = FATES / f"{module}.jsonl"
    return [Fate(*json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def result(module: str) -> Result | None:
    """Of a module all whose mutants were tried, as the code is now."""
    found = {(fate.mutant, fate.source): fate for fate in fates(module)}
    if not found:
        return None
    keys = [(mutant.key, mutant.source) for mutant in mutants_of(module)]
    if any(key not in found for key in keys):
        return None
    left = {key: found[key, source].fate for key, source in keys if found[key, source].fate != KILLED}
    return Result(digest(module), len(keys), left)


def settled() -> set[str]:
    """The modules whose result, as it is kept, is about the code as it is and leaves nothing unexplained."""
    why = reasons().keys()
    return {module for module, each in results().items() if each.code == digest(module) and each.left.keys() <= why}


def main() -> int:
    """The command line. Returns: 1 where a mutant was not noticed and nobody says why, 0 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no mutant later")
    parser.add_argument("--seconds", type=float, default=15.0, help="of tests for each mutant, the quick ones first")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--again", action="store_true", help="what was found before does not count")
    parser.add_argument("--page", action="store_true", help="try nothing")
    parser.add_argument("modules", nargs="*", help="dotted names, or how they begin; all")
    given = parser.parse_args()
    every = [module for modules in SUBJECTS.values() for module in modules]
    wanted = [module for module in every if module.startswith(tuple(given.modules) or "")]
    to_try = set(wanted) if given.again else set(wanted) - settled()
    end_ns = until_ns(given.minutes)
    for tests, modules in SUBJECTS.items():
        mine = [module for module in modules if module in to_try]
        if not mine or given.page:
            continue
        FATES.mkdir(parents=True, exist_ok=True)
        before: set[tuple[str, str]] = set()
        for module in mine:
            kept = [] if given.again else known(module)
            before |= {(fate.mutant, fate.source) for fate in kept}
            (FATES / f"{module}.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in kept), encoding="utf-8")
        campaign = Campaign(mine, before, end_ns, round(given.seconds * NS_PER_S), given.jobs, found)
        pytest.main([*OPTIONS, *(str(ROOT / test) for test in tests)], plugins=[campaign])
    new = {module: each for module in wanted if (each := result(module)) is not None}
    RESULTS.write_text(json.dumps(results() | new, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    why = reasons()
    left = [fate for module in wanted for fate in fates(module) if fate.fate != KILLED and fate.mutant not in why]
    for fate in left:
        print(f"{fate.line:4} {fate.mutant}  ({fate.fate})")
    return 1 if left else 0


def found(module: str, fate: Fate) -> None:
    """Written down at once: a run may end at any time."""
    with (FATES / f"{module}.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(fate) + "\n")
    if fate.fate != KILLED:
        print(f"{fate.line:4} {fate.mutant}  ({fate.fate})", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
