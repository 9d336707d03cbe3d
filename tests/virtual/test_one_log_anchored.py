"""The heads of logs that grow session by session: a collector keeps them, a witness cosigns them, of two stations."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from rfctl.anchors import log_tree
from rfctl.anchors.collector import Collector
from rfctl.anchors.cosignature import WitnessKey
from rfctl.anchors.http import HttpServer
from rfctl.anchors.submit import WitnessClient
from rfctl.anchors.witness import Witness
from rfctl.errors import ConfigError
from rfctl.record import retention
from rfctl.record.prepared import Prepared
from rfctl.record.verify import Outcome, verify, verify_files
from rfctl.record.writer import RecordWriter
from tests.prepared_keys import HEADER, root_of
from tests.small_log import heads_in, size_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.virtual import VirtualClock

NOW_S = 1_800_000_000


async def session(folder: Path, clock: VirtualClock, heard: Callable[[bytes], None], *, sealed: bool = True) -> None:
    record = await RecordWriter.open(folder / "log", clock=clock, keys=Prepared.of(folder / "keys"), header=HEADER)
    record.on_head = heard
    for why in ("rf", "trip"):
        record.append("note", 0, {"text": why})
        record.checkpoint(why)
        await record.durable()
    await (record.seal() if sealed else record.close())


async def test_the_heads_of_two_stations_grow_over_their_sessions_and_anchor_their_logs(
    clock: VirtualClock, tmp_path: Path
) -> None:
    stations = {tmp_path / name: root_of(tmp_path / name / "keys", 2) for name in ("one", "two")}
    failed: list[BaseException] = []
    collector = Collector(tmp_path / "collected", lambda _: None)
    key = WitnessKey.in_folder(tmp_path / "witness", "witness/test")
    witness = Witness(tmp_path / "witness", key, [root.public for root in stations.values()], lambda: NOW_S)
    server = HttpServer(witness.answer, failed.append)
    await server.open("127.0.0.1", 0)
    client = WitnessClient(server.address)
    cosigned: dict[Path, list[bytes]] = {folder: [] for folder in stations}
    for sealed in (True, False, True, True):  # the last two epochs are chained
        for folder, root in stations.items():
            topic = f"anchor/{root.origin}"
            await session(folder, clock, lambda head, topic=topic: collector.take(topic, head), sealed=sealed)
            tree = log_tree.read(folder / "log")
            note = await asyncio.to_thread(client.submit, tree.leaves, tree.checkpoint, tree.certificates)
            cosigned[folder].append(note)
    await server.close()
    witness.close()
    collector.close()
    assert failed == []
    for folder, root in stations.items():
        name = root.origin.removeprefix("rfctl/")
        heads = tmp_path / "collected" / f"{name}.0001.heads"
        sizes = [size_of(note) for note in heads_in(heads)]
        assert sizes == sorted(set(sizes))
        assert len(sizes) >= 8
        (folder / "root.pub").write_text(f"{root.public.text}\n")
        (folder / "cosigned").write_bytes(cosigned[folder][-1])
        for head, by in ((heads, "head"), (folder / "cosigned", "witness/test")):
            found = verify_files(folder / "log", folder / "root.pub", heads=[head], witnesses=[key.text])
            assert (found.verdict, found.anchored_by) == (Outcome.VALID_ANCHORED, by), found


async def test_old_sessions_of_a_log_with_prepared_keys_are_retired_and_it_goes_on(
    clock: VirtualClock, tmp_path: Path
) -> None:
    root = root_of(tmp_path / "keys", 5)
    for _ in range(3):
        await session(tmp_path, clock, lambda _: None)
    keys = Prepared.of(tmp_path / "keys")
    since = clock.utc() + timedelta(days=1)
    first = await retention.retire(tmp_path / "log", since, keys=keys, clock=clock, header=HEADER)
    assert (first, keys.number) == (2, 4)
    await session(tmp_path, clock, lambda _: None)
    assert [path.name for path in sorted((tmp_path / "log").glob("*.seg"))] == [
        "00000002.seg",
        "00000003.seg",
        "00000004.seg",
    ]
    assert verify(tmp_path / "log", root.public).verdict is Outcome.VALID_UNANCHORED


async def test_a_witness_follows_a_log_whose_oldest_segments_were_retired(clock: VirtualClock, tmp_path: Path) -> None:
    root = root_of(tmp_path / "keys", 12)
    failed: list[BaseException] = []
    key = WitnessKey.in_folder(tmp_path / "witness", "witness/test")
    witness = Witness(tmp_path / "witness", key, [root.public], lambda: NOW_S)
    server = HttpServer(witness.answer, failed.append)
    await server.open("127.0.0.1", 0)
    client = WitnessClient(server.address)

    async def submitted() -> bytes:
        tree = log_tree.read(tmp_path / "log")
        return await asyncio.to_thread(client.submit, tree.leaves, tree.checkpoint, tree.certificates)

    async def retire_all_but_the_newest() -> int:
        keys = Prepared.of(tmp_path / "keys")
        since = clock.utc() + timedelta(days=1)
        return await retention.retire(tmp_path / "log", since, keys=keys, clock=clock, header=HEADER)

    for _ in range(3):
        await session(tmp_path, clock, lambda _: None)
    await submitted()
    assert await retire_all_but_the_newest() == 2
    (tmp_path / "cosigned").write_bytes(await submitted())
    (tmp_path / "root.pub").write_text(f"{root.public.text}\n")
    found = verify_files(tmp_path / "log", tmp_path / "root.pub", heads=[tmp_path / "cosigned"], witnesses=[key.text])
    assert (found.verdict, found.anchored_by) == (Outcome.VALID_ANCHORED, "witness/test")
    for _ in range(2):
        await session(tmp_path, clock, lambda _: None)
    assert await retire_all_but_the_newest() == 5
    with pytest.raises(ConfigError, match=r"more than these were retired from this log since"):
        await submitted()
    await server.close()
    witness.close()
    assert failed == []
