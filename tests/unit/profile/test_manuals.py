"""Manual and profile agree: every number that a profile uses stands in the manual, with that type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfctl.profile.profile import load

MANUALS = Path(__file__).parents[3] / "docs" / "generators"
ROW = re.compile(r"^\| ([0-9A-F]{4,5}) \| (\w+) \| (.*)$", re.MULTILINE)
TYPE = re.compile(r"\b(?:u16|i16|u32|i32|text \d+)\b")


def listed(name: str, base: int) -> dict[int, str]:
    """The type of each number of a manual; a coil has none, for its table needs none."""
    rows = ROW.findall((MANUALS / f"{name}.md").read_text(encoding="utf-8"))
    types = {int(number, base): TYPE.match(rest) for number, _, rest in rows}
    return {number: kind.group().replace(" ", ":") if kind else "bit" for number, kind in types.items()}


@pytest.mark.parametrize(("name", "base"), [("kestrel-2", 10), ("orrin-v", 16)])
def test_every_number_of_the_profile_stands_in_the_manual_with_its_type(name: str, base: int) -> None:
    manual = listed(name, base)
    rows = [row for row in load(name).describe() if row.number]
    assert len(rows) > 40
    assert {row.quantity: row.type.split()[0] for row in rows} == {
        row.quantity: manual.get(int(row.number), "not in the manual") for row in rows
    }


@pytest.mark.parametrize(("name", "base", "least"), [("kestrel-2", 10, 0.9), ("orrin-v", 16, 0.9)])
def test_nearly_every_number_of_the_manual_is_used(name: str, base: int, least: float) -> None:
    used = {int(row.number) for row in load(name).describe() if row.number}
    manual = set(listed(name, base))
    assert len(manual & used) / len(manual) >= least, sorted(manual - used)
