"""Every state of a procedure under every fault of the catalogue, and the page about it."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ProcessPoolExecutor, as_completed
from math import inf
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S, wall_ns
from tests.assurance.page import FAULTS, ROOT, Result, publish, results, sources
from tests.faults.expected import EXPECTED, UNWANTED_S
from tests.faults.states import STATES, Shown, as_json, strike, violations

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "fault-campaign.md"
BATCH = 26
HEAD = """# Every state under every fault

Each fault of the simulator's catalogue strikes a procedure in each of its states, in virtual time, with the guard at
work. Times are those of the output stage; nothing is believed from the station. "RF" and "stimulation" are the longest
times that an output was on under the fault, beside their limits; "unwanted" is the longest that any output was on while
the station wanted none, limit {unwanted:g} s. Where a limit is "-", the output may go on, and why is said beside it.
`make faults` runs it and writes this page, and [the hash of the sources](assurance.md) that ran; a part of it is in
`make test`.

{cells} cells of {all} ({states} states, {faults} faults), {bad} with a violation.

| fault | RF, s | limit | stimulation, s | limit | unwanted, s | tissue, degC | ended in | why |
|---|---|---|---|---|---|---|---|---|
"""


def cells() -> list[tuple[str, str]]:
    """All there are, in an order that comes by every fault and every state soon."""
    faults = [name for name, fault in EXPECTED.items() if not fault.not_shown]
    states = list(STATES)
    return [
        (states[(at + turn) % len(states)], fault) for turn in range(len(states)) for at, fault in enumerate(faults)
    ]


def of_cell(state: str, fault: str) -> str:
    """What one cell shows, as a line; what it raises belongs to it."""
    logging.disable()
    try:
        return as_json(strike(state, fault))
    except Exception as problem:
        return as_json(Shown(state, fault, raised=f"{type(problem).__name__}: {problem}"))


def kept(file: Path, tree: str) -> dict[tuple[str, str], Shown]:
    """What earlier runs on the same tree have shown."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if not lines or json.loads(lines[0]) != {"tree": tree}:
        return {}
    shown = [Shown(**json.loads(line)) for line in lines[1:]]
    return {(each.state, each.fault): each for each in shown}


def run_faults(minutes: float, file: Path) -> int:
    """Run what is missing of the cells, within the time, and write the page. Returns: exit code."""
    tree = sources(FAULTS)
    if results().get(FAULTS) == Result(len(cells()), [], tree):
        print(f"faults: {len(cells())} of {len(cells())} cells, 0 with a violation")
        return 0
    found = kept(file, tree)
    file.parent.mkdir(parents=True, exist_ok=True)
    end_ns = wall_ns() + round(minutes * 60 * NS_PER_S)
    missing = [cell for cell in cells() if cell not in found]
    with file.open("w", encoding="utf-8") as out, ProcessPoolExecutor() as pool:
        out.write(json.dumps({"tree": tree}) + "\n")
        out.writelines(as_json(shown) + "\n" for shown in found.values())
        while missing and wall_ns() < end_ns:
            batch, missing = missing[:BATCH], missing[BATCH:]
            for running in as_completed([pool.submit(of_cell, *cell) for cell in batch]):
                shown = Shown(**json.loads(running.result()))
                found[shown.state, shown.fault] = shown
                out.write(as_json(shown) + "\n")
                for violation in violations(shown):
                    print(f"{shown.state}, {shown.fault}: {violation}", flush=True)
            out.flush()
    PAGE.write_text(page_of(found), encoding="utf-8")
    bad = [f"{shown.state}, {shown.fault}" for shown in found.values() if violations(shown)]
    publish(FAULTS, Result(len(found), list(bad), tree))
    print(f"faults: {len(found)} of {len(cells())} cells, {len(bad)} with a violation")
    return 1 if bad or missing else 0


def page_of(found: dict[tuple[str, str], Shown]) -> str:
    """The page, of what was shown."""
    faults = [fault for fault in EXPECTED.values() if not fault.not_shown]
    text = HEAD.format(
        unwanted=UNWANTED_S,
        cells=len(found),
        all=len(cells()),
        states=len(STATES),
        faults=len(faults),
        bad=sum(bool(violations(shown)) for shown in found.values()),
    )
    for fault in faults:
        shown = [each for each in found.values() if each.fault == fault.name]
        if not shown:
            continue
        judged = [each for each in shown if each.state not in fault.borne_in]
        ended = sum(bool(each.code) or each.outcome == "refused" for each in shown)
        why = f"{fault.source}; {fault.borne}" if fault.borne else fault.source
        text += (
            f"| {fault.name} | {_longest(each.rf_s for each in judged)} | {_limit(fault.rf_s)} "
            f"| {_longest(each.stimulation_s for each in judged)} | {_limit(fault.stimulation_s)} "
            f"| {_longest(each.unwanted_s for each in shown)} | {max(each.hottest_c for each in shown):.1f} "
            f"| {ended} of {len(shown)} | {why} |\n"
        )
    absent = "".join(f"- {fault.name}: {fault.not_shown}\n" for fault in EXPECTED.values() if fault.not_shown)
    return f"{text}\nNot shown here:\n\n{absent}"


def _longest(times_s: object) -> str:
    return f"{max(times_s, default=0.0):.3f}"  # type: ignore[call-overload]


def _limit(limit_s: float) -> str:
    return "-" if limit_s == inf else f"{limit_s:g}"
