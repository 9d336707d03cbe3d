"""The power goes at any moment: what was acknowledged is in the log, which is recovered and verifies, or is refused.

Only synced bytes and names are sure to be there; of the rest anything may be left: nothing, all, a beginning, blocks.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import pytest

from rfctl.errors import ConfigError, RecordError
from rfctl.kernel.effects import Renew
from rfctl.kernel.events import Sampled
from rfctl.record import writer as writer_module
from rfctl.record.disk import Disk
from rfctl.record.opening import ThrowAway
from rfctl.record.segments import Corrupt, bodies, entry_of, segment_numbers
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter
from rfctl.virtual import VirtualClock, VirtualLoop, run_virtual
from tests.sim_disk import Left, SimDisk, after_a_cut
from tests.unit.record.test_chunk import CHANNEL, reading

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}
CALLERS, ROUNDS = 4, 6


class WithoutWaiting(Disk):
    """Where a log is looked at, nothing needs to be stored."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        pass

    def reserve(self, path: Path, length: int) -> None:
        pass


class Paced(VirtualClock):
    """Virtual time that says of itself that it passes while a disk works: chunks are synced as on the real clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop)
        self.scale = "paced:1"


async def work(log: Path, disk: SimDisk, keys: ThrowAway) -> None:
    """Several callers append and wait at once, readings come in between, and segments fill up."""
    clock = Paced.running()
    record = await RecordWriter.open(log, clock=clock, keys=keys, header=HEADER, disk=disk)
    numbers = iter(range(CALLERS * ROUNDS))

    async def caller() -> None:
        for _ in range(ROUNDS):
            record.decided(Sampled(clock.monotonic_ns(), reading(CHANNEL)), (Renew(),), significant=False)
            number = next(numbers)
            record.append("intent", clock.monotonic_ns(), {"number": number, "text": "x" * 300})
            await record.durable()
            disk.acknowledged(number)
            record.append("note", clock.monotonic_ns(), {"text": "y" * 900})
            record.flush()
            await asyncio.sleep(0.3)
            record.tend(clock.monotonic_ns(), energised=True)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    await record.seal()


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimDisk, ThrowAway]:
    """A log as it was written, and how."""
    log, disk, keys = tmp_path_factory.mktemp("power") / "log", SimDisk(), ThrowAway("bench-1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "SEGMENT_BYTES", 12_000)
        run_virtual(work(log, disk, keys))
    return log, disk, keys


def intents(log: Path) -> list[int]:
    """Those that can be read, in their order."""
    found: list[Any] = []
    for index in segment_numbers(log):
        try:
            for body in bodies(log, index, last=True):
                entry = entry_of(body, index, "")
                if entry.kind == "intent":
                    found.append(entry.members["number"])
        except Corrupt:
            break
    return found


async def gone_on_with(log: Path, keys: ThrowAway) -> None:
    record = await RecordWriter.open(log, clock=VirtualClock.running(), keys=keys, header=HEADER, disk=WithoutWaiting())
    await record.seal()


def test_acknowledgements_come_in_the_order_of_the_records(worked: tuple[Path, SimDisk, ThrowAway]) -> None:
    log, disk, keys = worked
    acknowledged = [done.number for done in disk.journal if done.what == "acknowledged"]
    assert acknowledged == sorted(acknowledged) == intents(log)
    assert len(segment_numbers(log)) >= 3
    assert verify(log, keys.public).verdict is Outcome.VALID_UNANCHORED
    syncs = [done.what for done in disk.journal].count("sync")
    assert syncs < 2 * len(acknowledged), "nobody shared a sync"


@pytest.mark.parametrize("left", get_args(Left))
def test_a_cut_after_any_act_of_the_disk_loses_nothing_acknowledged(
    worked: tuple[Path, SimDisk, ThrowAway], tmp_path: Path, left: Left
) -> None:
    log, disk, keys = worked
    chance = random.Random(f"power cut, {left}")
    outcomes: Counter[str] = Counter()
    for cut in range(len(disk.journal) + 1):
        done = disk.journal[:cut]
        folder = tmp_path / str(cut)
        for path, data in after_a_cut(done, left, chance).items():
            copy = folder / path.relative_to(log.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
        found = folder / log.name
        found.mkdir(parents=True, exist_ok=True)
        acknowledged = [each.number for each in done if each.what == "acknowledged"]
        assert intents(found)[: len(acknowledged)] == acknowledged, f"cut after {cut}"
        try:
            run_virtual(gone_on_with(found, keys))
        except (ConfigError, RecordError) as problem:
            outcomes["refused"] += 1
            assert left == "reordered", f"cut after {cut}: {problem}"
            continue
        verdict = verify(found, keys.public)
        assert verdict.verdict is Outcome.VALID_UNANCHORED, f"cut after {cut}: {verdict.verdict}, {verdict.detail}"
        assert intents(found)[: len(acknowledged)] == acknowledged, f"cut after {cut}, recovered"
        outcomes["recovered"] += 1
    print(f"{left}: {dict(outcomes)}")
    assert outcomes["recovered"] > len(disk.journal) * 0.6
