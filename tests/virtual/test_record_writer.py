"""The log's writer: appending never waits or raises, durable means synced, and the disk's first error is the last."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import threading
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError, RecordError
from rfctl.record import chain
from rfctl.record import writer as writer_module
from rfctl.record.opening import ThrowAway
from rfctl.record.segments import Entry, entries
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter
from tests.log_tools import OWN_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rfctl.clock import Clock
    from rfctl.virtual import VirtualClock

GIVE_UP_S = 30.0
HEADER: dict[str, object] = {
    "station": "bench-1",
    "backend": "simulated",
    "medium": "tissue",
    "hashes": {"plan": "ab" * 32},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def keys() -> ThrowAway:
    return ThrowAway("bench-1")


async def started(path: Path, clock: Clock, keys: ThrowAway, **more: object) -> RecordWriter:
    return await RecordWriter.open(path, clock=clock, keys=keys, header={**HEADER, **more})


def told(path: Path) -> list[Entry]:
    """What the log tells, its own records left out."""
    return [entry for entry in entries(path) if entry.kind not in OWN_KINDS]


def files(path: Path) -> list[Path]:
    """The files of the log; none where there is no folder."""
    return sorted(path.iterdir()) if path.exists() else []


def kinds(path: Path) -> list[str]:
    return [entry.kind for entry in told(path)]


OPEN = 4
"""Records that open a session: segment, epoch, session, checkpoint."""


class SlowDisk:
    """fdatasync that stands until it is let go, so that a test can look at the loop meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._loop = asyncio.get_running_loop()
        self._entered: asyncio.Queue[None] = asyncio.Queue()
        self._go_on = threading.Semaphore(0)
        self._real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self._fdatasync)

    def _fdatasync(self, descriptor: int) -> None:
        self.calls += 1
        self._loop.call_soon_threadsafe(self._entered.put_nowait, None)
        if not self._go_on.acquire(timeout=GIVE_UP_S):
            raise OSError(errno.ETIMEDOUT, "the test never let the disk go on")
        self._real(descriptor)

    async def entered(self) -> None:
        """Return when a sync has begun."""
        await self._entered.get()

    def let_go(self) -> None:
        """Let one sync, this or the next one, go on."""
        self._go_on.release()


class CountingClock:
    """A clock that knows how many holds are open on it."""

    def __init__(self, clock: VirtualClock) -> None:
        self.scale = clock.scale
        self.monotonic_ns = clock.monotonic_ns
        self.boottime_ns = clock.boottime_ns
        self.utc = clock.utc
        self.holds = 0
        self._clock = clock

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.holds += 1
        with self._clock.hold():
            yield
        self.holds -= 1


def failing(number: int, *, times: list[int]) -> Callable[..., Any]:
    """A system call that fails, and notes each descriptor it was tried on."""

    def call(descriptor: int, *_: object) -> int:
        times.append(descriptor)
        raise OSError(number, os.strerror(number))

    return call


async def passes() -> None:
    """Let everything run that can run now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_sealed_log_is_valid_and_holds_what_was_appended(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    await asyncio.sleep(1.5)
    record.append("decision", clock.monotonic_ns(), {"act": "arm", "power_w": 20.0, "z": math.nan}, actor='J. "Q" Doe')
    await record.seal()
    verdict = verify(path, keys.public)
    assert (verdict.verdict, verdict.records) == (Outcome.VALID_UNANCHORED, OPEN + 4)
    session, decision, close = told(path)
    assert (decision.t_ns, decision.members) == (1_500 * NS_PER_MS, {"act": "arm", "power_w": 20.0, "z": "NaN"})
    assert (decision.actor, session.actor) == ('J. "Q" Doe', "station")
    assert session.members["hashes"] == {"plan": "ab" * 32}
    assert close.kind == "session_close"


@pytest.mark.parametrize(
    "actor", ["\N{LATIN SMALL LETTER E WITH ACUTE}" * 67, "x" * 399 + '"', "\N{SNOWMAN}\N{GRINNING FACE}" * 500]
)
async def test_a_name_too_long_is_cut_where_the_record_stays_valid(
    clock: VirtualClock, path: Path, keys: ThrowAway, actor: str
) -> None:
    record = await started(path, clock, keys)
    record.append("note", 0, {}, actor=actor)
    await record.seal()
    assert verify(path, keys.public).verdict is Outcome.VALID_UNANCHORED
    _, note, _ = told(path)
    assert len(note.actor) > 30
    assert actor.startswith(note.actor)


async def test_a_session_states_who_writes_what_and_when(clock: VirtualClock, path: Path, keys: ThrowAway) -> None:
    await asyncio.sleep(2)
    utc = clock.utc()
    record = await started(path, clock, keys)
    await record.close()
    segment, epoch, session, checkpoint = entries(path)
    assert (segment.members["format"], segment.members["origin"]) == ("rfctl-record-1", keys.origin)
    assert (epoch.kind, checkpoint.members["why"]) == ("epoch", "session_open")
    stated = session.members
    assert (stated["station"], stated["backend"], stated["medium"]) == ("bench-1", "simulated", "tissue")
    assert (stated["time_scale"], str(stated["software"]).split()[0]) == ("virtual", "rfctl")
    assert (session.t_ns, stated["utc"]) == (2 * NS_PER_S, utc.isoformat())
    offset = stated["wall_offset_ns"]
    assert isinstance(offset, int)
    assert (offset + session.t_ns) // 1000 == round(utc.timestamp() * 1_000_000)
    assert segment.wall == utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_a_new_segment_is_on_disk_with_its_name_before_anything_is_appended(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real_sync, real_fsync = os.fdatasync, os.fsync

    def sync(descriptor: int) -> None:
        real_sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "fsync", fsync)
    record = await started(path, clock, keys)
    assert synced == [path.parent.name, "00000000.seg.new", "log"]
    assert len(list(entries(path))) == OPEN
    await record.close()


async def test_one_process_writes_a_log_and_each_session_is_a_segment_and_an_epoch(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    first = await started(path, clock, keys)
    with pytest.raises(ConfigError, match="another process writes this log"):
        await started(path, clock, keys)
    await first.seal()
    with pytest.raises(ConfigError, match="not of rfctl/other"):
        await started(path, clock, ThrowAway("other"))
    second = await started(path, clock, keys)
    second.append("note", 0, {})
    await second.seal()
    assert [file.name for file in files(path)] == ["00000000.seg", "00000001.seg"]
    assert {file.stat().st_mode & 0o777 for file in files(path)} == {0o440}
    assert verify(path, keys.public).verdict is Outcome.VALID_UNANCHORED
    assert [entry.epoch for entry in entries(path) if entry.kind == "epoch"] == [1, 2]


async def test_a_header_must_name_station_backend_and_medium(clock: VirtualClock, path: Path, keys: ThrowAway) -> None:
    with pytest.raises(RecordError, match="lacks station, medium"):
        await RecordWriter.open(path, clock=clock, keys=keys, header={"backend": "device"})
    assert files(path) == []


@pytest.mark.parametrize("name", ["time_scale", "t_ns", "software"])
async def test_a_header_cannot_set_what_the_writer_states(
    clock: VirtualClock, path: Path, keys: ThrowAway, name: str
) -> None:
    with pytest.raises(RecordError, match=name):
        await started(path, clock, keys, **{name: "mine"})
    assert files(path) == []


async def test_a_header_without_a_form_in_json_or_too_long_is_refused(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    with pytest.raises(RecordError, match="no JSON form"):
        await started(path, clock, keys, plan=object())
    with pytest.raises(RecordError, match="the most is 1048576"):
        await started(path, clock, keys, plan="x" * (1 << 20))
    for name in ("bench 1", "b+1", 'b"1', ""):
        with pytest.raises(ConfigError, match=r"cannot be in a record") if name else nullcontext():
            ThrowAway(name)
    assert files(path) == []


async def test_a_folder_that_cannot_be_made_is_refused(clock: VirtualClock, tmp_path: Path, keys: ThrowAway) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written"):
        await started(tmp_path / "file" / "log", clock, keys)


async def test_a_clock_that_stepped_is_told_and_the_order_stays(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    stepping = CountingClock(clock)
    record = await started(path, stepping, keys)
    for step in (timedelta(hours=-1), timedelta(days=1), timedelta(seconds=0.9), timedelta(0)):
        stepping.utc = lambda step=step: clock.utc() + step
        record.append("note", 0, {})
    stepping.boottime_ns = lambda: clock.boottime_ns() + 3600 * NS_PER_S
    stepping.utc = lambda: clock.utc() + timedelta(hours=1)
    record.checkpoint("idle")
    await record.seal()
    verdict = verify(path, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    steps = [entry.members for entry in entries(path) if entry.kind == "clock"]
    assert [int(str(step["wall_step_ns"])) // NS_PER_S for step in steps] == [-3600, 90_000, -86_400, 0]
    assert [int(str(step["suspended_ns"])) // NS_PER_S for step in steps] == [0, 0, 0, 3600]


async def test_a_segment_that_has_grown_is_closed_and_another_goes_on(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", 3_000)
    record = await started(path, clock, keys)
    for number in range(20):
        record.append("note", clock.monotonic_ns(), {"n": number, "text": "x" * 400})
        await asyncio.sleep(1)
        record.tend(clock.monotonic_ns(), energised=False)
    await record.seal()
    assert len(files(path)) > 3
    verdict = verify(path, keys.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict.detail
    assert [entry.members["n"] for entry in told(path) if entry.kind == "note"] == list(range(20))
    assert {entry.epoch for entry in entries(path)} == {1}


async def test_checkpoints_come_in_time_and_five_seconds_apart_while_energised(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    for second in range(200):
        await asyncio.sleep(1)
        record.tend(clock.monotonic_ns(), energised=150 <= second < 170)
    await record.seal()
    assert verify(path, keys.public).verdict is Outcome.VALID_UNANCHORED
    at_s = [entry.mono_ns // NS_PER_S for entry in entries(path) if entry.kind == "checkpoint"]
    assert at_s == [0, 60, 120, 151, 156, 161, 166, 200]


async def test_a_line_waits_for_a_flush_and_is_then_in_the_file(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    record.append("reading", 0, {})
    await asyncio.sleep(1)
    assert kinds(path) == ["session"]
    record.flush()
    await asyncio.sleep(1)
    assert kinds(path) == ["session", "reading"]
    await record.close()


async def test_a_significant_line_is_written_and_synced_at_once_and_nobody_waits(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    record.append("reading", 0, {})
    record.append("trip", 0, {"code": "HZ-04"}, significant=True)
    await disk.entered()
    assert kinds(path) == ["session", "reading", "trip"]
    disk.let_go()
    await record.close()
    assert disk.calls == 1


async def test_durable_waits_for_the_sync_while_time_stands_still_and_appending_goes_on(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    second_passed = asyncio.create_task(asyncio.sleep(1))
    record.append("intent", 0, {"power_w": 20.0})
    durable = asyncio.create_task(record.durable())
    await disk.entered()
    record.append("reading", 0, {"n": 1})
    await passes()
    assert not durable.done()
    assert not second_passed.done()
    assert clock.monotonic_ns() == 0
    disk.let_go()
    await durable
    assert clock.monotonic_ns() == 0
    await second_passed
    assert clock.monotonic_ns() == NS_PER_S
    assert disk.calls == 1
    assert kinds(path) == ["session", "intent"]
    await record.close()


async def test_the_clock_is_held_exactly_while_the_disk_works(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingClock(clock)
    record = await started(path, counting, keys)
    disk = SlowDisk(monkeypatch)
    assert counting.holds == 0
    record.append("trip", 0, {}, significant=True)
    assert counting.holds == 1
    await disk.entered()
    record.append("trip", 0, {}, significant=True)
    assert counting.holds == 1
    disk.let_go()
    await disk.entered()
    assert counting.holds == 1
    disk.let_go()
    await record.durable()
    assert counting.holds == 0
    monkeypatch.setattr(os, "write", failing(errno.EIO, times=[]))
    record.append("trip", 0, {})
    with pytest.raises(RecordError):
        await record.durable()
    assert counting.holds == 0
    await record.close()


async def test_what_queues_while_a_sync_runs_shares_the_next_one(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    answered: list[int] = []

    async def intend(number: int) -> None:
        record.append("intent", 0, {"n": number})
        await record.durable()
        answered.append(number)

    first = asyncio.create_task(intend(0))
    await disk.entered()
    others = [asyncio.create_task(intend(number)) for number in range(1, 65)]
    await passes()
    disk.let_go()
    await first
    await disk.entered()
    assert answered == [0]
    disk.let_go()
    await asyncio.gather(*others)
    assert answered == list(range(65))
    assert disk.calls == 2
    await record.close()


async def test_durable_with_nothing_new_returns_without_a_sync(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO, times=[]))
    await record.durable()
    await record.close()


async def test_lines_that_were_only_written_are_synced_when_durable_is_asked(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    record.append("reading", 0, {})
    record.flush()
    await asyncio.sleep(1)
    disk = SlowDisk(monkeypatch)
    disk.let_go()
    await record.durable()
    assert disk.calls == 1
    await record.close()


async def test_a_caller_that_gives_up_waiting_disturbs_nobody(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    record.append("intent", 0, {})
    impatient, patient = (asyncio.create_task(record.durable()) for _ in range(2))
    await disk.entered()
    impatient.cancel()
    await passes()
    assert impatient.cancelled()
    disk.let_go()
    await patient
    disk.let_go()
    await record.seal()
    assert verify(path, keys.public).verdict is Outcome.VALID_UNANCHORED


async def test_the_backlog_is_the_age_of_the_oldest_line_not_in_the_file(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    assert record.backlog_ns(clock.monotonic_ns()) == 0
    record.append("reading", 0, {})
    await asyncio.sleep(0.3)
    record.append("reading", 0, {})
    assert record.backlog_ns(clock.monotonic_ns()) == 300 * NS_PER_MS
    disk = SlowDisk(monkeypatch)
    durable = asyncio.create_task(record.durable())
    await disk.entered()
    record.append("reading", 0, {})
    assert record.backlog_ns(clock.monotonic_ns() + NS_PER_MS) == 301 * NS_PER_MS
    disk.let_go()
    await durable
    assert record.backlog_ns(clock.monotonic_ns() + NS_PER_MS) == NS_PER_MS
    record.flush()
    await asyncio.sleep(1)
    assert record.backlog_ns(clock.monotonic_ns()) == 0
    await record.close()


async def test_a_failed_sync_ends_the_record_for_good_and_is_never_tried_again(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    syncs: list[int] = []
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO, times=syncs))
        record.append("intent", 0, {})
        with pytest.raises(RecordError, match="Input/output error"):
            await record.durable()
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    monkeypatch.setattr(os, "fsync", syncs.append)
    assert record.failed is not None
    record.append("off", 0, {}, significant=True)
    record.append("reading", 0, {})
    record.flush()
    for ask in (record.durable, record.seal):
        with pytest.raises(RecordError, match="Input/output error"):
            await ask()
    assert len(syncs) == 1
    assert record.unrecorded == 3
    assert verify(path, keys.public).verdict is Outcome.OPEN_TAIL


async def test_everyone_who_waits_for_a_failing_sync_is_told(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO, times=[]))
    record.append("intent", 0, {})
    answers = await asyncio.gather(*(record.durable() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RecordError] * 3
    await record.close()


async def test_a_full_disk_ends_the_record_and_what_was_durable_stays(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    record.append("intent", 0, {})
    await record.durable()
    writes: list[int] = []
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC, times=writes))
    record.append("reading", 0, {}, significant=True)
    await asyncio.sleep(0.1)
    assert record.failed is not None
    assert "No space left" in str(record.failed)
    record.append("off", 0, {}, significant=True)
    await record.close()
    assert len(writes) == 1
    assert record.unrecorded == 2
    verdict = verify(path, keys.public)
    assert (verdict.verdict, verdict.records) == (Outcome.OPEN_TAIL, OPEN + 1)


async def test_a_short_write_ends_the_record_and_leaves_a_torn_line(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    real_write, syncs = os.write, list[int]()
    monkeypatch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:-9]))
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    record.append("reading", 0, {})
    record.append("reading", 0, {})
    with pytest.raises(RecordError, match=r"wrote \d+ of \d+ bytes"):
        await record.durable()
    await record.close()
    assert syncs == []
    verdict = verify(path, keys.public)
    assert verdict.verdict is Outcome.UNCLEAN_END
    assert verdict.records == OPEN + 1


async def test_the_backlog_of_a_failed_record_goes_on_growing(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    monkeypatch.setattr(os, "write", failing(errno.EIO, times=[]))
    record.append("reading", 0, {}, significant=True)
    await asyncio.sleep(2)
    assert record.backlog_ns(clock.monotonic_ns()) == 2 * NS_PER_S
    await record.close()


@pytest.mark.parametrize(
    ("kind", "t_ns", "payload"),
    [
        ("decision", 0, {"cause": object()}),
        ("decision", 0, {"t_ns": 4}),
        ("decision", 0.5, {}),
        ("Decision", 0, {}),
        ("", 0, {}),
        ('a","kind":"b', 0, {}),
        ("checkpoint", 0, {}),
        ("retired", 0, {}),
        ("decision", 0, {"text": "x" * (1 << 20)}),
        ("decision", 0, {"number": 10**5000}),
        ("decision", 0, {"keys": {1: "x"}}),
        ("decision", 0, None),
    ],
)
async def test_a_line_without_a_form_ends_the_record_before_it_and_does_not_raise(
    clock: VirtualClock, path: Path, keys: ThrowAway, kind: str, t_ns: int, payload: dict[str, object]
) -> None:
    record = await started(path, clock, keys)
    record.append("off", 0, {})
    record.append(kind, t_ns, payload)
    assert record.failed is not None
    assert record.unrecorded == 1
    with pytest.raises(RecordError, match="cannot be written"):
        await record.seal()
    verdict = verify(path, keys.public)
    assert (verdict.verdict, verdict.records) == (Outcome.OPEN_TAIL, OPEN + 1)


async def test_a_payload_that_contains_itself_ends_the_record_and_does_not_raise(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    endless: list[object] = []
    endless.append(endless)
    record.append("decision", 0, {"a": endless})
    assert record.failed is not None
    await record.close()


async def test_memory_is_bounded_when_the_disk_does_not_answer(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    monkeypatch.setattr(chain, "MAX_PENDING_BYTES", 8_000)
    disk = SlowDisk(monkeypatch)
    record.append("intent", 0, {}, significant=True)
    await disk.entered()
    for _ in range(40):
        record.append("reading", 0, {"n": 1})
    assert record.failed is not None
    assert "does not answer" in str(record.failed)
    assert 10 < record.unrecorded < 30
    disk.let_go()
    disk.let_go()
    await record.close()
    assert len(told(path)) == 42 - record.unrecorded


async def test_nothing_follows_the_seal_and_late_lines_are_counted(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    sealing = asyncio.create_task(record.seal())
    await disk.entered()
    record.append("reading", 0, {}, significant=True)
    disk.let_go()
    await sealing
    record.append("reading", 0, {}, significant=True)
    record.flush()
    await record.durable()
    assert record.unrecorded == 2
    verdict = verify(path, keys.public)
    assert (verdict.verdict, verdict.records) == (Outcome.VALID_UNANCHORED, OPEN + 3)


async def test_a_record_is_sealed_once(clock: VirtualClock, path: Path, keys: ThrowAway) -> None:
    record = await started(path, clock, keys)
    await record.seal()
    await record.close()
    with pytest.raises(RecordError, match="has ended already"):
        await record.seal()


async def test_a_record_closed_without_a_seal_keeps_its_lines_and_ends_uncleanly(
    clock: VirtualClock, path: Path, keys: ThrowAway
) -> None:
    record = await started(path, clock, keys)
    record.append("reading", 0, {})
    await record.close()
    await record.close()
    verdict = verify(path, keys.public)
    assert (verdict.verdict, verdict.records) == (Outcome.OPEN_TAIL, OPEN + 1)
    with pytest.raises(RecordError, match="without a sync"):
        await record.durable()


async def test_closing_while_a_sync_runs_waits_for_it(
    clock: VirtualClock, path: Path, keys: ThrowAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock, keys)
    disk = SlowDisk(monkeypatch)
    record.append("trip", 0, {}, significant=True)
    await disk.entered()
    record.append("reading", 0, {})
    closing = asyncio.create_task(record.close())
    await passes()
    assert not closing.done()
    disk.let_go()
    await closing
    assert kinds(path) == ["session", "trip", "reading"]
