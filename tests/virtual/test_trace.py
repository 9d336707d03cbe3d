"""The wire trace of a session: bounded, kept beside the record whatever happens, and played to the driver again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.link import trace
from rfctl.link.trace import BEGINNING, END, Trace, Traced, text_of
from rfctl.model import shipped
from rfctl.profile import any_profile
from rfctl.station import trace_replay
from tests.station_bench import plan_text, station_bench

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.station.session import Result

ABOUT = {"profile": "rfctl-reference", "link": "tcp:127.0.0.1:502"}


def test_the_beginning_and_the_end_are_kept_and_what_is_missing_is_said(tmp_path: Path) -> None:
    kept = Trace()
    for number in range(BEGINNING + END + 10):
        kept.note(number, "tx", number.to_bytes(4, "big"))
    assert (len(kept), kept.dropped) == (BEGINNING + END, 10)
    assert kept[-1] == Traced(BEGINNING + END + 9, "tx", (BEGINNING + END + 9).to_bytes(4, "big"))
    file = tmp_path / "wire.trace"
    file.write_text(text_of(ABOUT, [kept, Trace()]))
    found = trace.read(file)
    assert (found.about, found.dropped) == (ABOUT, True)
    assert found.links == (tuple(kept), ())
    assert [entry.at_ns for entry in found.links[0]][BEGINNING - 1 : BEGINNING + 1] == [BEGINNING - 1, BEGINNING + 10]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a wire trace"),
        ("# rfctl wire trace 1\n# link\n5 tx zz\n", "wire.trace:3: not an entry"),
        ("# rfctl wire trace 1\n# link\n5 up 00\n", "not an entry"),
        ("# rfctl wire trace 1\n# link\n5 tx 00 11\n", "not an entry"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "wire.trace"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        trace.read(file)


async def session_over(tmp_path: Path, clock: Clock, address: str) -> Result:
    async with station_bench(tmp_path, clock, address=address) as bench:
        return await bench.begin(bench.order(plan=plan_text(hold_s=2)))


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "pty:"])
async def test_a_session_played_again_is_asked_and_decoded_as_it_was(
    tmp_path: Path, clock: Clock, address: str
) -> None:
    result = await session_over(tmp_path, clock, address)
    assert result.document["outcome"] == "complete", result.error
    record = Path(result.document["record"])
    kept = trace.read(record.with_name("wire.trace"))
    readings = trace_replay.readings_of(record)
    same = await trace_replay.replay(kept, any_profile.load(kept.about["profile"]), readings, clock)
    assert (same.links, same.differences) == (1, 0), same.shown
    assert same.compared > 300
    assert same.requests >= same.readings >= same.compared


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        (
            'temperature_c = { offset = 0, type = "f32" }',
            'temperature_c = { offset = 0, type = "f32", scale = 2.0 }',
            r"temperature_c of channel 1 was (.*), is ",
        ),
        ("address = 40\n", "address = 46\n", r"identify: the driver asks [0-9a-f]{12}0104002e"),
    ],
)
async def test_a_profile_that_asks_or_reads_otherwise_is_shown(
    tmp_path: Path, clock: Clock, was: str, becomes: str, says: str
) -> None:
    result = await session_over(tmp_path, clock, "tcp:127.0.0.1:0")
    record = Path(result.document["record"])
    kept = trace.read(record.with_name("wire.trace"))
    text = shipped.find("generators", "rfctl-reference").read_text()
    assert text.count(was) == 1
    other = tmp_path / "other.toml"
    other.write_text(text.replace(was, becomes))
    found = await trace_replay.replay(kept, any_profile.load(str(other)), trace_replay.readings_of(record), clock)
    assert found.differences
    assert re.search(says, found.shown[0]), found.shown


async def test_a_session_that_fails_keeps_its_trace(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        task = bench.begin()
        await bench.in_hold(for_s=1)
        await bench.simulator.close()
        result = await task
    assert result.document["outcome"] != "complete"
    kept = trace.read(Path(result.document["record"]).with_name("wire.trace"))
    assert [entry.direction for entry in kept.links[0]].count("rx") > 100
