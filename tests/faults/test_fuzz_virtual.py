"""Faulted replies of every kind: none is believed, no request hangs, and the next one has its answer.

`make fuzz` does the same with a hundred thousand faults under each framing (docs/fuzz.md).
"""

from __future__ import annotations

import pytest

from benchmarks.faulty_unit import FAULTS, Wire
from benchmarks.fuzz import WIRES, Tally, fuzz, fuzz_pymodbus

ROUNDS = 150  # of all kinds of faults
PEER_ROUNDS = 30
LONGEST_IN_STREAM_S = 0.001


def total(tally: Tally, what: str) -> int:
    return sum(getattr(tally, what).values())


@pytest.mark.parametrize("wire", WIRES)
def test_no_faulted_reply_is_believed_and_the_link_finds_its_way(wire: Wire) -> None:
    tally = fuzz(wire, ROUNDS * len(FAULTS), seed=7)
    assert tally.faults == dict.fromkeys(FAULTS, ROUNDS)
    assert tally.believed_wrongly == {}
    assert tally.hung == {}
    assert tally.asked_twice == {}
    assert total(tally, "lost_in_stream") == 0, tally.lost_in_stream
    assert total(tally, "not_found_again") == 0, tally.not_found_again
    assert tally.slowest_in_stream_s < LONGEST_IN_STREAM_S


@pytest.mark.parametrize(
    ("wire", "kinds"),
    [
        ("rtu", {"wrong count", "wrong function", "late, after a cancel", "none"}),
        ("tcp", {"wrong count", "wrong function"}),
    ],
)
def test_the_same_faults_show_what_another_client_believes(wire: Wire, kinds: set[str]) -> None:
    tally = fuzz_pymodbus(wire, PEER_ROUNDS * len(FAULTS), seed=7)
    assert kinds <= set(tally.believed_wrongly)
    assert total(tally, "lost_in_stream") > 0
