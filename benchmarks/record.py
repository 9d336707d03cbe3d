"""Durable appends to a log beside a loop of write and fdatasync in C, many callers at once, and verifying.

The loop in C writes as many bytes a record into the same folder; rounds take turns, because a disk's speed changes from
one minute to the next. What many callers gain over one grows with the time of a sync, so they are compared on this
disk, and on one that takes as long as the one of the goal. What is verified is a log of 4 channels at 20 Hz, beside one
SHA-256 over the same bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import statistics
import subprocess
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.row import Row
from rfctl.clock import NS_PER_S, RealClock
from rfctl.kernel.effects import Renew
from rfctl.kernel.events import Sampled
from rfctl.model.reading import ChannelReading, Reading
from rfctl.record.body import FRAME, NO_LEAF, chunk_name, segment_name
from rfctl.record.disk import Disk
from rfctl.record.disk_thread import DiskThread
from rfctl.record.opening import ThrowAway
from rfctl.record.verify import verify
from rfctl.record.writer import RecordWriter
from rfctl.virtual import VirtualClock, run_virtual

if TYPE_CHECKING:
    from rfctl_verify.public_key import Key

ROUNDS, QUICK_ROUNDS = 9, 3
APPENDS, QUICK_APPENDS = 400, 100  # of a round, one after the other
CALLERS = 64
SYNC_S = 0.0005
"""Of the disk that the goal for many callers was set on (docs/decisions/0016-what-a-cycle-and-a-commit-cost.md)."""
ONE_GOAL, CALLERS_GOAL, VERIFY_MB_PER_S = 0.9, 15.0, 400.0
CHANNELS, POLL_NS = 4, NS_PER_S // 20
SECONDS, QUICK_SECONDS = 3600, 600
DISK = Path("/var/tmp")  # /tmp may have no disk
CHUNK = re.compile(rb'"bytes":(\d+),"frames":\d+,"sha256":"([0-9a-f]{64})"')
HEADER = {"station": "bench", "backend": "simulated", "medium": "load"}
INTENT = {"nonce": "1234-1", "channel": 1, "permits": "lesion", "envelope": {"temperature_c": 80.0, "power_w": 12.0}}
CHANNEL = ChannelReading(
    *(
        79.9,
        25.1,
        31.5,
        90.2,
        90.1,
        2.84,
        180.2,
        True,
        False,
        True,
        False,
        True,
        3,
        1000,
        50.0,
        0.0,
        77,
        0,
        9000,
        0,
        0.0,
    )
)


class Rates(NamedTuple):
    """Of one round, records/s.

    Attributes:
        one: One after the other.
        in_c: Write and fdatasync in C.
        handed: Bare bytes that a loop hands to a thread.
        many: By many callers.
        steady_one: One after the other, on the steady disk.
        steady_many: By many callers there.
    """

    one: float
    in_c: float
    handed: float
    many: float
    steady_one: float
    steady_many: float


class SteadyDisk(Disk):
    """The disk, where no sync is done sooner than that."""

    def sync(self, descriptor: int) -> None:
        due_s = time.perf_counter() + SYNC_S
        super().sync(descriptor)
        time.sleep(max(due_s - time.perf_counter(), 0.0))


def rows(*, quick: bool) -> list[Row]:
    rounds, appends = (QUICK_ROUNDS, QUICK_APPENDS) if quick else (ROUNDS, APPENDS)
    with tempfile.TemporaryDirectory(dir=DISK) as name:
        folder = Path(name)
        loop = folder / "append_loop"
        subprocess.run(["cc", "-O2", "-o", loop, Path(__file__).with_name("append_loop.c")], check=True)
        found = [_round(folder / str(number), loop, appends) for number in range(rounds)]
        verified = _verified(folder / "long", rounds, QUICK_SECONDS if quick else SECONDS)
    of = Rates(*map(statistics.median, zip(*found, strict=True)))
    return [
        Row(
            "durable record appends, 1 writer",
            "records/s",
            of.one,
            [each.one / each.in_c for each in found],
            ONE_GOAL,
            "higher",
            peer=of.in_c,
            peer_name="write and fdatasync in C",
            beside={"bytes that a bare loop hands to a thread": of.handed},
            note=(
                "Chained, stamped and framed; as many bytes a record. The loop that decides never waits for the disk: "
                "each record goes to a thread and back. That alone, with nothing made, reaches "
                f"{statistics.median(each.handed / each.in_c for each in found):.2f} of the loop in C, where a record "
                f"took {1e6 / of.in_c:,.0f} us; the quicker the disk, the lower the ratio."
            ),
        ),
        Row(
            f"durable record appends, {CALLERS} concurrent callers",
            "records/s",
            of.many,
            [each.many / each.one for each in found],
            CALLERS_GOAL,
            "higher",
            peer=of.one,
            peer_name="one by one",
        ),
        Row(
            f"durable record appends, {CALLERS} concurrent callers, a sync takes {SYNC_S * 1e3:g} ms",
            "records/s",
            of.steady_many,
            [each.steady_many / each.steady_one for each in found],
            CALLERS_GOAL,
            "higher",
            peer=of.steady_one,
            peer_name="one by one",
        ),
        verified,
    ]


def _round(folder: Path, loop: Path, appends: int) -> Rates:
    folder.mkdir()
    one_s, record_bytes = asyncio.run(_appended(folder / "one", Disk(), callers=1, each=appends))
    done = subprocess.run(
        [loop, folder / "c", str(appends), str(record_bytes)], check=True, capture_output=True, text=True
    )
    handed_s = asyncio.run(_handed(folder / "handed", appends, b"x" * record_bytes))
    each = max(appends // 8, 1)
    many_s, _ = asyncio.run(_appended(folder / "many", Disk(), callers=CALLERS, each=each))
    steady_s, _ = asyncio.run(_appended(folder / "steady", SteadyDisk(), callers=1, each=appends))
    steady_many_s, _ = asyncio.run(_appended(folder / "steady-many", SteadyDisk(), callers=CALLERS, each=each))
    many = CALLERS * each
    in_c_s = int(done.stdout) / 1e9
    return Rates(
        appends / one_s, appends / in_c_s, appends / handed_s, many / many_s, appends / steady_s, many / steady_many_s
    )


async def _handed(path: Path, count: int, data: bytes) -> float:
    """Seconds that a loop needs which has a thread write and sync, and does nothing else."""
    disk, thread = Disk(), DiskThread()
    descriptor = disk.create(path)

    def store() -> None:
        disk.write(descriptor, data)
        disk.sync(descriptor)

    begun = time.perf_counter()
    for _ in range(count):
        await thread.run(store)
    spent_s = time.perf_counter() - begun
    thread.end()
    disk.close(descriptor)
    return spent_s


async def _appended(path: Path, disk: Disk, *, callers: int, each: int) -> tuple[float, int]:
    """Seconds, and bytes a record."""
    clock = RealClock()
    record = await RecordWriter.open(path, clock=clock, keys=ThrowAway("bench"), header=HEADER, disk=disk)
    segment = path / "00000000.seg"
    before = segment.stat().st_size

    async def caller() -> None:
        for _ in range(each):
            record.append("intent", clock.monotonic_ns(), INTENT)
            await record.durable()

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    spent_s = time.perf_counter() - begun
    record_bytes = (segment.stat().st_size - before) // (callers * each)
    await record.seal()
    return spent_s, record_bytes


def _verified(path: Path, rounds: int, seconds: int) -> Row:
    key = run_virtual(_written(path, seconds))
    files = sorted(path.iterdir())
    size_mb = sum(file.stat().st_size for file in files) / 1e6
    found = [(size_mb / _verify_s(path, key), size_mb / _hash_s(files), size_mb / _bare_s(path)) for _ in range(rounds)]
    ours, hashed, bare = zip(*found, strict=True)
    return Row(
        "verify a record",
        "MB/s",
        statistics.median(ours),
        [one / VERIFY_MB_PER_S for one in ours],
        1.0,
        "higher",
        limit=VERIFY_MB_PER_S,
        limit_name="the least that is wanted",
        beside={
            "one SHA-256 over the bytes": statistics.median(hashed),
            "cut, hashed and chained in Python, nothing else looked at": statistics.median(bare),
        },
        note=f"{seconds} s of {CHANNELS} channels at 20 Hz, processor time; strict JSON, tree, chain, signatures.",
    )


async def _written(path: Path, seconds: int) -> Key:
    clock, keys = VirtualClock.running(), ThrowAway("bench")
    record = await RecordWriter.open(path, clock=clock, keys=keys, header=HEADER)
    for number in range(seconds * NS_PER_S // POLL_NS):
        now_ns = clock.monotonic_ns()
        reading = Reading(now_ns, number, number, 1, 500, 0, 1, 12.5, (CHANNEL,) * CHANNELS)
        record.decided(Sampled(now_ns, reading), (Renew(),), significant=False)
        record.tend(now_ns, energised=True)
        await asyncio.sleep(POLL_NS / NS_PER_S)
    await record.seal()
    return keys.public


def _verify_s(path: Path, key: Key) -> float:
    begun = time.process_time()
    verdict = verify(path, key)
    spent_s = time.process_time() - begun
    assert verdict.verdict.good, verdict
    return spent_s


def _bare_s(path: Path) -> float:
    """The least that goes over a log record by record: frames, check sums, leaves, chain, and the chunks' hashes."""
    begun = time.process_time()
    with (path / segment_name(0)).open("rb") as segment, (path / chunk_name(0)).open("rb") as chunks:
        records, at, prev = segment.read(), 0, NO_LEAF.encode()
        while at < len(records):
            length, crc = FRAME.unpack_from(records, at)
            body = records[at + FRAME.size : at + FRAME.size + length]
            at += FRAME.size + length
            assert zlib.crc32(body) == crc and body[-66:-2] == prev
            prev = hashlib.sha256(b"\0" + body).hexdigest().encode()
            chunk = CHUNK.search(body)
            if chunk is not None:
                assert hashlib.sha256(chunks.read(int(chunk[1]))).hexdigest().encode() == chunk[2]
    return time.process_time() - begun


def _hash_s(files: list[Path]) -> float:
    begun = time.process_time()
    for file in files:
        with file.open("rb") as opened:
            hashlib.file_digest(opened, "sha256")
    return time.process_time() - begun
