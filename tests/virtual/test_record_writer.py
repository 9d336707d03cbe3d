"""The writer: appending never waits or raises, durable means synced, and the first error of the disk is the last."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import math
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError, RecordError
from rfctl.record import writer as writer_module
from rfctl.record.boot import boot_id
from rfctl.record.keys import PublicKey, generate, public_half
from rfctl.record.reader import read_entries
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rfctl.virtual import VirtualClock

KEY = generate()
ORIGIN = "rfctl/bench-1"
GIVE_UP_S = 30.0
HEADER: dict[str, object] = {
    "station": "bench-1",
    "backend": "simulated",
    "medium": "tissue",
    "hashes": {"plan": "ab" * 32},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.jsonl"


@pytest.fixture
def public_key() -> PublicKey:
    return public_half(KEY, ORIGIN)


async def started(path: Path, clock: VirtualClock, **more: object) -> RecordWriter:
    return await RecordWriter.create(path, clock=clock, signing_key=KEY, header={**HEADER, **more})


def content(path: Path) -> bytes | None:
    """The bytes of the file, None where there is none."""
    return path.read_bytes() if path.exists() else None


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

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.holds += 1
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


async def test_a_sealed_record_is_valid_and_holds_what_was_appended(
    clock: VirtualClock, path: Path, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    await asyncio.sleep(1.5)
    assert record.append("decision", clock.monotonic_ns(), {"act": "arm", "power_w": 20.0}) == 1
    assert record.append_values("reading", clock.monotonic_ns(), (1, (math.nan, 36.5), True)) == 2
    await record.seal()
    assert verify(path, public_key).verdict is Outcome.VALID_UNANCHORED
    header, decision, reading, _ = read_entries(path)
    assert (decision.t_ns, decision.members) == (1_500 * NS_PER_MS, {"act": "arm", "power_w": 20.0})
    assert reading.members == {"v": [1, ["NaN", 36.5], True]}
    assert header.members["hashes"] == {"plan": "ab" * 32}


async def test_the_first_line_states_who_writes_what_and_when(
    clock: VirtualClock, path: Path, public_key: PublicKey
) -> None:
    await asyncio.sleep(2)
    utc = clock.utc()
    record = await started(path, clock)
    await record.close()
    (header,) = read_entries(path)
    assert (header.kind, header.t_ns) == ("open", 2 * NS_PER_S)
    stated = header.members
    assert (stated["format"], stated["origin"]) == ("rfctl-record-0", ORIGIN)
    assert stated["public_key"] == public_key.raw.hex()
    assert (stated["time_scale"], stated["boot_id"], stated["utc"]) == ("virtual", boot_id(), utc.isoformat())
    offset = stated["wall_offset_ns"]
    assert isinstance(offset, int)
    assert (offset + header.t_ns) // 1000 == round(utc.timestamp() * 1_000_000)


async def test_a_new_record_is_on_disk_with_its_name_before_anything_is_appended(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    record = await started(path, clock)
    assert synced == [str(path), str(path.parent)]
    assert len(list(read_entries(path))) == 1
    await record.close()


async def test_a_record_is_never_overwritten(clock: VirtualClock, path: Path) -> None:
    somebodys = await started(path, clock)
    await somebodys.seal()
    stored = content(path)
    with pytest.raises(ConfigError, match="exists already"):
        await started(path, clock)
    assert content(path) == stored


async def test_a_record_in_a_missing_folder_is_refused(clock: VirtualClock, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be created"):
        await started(tmp_path / "absent" / "record.jsonl", clock)


async def test_a_header_must_name_station_backend_and_medium(clock: VirtualClock, path: Path) -> None:
    with pytest.raises(RecordError, match="lacks station, medium"):
        await RecordWriter.create(path, clock=clock, signing_key=KEY, header={"backend": "device"})
    assert content(path) is None


@pytest.mark.parametrize("name", ["seq", "prev", "kind", "t", "format", "origin", "public_key"])
async def test_a_header_cannot_set_what_the_writer_states(clock: VirtualClock, path: Path, name: str) -> None:
    with pytest.raises(RecordError, match=name):
        await started(path, clock, **{name: "mine"})
    assert content(path) is None


async def test_a_header_without_a_form_in_json_or_too_long_is_refused(clock: VirtualClock, path: Path) -> None:
    with pytest.raises(RecordError, match="no JSON form"):
        await started(path, clock, plan=object())
    with pytest.raises(RecordError, match="the most is 1048576"):
        await started(path, clock, plan="x" * (1 << 20))
    with pytest.raises(ConfigError, match="visible ASCII"):
        await started(path, clock, station="bench 1")
    assert content(path) is None


async def test_a_line_waits_for_a_flush_and_is_then_in_the_file(clock: VirtualClock, path: Path) -> None:
    record = await started(path, clock)
    record.append("reading", 0, {})
    await asyncio.sleep(1)
    assert len(list(read_entries(path))) == 1
    record.flush()
    await asyncio.sleep(1)
    assert len(list(read_entries(path))) == 2
    await record.close()


async def test_a_significant_line_is_written_and_synced_at_once_and_nobody_waits(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    disk = SlowDisk(monkeypatch)
    record.append("reading", 0, {})
    record.append("trip", 0, {"code": "HZ-04"}, significant=True)
    await disk.entered()
    assert [entry.kind for entry in read_entries(path)] == ["open", "reading", "trip"]
    disk.let_go()
    await record.close()
    assert disk.calls == 1


async def test_durable_waits_for_the_sync_while_time_stands_still_and_appending_goes_on(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    disk = SlowDisk(monkeypatch)
    second_passed = asyncio.create_task(asyncio.sleep(1))
    record.append("intent", 0, {"power_w": 20.0})
    durable = asyncio.create_task(record.durable())
    await disk.entered()
    assert record.append("reading", 0, {"n": 1}) == 2
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
    assert [entry.kind for entry in read_entries(path)] == ["open", "intent"]
    await record.close()


async def test_the_clock_is_held_exactly_while_the_disk_works(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = CountingClock(clock)
    record = await RecordWriter.create(path, clock=counting, signing_key=KEY, header=HEADER)
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
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
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
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO, times=[]))
    await record.durable()
    await record.close()


async def test_lines_that_were_only_written_are_synced_when_durable_is_asked(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    record.append("reading", 0, {})
    record.flush()
    await asyncio.sleep(1)
    disk = SlowDisk(monkeypatch)
    disk.let_go()
    await record.durable()
    assert disk.calls == 1
    await record.close()


async def test_a_caller_that_gives_up_waiting_disturbs_nobody(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, public_key: PublicKey
) -> None:
    record = await started(path, clock)
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
    assert verify(path, public_key).verdict is Outcome.VALID_UNANCHORED


async def test_the_backlog_is_the_age_of_the_oldest_line_not_in_the_file(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
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
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    syncs: list[int] = []
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", failing(errno.EIO, times=syncs))
        record.append("intent", 0, {})
        with pytest.raises(RecordError, match="Input/output error"):
            await record.durable()
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    monkeypatch.setattr(os, "fsync", syncs.append)
    assert record.failed is not None
    assert record.append("off", 0, {}, significant=True) == 2
    assert record.append_values("reading", 0, [1.0]) == 3
    record.flush()
    for ask in (record.durable, record.seal):
        with pytest.raises(RecordError, match="Input/output error"):
            await ask()
    assert len(syncs) == 1
    assert record.unrecorded == 3
    assert verify(path, public_key).verdict is Outcome.UNCLEAN_END


async def test_everyone_who_waits_for_a_failing_sync_is_told(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    monkeypatch.setattr(os, "fdatasync", failing(errno.EIO, times=[]))
    record.append("intent", 0, {})
    answers = await asyncio.gather(*(record.durable() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RecordError] * 3
    await record.close()


async def test_a_full_disk_ends_the_record_and_what_was_durable_stays(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    record.append("intent", 0, {})
    await record.durable()
    writes: list[int] = []
    monkeypatch.setattr(os, "write", failing(errno.ENOSPC, times=writes))
    record.append("reading", 0, {}, significant=True)
    await asyncio.sleep(0.1)
    assert record.failed is not None
    assert "No space left" in str(record.failed)
    assert record.append("off", 0, {}, significant=True) == 3
    await record.close()
    assert len(writes) == 1
    assert record.unrecorded == 2
    verdict = verify(path, public_key)
    assert (verdict.verdict, verdict.records) == (Outcome.UNCLEAN_END, 2)


async def test_a_short_write_ends_the_record_and_leaves_a_torn_line(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    real_write, syncs = os.write, list[int]()
    monkeypatch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:-9]))
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    record.append("reading", 0, {})
    record.append("reading", 0, {})
    with pytest.raises(RecordError, match=r"wrote \d+ of \d+ bytes"):
        await record.durable()
    await record.close()
    assert syncs == []
    verdict = verify(path, public_key)
    assert (verdict.verdict, verdict.records) == (Outcome.UNCLEAN_END, 2)
    assert "torn" in verdict.detail


async def test_the_backlog_of_a_failed_record_goes_on_growing(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    monkeypatch.setattr(os, "write", failing(errno.EIO, times=[]))
    record.append("reading", 0, {}, significant=True)
    await asyncio.sleep(2)
    assert record.backlog_ns(clock.monotonic_ns()) == 2 * NS_PER_S
    await record.close()


@pytest.mark.parametrize(
    ("kind", "t_ns", "payload"),
    [
        ("decision", 0, {"cause": object()}),
        ("decision", 0, {"seq": 4}),
        ("decision", 0, {"t": 4}),
        ("decision", 0, {"signature": ""}),
        ("decision", 0.5, {}),
        ("Decision", 0, {}),
        ("", 0, {}),
        ('a","kind":"b', 0, {}),
        ("seal", 0, {}),
        ("open", 0, {}),
        ("decision", 0, {"text": "x" * (1 << 20)}),
        ("decision", 0, {"number": 10**5000}),
        ("decision", 0, {"keys": {1: "x"}}),
        ("decision", 0, None),
    ],
)
async def test_a_line_without_a_form_ends_the_record_before_it_and_does_not_raise(
    clock: VirtualClock, path: Path, public_key: PublicKey, kind: str, t_ns: int, payload: dict[str, object]
) -> None:
    record = await started(path, clock)
    record.append("off", 0, {})
    assert record.append(kind, t_ns, payload) == 2
    assert record.failed is not None
    assert record.unrecorded == 1
    with pytest.raises(RecordError, match="cannot be recorded"):
        await record.seal()
    verdict = verify(path, public_key)
    assert (verdict.verdict, verdict.records) == (Outcome.UNCLEAN_END, 2)


async def test_a_payload_that_contains_itself_ends_the_record_and_does_not_raise(
    clock: VirtualClock, path: Path
) -> None:
    record = await started(path, clock)
    endless: list[object] = []
    endless.append(endless)
    record.append("decision", 0, {"a": endless})
    assert record.failed is not None
    await record.close()
    record = await started(path.with_name("second.jsonl"), clock)
    record.append_values("reading", 0, endless)
    assert record.failed is not None
    await record.close()


async def test_values_that_are_text_end_the_record_and_do_not_raise(clock: VirtualClock, path: Path) -> None:
    record = await started(path, clock)
    record.append_values("reading", 0, ["37.0"])
    assert record.failed is not None
    await record.close()


async def test_memory_is_bounded_when_the_disk_does_not_answer(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_PENDING_BYTES", 2_000)
    record = await started(path, clock)
    disk = SlowDisk(monkeypatch)
    record.append("intent", 0, {}, significant=True)
    await disk.entered()
    for _ in range(40):
        record.append("reading", 0, {"n": 1})
    assert record.failed is not None
    assert "does not answer" in str(record.failed)
    assert 20 < record.unrecorded < 30
    disk.let_go()
    disk.let_go()
    await record.close()
    assert len(list(read_entries(path))) == 42 - record.unrecorded


async def test_nothing_follows_the_seal_and_late_lines_are_counted(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    disk = SlowDisk(monkeypatch)
    sealing = asyncio.create_task(record.seal())
    await disk.entered()
    record.append("reading", 0, {}, significant=True)
    disk.let_go()
    await sealing
    record.append_values("reading", 0, [1.0], significant=True)
    record.flush()
    await record.durable()
    assert record.unrecorded == 2
    verdict = verify(path, public_key)
    assert (verdict.verdict, verdict.records) == (Outcome.VALID_UNANCHORED, 1)


async def test_a_record_is_sealed_once(clock: VirtualClock, path: Path) -> None:
    record = await started(path, clock)
    await record.seal()
    await record.close()
    with pytest.raises(RecordError, match="has ended already"):
        await record.seal()


async def test_a_record_closed_without_a_seal_keeps_its_lines_and_ends_uncleanly(
    clock: VirtualClock, path: Path, public_key: PublicKey
) -> None:
    record = await started(path, clock)
    record.append("reading", 0, {})
    await record.close()
    await record.close()
    verdict = verify(path, public_key)
    assert (verdict.verdict, verdict.records) == (Outcome.UNCLEAN_END, 2)
    with pytest.raises(RecordError, match="without a sync"):
        await record.durable()


async def test_an_open_record_is_locked_against_a_second_writer(clock: VirtualClock, path: Path) -> None:
    record = await started(path, clock)
    with path.open("ab") as second, pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    await record.close()
    with path.open("ab") as second:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_closing_while_a_sync_runs_waits_for_it(
    clock: VirtualClock, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await started(path, clock)
    disk = SlowDisk(monkeypatch)
    record.append("trip", 0, {}, significant=True)
    await disk.entered()
    record.append("reading", 0, {})
    closing = asyncio.create_task(record.close())
    await passes()
    assert not closing.done()
    disk.let_go()
    await closing
    assert [entry.kind for entry in read_entries(path)] == ["open", "trip", "reading"]
