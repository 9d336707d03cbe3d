"""The page about mutants: how many were noticed, and why those that were not are none the worse for it."""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

from tests.mutation.campaign import KILLED

EQUIVALENT = Path(__file__).with_name("equivalent.toml")
HEAD = """# Mutation testing

Each function of the modules below is changed in one small place after the other: a comparison, a number, an `and` for
an `or`, a condition or a statement left out. The tests that run through it have to go red. `make mutate` does it and
writes this page; it goes on where it stopped. Tables of limits are not changed here: each row has its boundary pair
and its kill proof.

| module | source | mutants | noticed | equivalent | not noticed |
|---|---|---|---|---|---|
"""


def reasons() -> dict[str, str]:
    """Why a mutant does nothing that could be noticed, by its key."""
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    return {key: entry["reason"] for entry in entries for key in entry["mutants"]}


def page(results: Path) -> str:
    """The page, of the results as they are."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    left: list[str] = []
    equivalent: dict[str, list[str]] = defaultdict(list)
    why = reasons()
    for line in results.read_text(encoding="utf-8").splitlines():
        module, source, key, fate, _ = json.loads(line)
        if fate != KILLED and key in why:
            fate = "equivalent"
            equivalent[why[key]].append(key)
        elif fate != KILLED:
            left.append(f"{key} ({fate})")
        counts[module, source]["all"] += 1
        counts[module, source][fate if fate in {KILLED, "equivalent"} else "left"] += 1
    rows = [
        f"| {module} | {source} | {c['all']} | {c[KILLED]} | {c['equivalent']} | {c['left']} |"
        for (module, source), c in sorted(counts.items())
    ]
    total = sum(counts.values(), Counter[str]())
    rows.append(f"| all | | {total['all']} | {total[KILLED]} | {total['equivalent']} | {total['left']} |")
    text = HEAD + "\n".join(rows) + "\n\n## Equivalent\n\n"
    for reason, keys in equivalent.items():
        text += f"{reason}\n\n" + "".join(f"- `{key}`\n" for key in sorted(keys)) + "\n"
    text += "## Not noticed\n\n" + ("".join(f"- `{line}`\n" for line in sorted(left)) or "None.\n")
    return text
