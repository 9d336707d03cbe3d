"""The garbage collector stays away while an output is on."""

import gc
from collections.abc import Iterator

import pytest

from rfctl.kernel.phase import ENERGISED, Phase
from rfctl.station.garbage import TIDY_CYCLES, collected_by_hand, tidy
from tests.unit.kernel.bench import at

pytestmark = pytest.mark.slow


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Generations that were collected."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_nothing_is_collected_by_itself_and_afterwards_it_is_again(collections: list[int]) -> None:
    assert gc.isenabled()
    with collected_by_hand():
        collections.clear()
        kept = [[number] for number in range(100_000)]
        assert collections == []
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert len(kept) == 100_000


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ANAESTHETIC_WAIT, Phase.COOLING])
def test_with_nothing_on_what_gathered_is_collected_every_20_s(phase: Phase, collections: list[int]) -> None:
    state = at(phase).state
    collections.clear()
    with collected_by_hand():
        collections.clear()
        tidy(state, TIDY_CYCLES)
        tidy(state, TIDY_CYCLES + 1)
        assert collections == [0]


@pytest.mark.parametrize("phase", sorted(ENERGISED))
def test_with_an_output_on_nothing_is_collected(phase: Phase, collections: list[int]) -> None:
    state = at(phase).state
    with collected_by_hand():
        collections.clear()
        tidy(state, TIDY_CYCLES)
        assert collections == []
