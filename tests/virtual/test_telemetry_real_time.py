"""Telemetry on the machine's clock: brokers that are lost, return or never answer, each beside a lesion of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

import pytest

from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome as Verified
from rfctl.record.verify import verify
from rfctl.telemetry.classes import Class
from rfctl.telemetry.embedded_broker import EmbeddedBroker
from rfctl.telemetry.subscriber import CountingSubscriber, gaps
from tests.mqtt_peers import BadBroker, Heard, Listener, Mosquitto, listening_addresses, wait_for_port
from tests.station_bench import plan_text, station_bench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.clock import Clock
    from rfctl.station.session import Result
    from rfctl.telemetry.broker import Broker
    from tests.station_bench import Bench

SHORT = plan_text(set_temperature_c=45, hold_s=6)
OUTAGE_S = 2.5


async def lesion(
    folder: Path, clock: Clock, broker: Broker, in_hold: Callable[[], Awaitable[object]] | None = None
) -> tuple[Result, Bench]:
    folder.mkdir()  # noqa: ASYNC240 - a moment before anything runs
    async with station_bench(folder, clock) as bench:
        task = bench.begin(replace(bench.order(plan=SHORT), broker=broker))
        if in_hold is not None:
            await bench.in_hold(for_s=1.0)
            await in_hold()
        return await task, bench


def as_planned(result: Result) -> bool:
    """The lesion is complete and its record proves it."""
    document = result.document
    record = Path(document["record"])
    again = replay(record)
    verdict = verify(record, load_public_key(Path(document["public_key"]))).verdict
    assert (document["outcome"], result.exit_code, document["trips"]) == ("complete", 0, [])
    assert document["sites"][0]["end_reason"] == "delivered as planned"
    assert (verdict, again.differences) == (Verified.VALID_UNANCHORED, 0)
    return True


def samples(heard: list[Heard]) -> set[tuple[str, int]]:
    batches = [h.payload for h in heard if h.kind == Class.BATCH]
    return {(batch["boot_id"], number) for batch in batches for number in batch["sample_seq"]}


@pytest.mark.real_time
async def test_a_broker_that_is_lost_returns_or_never_answers_changes_no_lesion(tmp_path: Path, clock: Clock) -> None:
    with Mosquitto(tmp_path) as lost, Mosquitto(tmp_path) as returning, BadBroker(greets=False) as silent:
        again: list[Mosquitto] = []
        after: list[Listener] = []
        before = Listener(returning.broker)

        async def kill_for_good() -> None:
            lost.kill()

        async def kill_and_restart() -> None:
            returning.kill()
            await asyncio.sleep(OUTAGE_S)
            again.append(await asyncio.to_thread(Mosquitto, tmp_path, port=returning.port))
            after.append(await asyncio.to_thread(Listener(returning.broker).__enter__))

        try:
            with before:
                results = await asyncio.gather(
                    lesion(tmp_path / "lost", clock, lost.broker, kill_for_good),
                    lesion(tmp_path / "returning", clock, returning.broker, kill_and_restart),
                    lesion(tmp_path / "silent", clock, silent.broker),
                )
                heard_after = await asyncio.to_thread(after[0].until_goodbye)
        finally:
            for listener in after:
                await asyncio.to_thread(listener.__exit__)
            for broker in again:
                broker.kill()
    of_lost, of_returning, of_silent = (result for result, _ in results)
    assert all(as_planned(result) for result, _ in results)

    assert of_lost.document["mqtt"]["status"] == "not reachable"
    assert of_lost.document["mqtt"]["samples_dropped"] > 0
    assert of_silent.document["mqtt"]["status"] == "not answering"
    assert of_silent.document["telemetry_published"] == 0

    # Nothing is lost in an outage: what waited is sent late and says so, what is measured now does not.
    mqtt = of_returning.document["mqtt"]
    assert (mqtt["status"], mqtt["samples_dropped"], mqtt["events_dropped"]) == ("connected", 0, 0)
    assert gaps(samples(before.heard) | samples(heard_after)) == []
    batches = [h.payload for h in heard_after if h.kind == Class.BATCH]
    assert any(batch["historical"] for batch in batches)
    assert not batches[-1]["historical"]
    assert any(h.payload["status"] == "online" for h in heard_after if h.kind == Class.STATUS)
    assert of_returning.document["telemetry_published"] == 2 * (of_returning.document["cycles"] - 1)


STATION_THAT_DIES = """
import asyncio, os, sys
from datetime import UTC, datetime
from rfctl.telemetry.broker import Broker
from rfctl.telemetry.classes import Class
from rfctl.telemetry.encoder import Encoder, Origin
from rfctl.telemetry.inbox import Inbox
from rfctl.telemetry.publisher import Publisher
inbox = Inbox()
encoder = Encoder(Origin("rfctl/v1/site/bench/SN", "this-boot", True, "real", datetime.now(UTC), 0))
encoder.keep(0, Class.STATUS, {"status": "online", "reason": ""})
Publisher(Broker("127.0.0.1", int(sys.argv[1])), inbox, encoder).start()
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_a_station_that_is_killed_is_offline_by_its_last_will(tmp_path: Path, kind: str) -> None:
    with EmbeddedBroker() if kind == "embedded" else Mosquitto(tmp_path) as peer:
        if isinstance(peer, EmbeddedBroker):
            wait_for_port(peer.broker.port, peer._process)
        with Listener(peer.broker) as listener:
            command = [sys.executable, "-c", STATION_THAT_DIES, str(peer.broker.port)]
            with subprocess.Popen(command, stdin=subprocess.PIPE) as station:
                listener.until(lambda heard: any(h.payload.get("status") == "online" for h in heard))
                os.kill(station.pid, signal.SIGKILL)
                heard = listener.until(lambda heard: any(h.payload.get("status") == "offline" for h in heard))
        with Listener(peer.broker) as later:
            kept = later.until(lambda heard: len(heard) >= 1)
    online, offline = (h.payload for h in heard if h.kind == Class.STATUS)
    assert (online["boot_id"], online["seq"]) == ("this-boot", 1)
    assert (offline["boot_id"], offline["seq"], offline["quality"]) == ("this-boot", 0, "bad")
    assert (kept[0].retained, kept[0].payload["status"]) == (True, "offline")


def test_the_embedded_broker_listens_on_loopback_alone_and_ends() -> None:
    with EmbeddedBroker() as child:
        port = child.broker.port
        wait_for_port(port, child._process)
        assert listening_addresses(port) == {"0100007F"}
    assert listening_addresses(port) == set()
    assert not Path(f"/proc/{child.pid}").exists()


def test_the_embedded_broker_and_the_subscriber_end_with_their_parent() -> None:
    script = """
import os
from rfctl.telemetry.embedded_broker import EmbeddedBroker
from rfctl.telemetry.subscriber import CountingSubscriber
broker = EmbeddedBroker()
subscriber = CountingSubscriber(broker.broker)
assert subscriber.ready()
print(broker.pid, subscriber.pid, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for pid in map(int, done.stdout.split()):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        assert select([descriptor], [], [], 10.0)[0], f"process {pid} goes on"
        os.close(descriptor)


def test_a_subscriber_that_gets_nothing_says_so() -> None:
    with EmbeddedBroker() as child, CountingSubscriber(child.broker) as subscriber:
        assert subscriber.ready()
        assert subscriber.count(3) == {
            "samples": 0,
            "sample_gaps": [],
            "messages": {},
            "message_gaps": {},
            "retained": [],
        }
