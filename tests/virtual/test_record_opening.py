"""A log that is not where this station left it is not gone on with; a recovery that was cut short is finished."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import ConfigError
from rfctl.record import opening
from rfctl.record.body import framed, segment_name
from rfctl.record.epochs import Epoch
from rfctl.record.opening import Damaged, ThrowAway, scan
from rfctl.record.segments import bodies, entries, segment_numbers
from rfctl.record.standing import Standing, load
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter
from tests.prepared_keys import damage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.virtual import VirtualClock

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}


async def session(log: Path, clock: VirtualClock, keys: ThrowAway, *notes: str, sealed: bool = True) -> None:
    record = await RecordWriter.open(log, clock=clock, keys=keys, header=HEADER)
    for note in notes:
        record.append("note", 0, {"text": note})
    await record.durable()
    await (record.seal() if sealed else record.close())


def copied(log: Path, name: str) -> Path:
    """The log without what lies beside it."""
    copy = log.with_name(name)
    shutil.copytree(log, copy)
    return copy


def put_back(copy: Path, log: Path) -> None:
    shutil.rmtree(log)
    shutil.copytree(copy, log)


async def test_an_older_copy_is_not_gone_on_with(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one")
    old = copied(log, "old")
    await session(log, clock, keys, "two")
    new = copied(log, "new")
    put_back(old, log)
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED
    with pytest.raises(ConfigError, match="it has 8 records, this station has signed 15"):
        await session(log, clock, keys, "three")
    shutil.rmtree(log)
    with pytest.raises(ConfigError, match="it has 0 records"):
        await session(log, clock, keys, "three")
    put_back(new, log)
    await session(log, clock, keys, "three")
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED


async def test_an_older_copy_that_went_on_elsewhere_is_not_gone_on_with(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one")
    old = copied(log, "old")
    await session(old, clock, keys, "other", "and more", "and more")
    await session(log, clock, keys, "two")
    put_back(old, log)
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED
    with pytest.raises(ConfigError, match="its first 15 records are not those that this station has signed"):
        await session(log, clock, keys, "three")


@pytest.mark.parametrize("head", ["x", "rfctl/bench-1\nx\nAAAA\n", "rfctl/bench-1\n3\n?\n"])
async def test_a_head_that_cannot_be_read_is_an_error(clock: VirtualClock, tmp_path: Path, head: str) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys)
    (tmp_path / "log.state" / "head").write_text(head)
    with pytest.raises(ConfigError, match="is no checkpoint"):
        await session(log, clock, keys)


async def test_a_recovery_that_was_cut_short_is_finished_by_the_next(clock: VirtualClock, tmp_path: Path) -> None:
    class NoKeys(ThrowAway):
        """The recovery is through, the new segment is not there yet."""

        def begin(self, standing: Standing, now: object) -> Epoch:
            raise KeyboardInterrupt

    log, keys = tmp_path / "log", ThrowAway("bench-1")
    await session(log, clock, keys, "one", sealed=False)
    with (log / "00000000.seg").open("ab") as file:
        file.write(b"\0\0\1\0torn")
    cut_short = NoKeys("bench-1")
    cut_short.origin = keys.origin
    with pytest.raises(KeyboardInterrupt):
        await session(log, clock, cut_short)
    assert (log / "00000000.seg.torn").read_bytes() == b"\0\0\1\0torn"
    await session(log, clock, keys, "two")
    verdict = verify(log, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    (recovered,) = [entry.members for entry in entries(log) if entry.kind == "recovered"]
    assert recovered["torn_bytes"] == 8


def segments_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the segments whose records are looked at, in order."""
    found: list[int] = []

    def taken(scan: Any, body: bytes, where: str, index: int) -> None:
        if index not in found:
            found.append(index)
        take(scan, body, where, index)

    take = opening._Scan.take
    monkeypatch.setattr(opening._Scan, "take", taken)
    return found


async def test_a_session_reads_only_what_came_since_the_one_before_began(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(5):
        found = segments_read(monkeypatch)
        await session(log, clock, keys, str(number), sealed=number != 2)
        assert found == ([number - 1] if number else [])
        monkeypatch.undo()
    verdict = verify(log, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED
    noted, whole = load(log, keys.origin, before=verdict.records), scan(log, keys.origin, before=4)
    assert noted is not None
    assert (noted.index, noted.prev, noted.epoch) == (whole.index, whole.prev, whole.epoch) == (4, noted.prev, 4)
    assert (noted.tree.size, noted.tree.nodes) == (whole.tree.size, whole.tree.nodes)
    assert noted.last_checkpoint == whole.last_checkpoint


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "gone"])
@pytest.mark.parametrize("name", ["00000000.seg", "00000001.seg"])
async def test_a_file_of_before_that_is_short_or_gone_is_noticed_at_once(
    clock: VirtualClock, tmp_path: Path, name: str, cut: bool
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(4):
        await session(log, clock, keys, str(number))
    (log / name).chmod(0o600)
    if cut:
        (log / name).write_bytes((log / name).read_bytes()[:-1])
    else:
        (log / name).unlink()
    with pytest.raises(Damaged):
        await session(log, clock, keys, "more")


def reword(log: Path, number: int) -> None:
    """An edit with a check sum that fits, for somebody who knows the format."""
    path = log / segment_name(number)
    reworded = b"".join(
        framed(body.replace(b'"text":"%d"' % number, b'"text":"x"')) for body in bodies(log, number, last=False)
    )
    path.chmod(0o600)
    path.write_bytes(reworded)


@pytest.mark.parametrize("change", [damage, reword])
@pytest.mark.parametrize("segment", range(4))
async def test_what_was_changed_long_ago_is_found_when_its_turn_comes(
    clock: VirtualClock, tmp_path: Path, segment: int, change: Callable[[Path, int], None]
) -> None:
    """Each session reads one old segment more; a verifier finds it at once."""
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(5):
        await session(log, clock, keys, str(number))
    change(log, segment)
    verdict = verify(log, keys.public)
    assert verdict.verdict in {Outcome.MODIFIED, Outcome.CORRUPT}
    more = 2 * len(segment_numbers(log))
    with pytest.raises(Damaged):
        for _ in range(more):
            await session(log, clock, keys, "more")
    with pytest.raises(Damaged):
        await session(log, clock, keys, "more")


def with_other_nodes(note: dict[str, Any]) -> dict[str, Any]:
    return note | {"nodes": [node[::-1] for node in note["nodes"]]}


@pytest.mark.parametrize(
    "forged",
    [
        with_other_nodes,
        lambda note: note | {"size": note["size"] + 1},
        lambda note: note | {"size": 0, "nodes": []},
        lambda note: note | {"index": note["index"] - 1},
        lambda note: note | {"index": 3},
        lambda note: note | {"index": -1},
        lambda note: note | {"index": "1"},
        lambda note: note | {"prev": "0" * 64},
        lambda note: note | {"first": 1},
        lambda note: note | {"turn": "0"},
        lambda note: note | {"bytes": []},
        lambda note: note | {"chained": {"1": "AAAA"}},
        lambda note: {},
        lambda note: [],
        lambda note: None,
    ],
)
async def test_a_note_that_the_log_does_not_bear_out_counts_for_nothing(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: Callable[[Any], Any]
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(3):
        await session(log, clock, keys, str(number))
    note = tmp_path / "log.state" / "standing"
    note.write_text(json.dumps(forged(json.loads(note.read_text()))))
    found = segments_read(monkeypatch)
    await session(log, clock, keys, "more")
    assert found == [0, 1, 2]
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED


@pytest.mark.parametrize("text", [b"", b"\0" * 700, b"{", b"[" * 100_000])
async def test_a_note_that_was_lost_counts_for_nothing(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(2):
        await session(log, clock, keys, str(number))
    (tmp_path / "log.state" / "standing").write_bytes(text)
    found = segments_read(monkeypatch)
    await session(log, clock, keys, "more")
    assert found == [0, 1]


async def test_without_a_head_of_its_own_a_station_reads_the_whole_log(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, keys = tmp_path / "log", ThrowAway("bench-1")
    for number in range(3):
        await session(log, clock, keys, str(number))
    (tmp_path / "log.state" / "head").unlink()
    found = segments_read(monkeypatch)
    await session(log, clock, keys, "more")
    assert found == [0, 1, 2]
