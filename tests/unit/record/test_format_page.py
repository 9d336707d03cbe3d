"""The format page is true: its example verifies, and it is what its own rules give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.record.keys import load_public_key
from rfctl.record.layout import MAX_LINE_BYTES
from rfctl.record.verify import Outcome, verify

if TYPE_CHECKING:
    from conftest import Forge

PAGE = Path(__file__).parents[3] / "docs" / "formats" / "record-0.md"


@pytest.fixture
def example() -> dict[str, str]:
    """The fenced blocks of the page, by language."""
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def test_the_example_verifies_with_the_key_beside_it(example: dict[str, str], tmp_path: Path) -> None:
    record, key_file = tmp_path / "record.jsonl", tmp_path / "key.pub"
    record.write_text(example["json"])
    key_file.write_text(example["text"])
    verdict = verify(record, load_public_key(key_file))
    assert (verdict.verdict, verdict.records) == (Outcome.VALID_UNANCHORED, 4)


def test_the_example_is_what_the_rules_of_the_page_give(example: dict[str, str], golden: Forge) -> None:
    assert example["json"].encode() == b"".join(golden.lines)


def test_the_page_states_the_longest_line() -> None:
    assert f"{MAX_LINE_BYTES:,}".replace(",", " ") in PAGE.read_text(encoding="utf-8")
