"""Killed or refused by the disk at any system call, the writer loses nothing that it acknowledged: ``make crash``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.record.verify import Outcome
from tests.crash.campaign import HARMS, Campaign, Point

if TYPE_CHECKING:
    from collections.abc import Iterator

EACH = 13
"""So many of all, evenly spread: no divisor of the number of harms, so that each harm comes to each kind of call."""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    with Campaign(tmp_path_factory.mktemp("crash")) as running:
        yield running


@pytest.fixture(scope="module")
def points(campaign: Campaign) -> list[Point]:
    return campaign.points()


def test_the_calls_of_the_writer_are_all_there(points: list[Point]) -> None:
    assert len(points) > 250
    calls = {point.call for point in points}
    assert {"openat", "write", "fsync", "fdatasync", "rename", "close", "mkdir", "unlink", "fallocate"} <= calls


def test_harmed_at_calls_all_over_its_life_it_loses_nothing_acknowledged(
    campaign: Campaign, points: list[Point]
) -> None:
    all_ = [(point, harm) for point in points for harm in HARMS]
    found = [(point, harm, campaign.harm(point, harm)) for point, harm in all_[::EACH]]
    wrong = [f"{point}, {harm}: {harmed.wrong}" for point, harm, harmed in found if harmed.wrong]
    assert not wrong, "\n".join(wrong)
    verdicts = {harmed.verdict for _, _, harmed in found}
    assert {None, Outcome.OPEN_TAIL, Outcome.UNCLEAN_END, Outcome.VALID_UNANCHORED} <= verdicts
    acknowledged = sum(harmed.acknowledged for _, _, harmed in found)
    print(f"{len(found)} of {len(all_)} runs, {acknowledged} intents acknowledged, and all of them are there")
    assert acknowledged > len(found)
