"""The page about mutants: how many were noticed, and why those that were not are none the worse for it."""

from __future__ import annotations

import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import digest
from tests.mutation.subjects import SUBJECTS

HERE = Path(__file__).parent
EQUIVALENT = HERE / "equivalent.toml"
RESULTS = HERE / "results.json"
PAGE = HERE.parents[1] / "docs" / "mutation.md"
HEAD = """# Mutation testing

The code of the modules below is changed in one small place after the other: a comparison, a number, an `and` for an
`or`, a condition or a statement left out. The tests that run through that place have to go red. A mutant that no test
notices is a test that is missing, or code that nobody needs, unless it changes nothing that could be noticed; each of
these is below, with the reason. `make mutate` tries the modules that have been changed since this page, goes on where
it stopped, and writes the page; `python -m tests.mutation --again` tries all of them, for some hours. Tables of limits
are not changed here: each row has its boundary pair and its kill proof.

A result is about the code with the hash beside it; comments and docstrings are none of it. *Of earlier code*: the
module has been changed since, and only the functions that are as they were still count. A test holds that this page
says so; `python -m tests.mutation --page` brings it up to date within a second.

Another question about the same code: does each single condition of an `and` or `or` count by itself (MC/DC)? For the
guards of the transition table, the guard with its decoder and relay, and the gate a test asks it each time: for every
condition the tests must have shown two cases that differ in it alone and in the decision. There is no exception.

| module | code | mutants | noticed | equivalent | not noticed |
|---|---|---|---|---|---|
"""


class Result(NamedTuple):
    """What was found of a module.

    Attributes:
        code: Its hash.
        mutants: All that were tried.
        left: Fate of each that was not noticed, by its key.
    """

    code: str
    mutants: int
    left: dict[str, str]


def results() -> dict[str, Result]:
    """By module."""
    if not RESULTS.exists():
        return {}
    return {module: Result(*each) for module, each in json.loads(RESULTS.read_text(encoding="utf-8")).items()}


def reasons() -> dict[str, str]:
    """Why a mutant does nothing that could be noticed, by its key."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    return {key: entry["reason"] for entry in entries for key in entry["mutants"]}


def page() -> str:
    """The page, of the results as they are."""
    why = reasons()
    equivalent: dict[str, list[str]] = defaultdict(list)
    unexplained: list[str] = []
    rows, total = [], [0, 0, 0, 0]
    for module, result in sorted(results().items()):
        explained = [key for key in result.left if key in why]
        for key in explained:
            equivalent[why[key]].append(key)
        unexplained += [f"{key} ({fate})" for key, fate in result.left.items() if key not in why]
        counts = (
            result.mutants,
            result.mutants - len(result.left),
            len(explained),
            len(result.left) - len(explained),
        )
        total = [one + other for one, other in zip(total, counts, strict=True)]
        code = result.code if result.code == digest(module) else f"{result.code}, of earlier code"
        rows.append(f"| {module} | {code} | {' | '.join(map(str, counts))} |")
    every = sorted(module for modules in SUBJECTS.values() for module in modules)
    rows += [f"| {module} | not tried yet | | | | |" for module in every if module not in results()]
    rows.append(f"| all tried | | {' | '.join(map(str, total))} |")
    text = HEAD + "\n".join(rows) + "\n\n## Equivalent\n\n"
    for reason, keys in sorted(equivalent.items()):
        text += f"{reason}\n\n" + "".join(f"- `{key}`\n" for key in sorted(keys)) + "\n"
    return text + "## Not noticed\n\n" + ("".join(f"- `{line}`\n" for line in sorted(unexplained)) or "None.\n")
