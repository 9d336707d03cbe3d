"""rfctl anchor as processes: a witness that is killed, and a collector at a real broker that goes away."""

from __future__ import annotations

import json
import select
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import paho.mqtt.publish
import pytest

from rfctl.anchors.submit import WitnessClient
from rfctl.clock import NS_PER_S, RealClock
from rfctl.errors import RefusedError
from rfctl.record.epochs import write_public_key
from rfctl.record.tree import Leaves
from rfctl.telemetry.encoder import Encoder, Origin
from rfctl.telemetry.inbox import Inbox
from rfctl.telemetry.publisher import Publisher
from tests.commands import RFCTL, rfctl
from tests.mqtt_peers import LOOPBACK, Mosquitto, free_port
from tests.small_log import SmallLog, heads_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 25.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def until(condition: Callable[[], bool]) -> None:
    clock = RealClock()
    give_up_ns = clock.monotonic_ns() + int(PATIENCE_S * NS_PER_S)
    while not condition():
        assert clock.monotonic_ns() < give_up_ns, f"still not after {PATIENCE_S:g} s"
        select.select([], [], [], 0.02)


def kept_in(folder: Path) -> list[bytes]:
    """The heads that a collector has kept so far."""
    path = folder / "bench-1-test.0001.heads"
    return heads_in(path) if path.exists() else []


def start(stack: ExitStack, *arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [RFCTL, *arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )

    def end() -> None:
        process.kill()
        process.communicate()

    stack.callback(end)
    return process


@contextmanager
def listening_witness(folder: Path, *trust: str) -> Iterator[str]:
    """A witness in ``folder/state``; gives its URL."""
    with ExitStack() as stack:
        given = [part for path in trust for part in ("--trust", path)]
        arguments = ("anchor", "witness", "--listen", f"{LOOPBACK}:0", "--state", "state", *given, "--json")
        process = start(stack, *arguments, cwd=folder)
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]


def test_a_witness_remembers_through_a_kill(tmp_path: Path, stack: ExitStack) -> None:
    logs = [SmallLog.begin(name).grow(3) for name in ("one", "two")]
    trust: list[str] = []
    for number, log in enumerate(logs):
        write_public_key(tmp_path / f"{number}.pub", log.root.public)
        trust += ["--trust", f"{number}.pub"]
    arguments = ("anchor", "witness", "--listen", f"{LOOPBACK}:0", "--state", "state", *trust, "--json")

    def listening() -> tuple[subprocess.Popen[str], WitnessClient, str]:
        process = start(stack, *arguments, cwd=tmp_path)
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        return process, WitnessClient(said["url"]), said["verifier_key"]

    process, client, key = listening()
    for log in logs:
        client.submit(Leaves(log.leaves), log.checkpoint(), log.certificates)
    other = logs[0].fork().grow(1, "other ")
    logs[0].grow(1)
    client.submit(Leaves(logs[0].leaves), logs[0].checkpoint(), [])
    process.kill()
    process.wait()
    process, client, key_again = listening()
    assert key_again == key
    assert (tmp_path / "state" / "witness.pub").read_text() == key + "\n"
    with pytest.raises(RefusedError, match="another root for 4 records"):
        client.submit(Leaves(other.leaves), other.checkpoint(), [])
    for log in logs:
        log.grow(2)
        client.submit(Leaves(log.leaves), log.checkpoint(), [])
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


@pytest.mark.real_time
def test_a_station_publishes_its_heads_retained_and_a_collector_keeps_them(tmp_path: Path, stack: ExitStack) -> None:
    log, out = SmallLog.begin(), tmp_path / "heads"
    broker = stack.enter_context(Mosquitto(tmp_path)).broker
    inbox, told = Inbox(), datetime(2026, 11, 23, tzinfo=UTC)
    encoder = Encoder(Origin("rfctl/v1/site/bench/1", "b" * 32, simulated=True, time_scale="real", utc=told, mono_ns=0))
    publisher = Publisher(broker, inbox, encoder)
    notes = [log.grow(1).checkpoint() for _ in range(5)]
    collector = start(stack, "anchor", "collect", "--broker", broker.url, "--out", out, cwd=tmp_path)
    assert collector.stderr is not None
    assert "listening" in collector.stderr.readline()
    publisher.start()
    for number, note in enumerate(notes):
        inbox.put_head(number, log.root.origin, note)
    publisher.finish()
    assert publisher.ended_within(PATIENCE_S)
    until(lambda: kept_in(out) == notes)
    late = start(stack, "anchor", "collect", "--broker", broker.url, "--out", "late", cwd=tmp_path)
    until(lambda: kept_in(tmp_path / "late") == notes[-1:])  # who comes late gets the newest
    late.send_signal(signal.SIGTERM)
    assert late.wait(PATIENCE_S) == 0


@pytest.mark.real_time
def test_a_collector_keeps_all_heads_also_those_it_was_away_for(tmp_path: Path, stack: ExitStack) -> None:
    port, out = free_port(), tmp_path / "heads"
    log = SmallLog.begin()
    topic = f"anchor/{log.root.origin}"
    kept: list[bytes] = []

    def publish() -> None:
        kept.append(log.grow(1).checkpoint())
        paho.mqtt.publish.single(topic, kept[-1], qos=1, retain=True, hostname=LOOPBACK, port=port)

    def collect() -> subprocess.Popen[str]:
        return start(stack, "anchor", "collect", "--broker", f"mqtt://{LOOPBACK}:{port}", "--out", out, cwd=tmp_path)

    def all_kept() -> bool:
        return kept_in(out) == kept

    collector = collect()  # before the broker is there
    broker = stack.enter_context(Mosquitto(tmp_path, port=port))
    publish()
    until(all_kept)
    publish()
    publish()
    until(all_kept)
    collector.send_signal(signal.SIGTERM)
    assert collector.wait(PATIENCE_S) == 0
    publish()  # nobody there: the broker keeps them for the collector
    publish()
    collector = collect()
    until(all_kept)
    broker.kill()
    stack.enter_context(Mosquitto(tmp_path, port=port))
    publish()  # retained by the new broker until the collector is there again
    until(all_kept)
    collector.send_signal(signal.SIGINT)
    assert collector.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("collect", "--broker", "http://x", "--out", "heads"), "mqtt://HOST:PORT"),
        (("collect", "--broker", "mqtt://x", "--out", "heads", "--password-file", "p"), "--username"),
        (("witness", "--listen", "x", "--state", "s", "--trust", "root.pub"), "no HOST:PORT"),
        (("witness", "--listen", "x:99999", "--state", "s", "--trust", "root.pub"), "no HOST:PORT"),
        (("witness", "--listen", "127.0.0.1:0", "--state", "s", "--trust", "none.pub"), "cannot be read"),
        (("witness", "--listen", "192.0.2.1:1", "--state", "s", "--trust", "root.pub"), "cannot listen there"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    write_public_key(tmp_path / "root.pub", SmallLog.begin().root.public)
    done = rfctl("anchor", *arguments, cwd=tmp_path)
    assert done.exit_code == 2
    assert words in done.err
