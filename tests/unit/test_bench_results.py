"""What `make bench` makes of measurements: which goals are met, and what is written."""

from __future__ import annotations

import importlib
import json
from math import nan

import pytest

from benchmarks.__main__ import GROUPS
from benchmarks.report import page, table
from benchmarks.rounds import busy_neighbours, one_core, quantile, responder
from benchmarks.row import Row

FASTER = Row("transactions", "1/s", 200.0, [1.5, 2.5, 2.0], 2.0, "higher", peer=100.0, peer_name="somebody 1.0")
LATER = Row("lateness", "us", 900.0, [0.9, 1.2, 1.1], 1.0, "lower", limit=1000.0, limit_name="allowed", note="By day.")
REFUSED = Row("real time", "us", nan, [], 1.0, "lower", limit=1000.0, limit_name="allowed", note="Not permitted.")


def test_the_median_of_the_rounds_meets_the_goal_or_not() -> None:
    assert (FASTER.ratio, FASTER.met) == (2.0, True)
    assert (LATER.ratio, LATER.met) == (1.1, False)
    assert not REFUSED.met


def test_a_result_has_the_same_members_whatever_was_measured() -> None:
    members = ["metric", "unit", "ours", "peer", "peer_name", "limit", "ratio", "goal", "better", "met", "runs"]
    for row in (FASTER, LATER, REFUSED):
        written = json.loads(json.dumps(row.as_json("group"), allow_nan=False))
        assert [name for name in written if name in members] == members
        assert isinstance(written["goal"], float)
    assert (written["ours"], written["ratio"], written["runs"]) == (None, None, [])


def test_the_table_shows_the_spread_the_goal_and_what_was_missed() -> None:
    lines = table([row.as_json("group") for row in (FASTER, LATER, REFUSED)]).splitlines()
    assert lines[2] == "| transactions | 1/s | 200 | 100 (somebody 1.0) | 1.5, **2**, 2.5 | >= 2 | yes |"
    assert lines[3] == "| lateness | us | 900 | 1,000 (allowed) | 0.9, **1.1**, 1.2 | <= 1 | **no** |"
    assert "not measured" in lines[4]
    assert lines[6:] == ["- lateness: By day.", "- real time: Not permitted."]


def test_the_page_names_versions_and_machine() -> None:
    text = page([FASTER.as_json("group")])
    assert "pymodbus 3." in text
    assert "Python 3." in text


@pytest.mark.parametrize(("part", "value"), [(0.5, 500), (0.99, 990), (0.999, 999), (1.0, 1000), (0.0001, 1)], ids=str)
def test_a_quantile_is_a_value_that_was_measured(part: float, value: int) -> None:
    assert quantile(range(1000, 0, -1), part) == value
    assert quantile([7], part) == 7


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_can_be_loaded_without_the_clients_it_compares_with(group: str) -> None:
    module, _, function = GROUPS[group].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.real_time
def test_the_responder_answers_each_connection_anew_and_its_time_is_counted() -> None:
    import socket

    def new_answer():
        count = 0

        def answer(request: bytes) -> bytes:
            nonlocal count
            count += 1
            return request + str(count).encode()

        return answer

    with one_core(), responder(new_answer) as server, busy_neighbours(1):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", server.port), 5.0) as connection:
                for number in (b"1", b"2"):
                    connection.sendall(b"x")
                    assert connection.recv(10) == b"x" + number
        assert 0 < server.served_ns() < server.spent_ns()
