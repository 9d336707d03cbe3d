"""The pages drawn from the kernel's tables are the tables' own."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.transitions import TRANSITIONS, diagram

DOCS = Path(__file__).parents[3] / "docs"
PAGES = runpy.run_path(str(DOCS / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_page_in_the_repository_is_what_is_drawn(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run: make docs"


def test_every_row_of_the_table_has_a_line_of_the_page() -> None:
    lines = (DOCS / "interlocks.md").read_text(encoding="utf-8").splitlines()
    codes = [match[1] for line in lines if (match := re.match(r"\| `(\w+)` \|", line))]
    assert codes == [row.code for row in ROWS]


def test_diagram_has_every_phase_and_every_transition() -> None:
    lines = diagram().splitlines()
    arrows = [
        match for line in lines if (match := re.fullmatch(r" {4}([A-Z_]+) --> ([A-Z_]+): ([a-z_ ]+)(?: \[.*\])?", line))
    ]
    drawn = [(match[1], match[2], match[3]) for match in arrows]
    for row in TRANSITIONS:
        assert (row.phase.name, row.to.name, row.trigger) in drawn
    assert len(drawn) == len(TRANSITIONS) + 8, "beside the table: start, next, ready, not started, dropped, done, void"
    assert {line.split(":")[0].strip() for line in lines if "-->" not in line} == {
        "stateDiagram-v2",
        *(p.name for p in Phase),
    }


def test_no_label_of_the_diagram_has_a_colon_of_its_own() -> None:
    assert all(line.count(":") <= 1 for line in diagram().splitlines())


def test_every_phase_but_the_last_leads_on() -> None:
    arrows = [line.split() for line in diagram().splitlines() if "-->" in line]
    left = {words[0] for words in arrows}
    assert left >= {phase.name for phase in Phase}
    reached = {words[2].rstrip(":") for words in arrows}
    assert reached >= {phase.name for phase in Phase if phase is not Phase.ENDED}
