"""Whole sessions with telemetry in virtual time: what arrives at real brokers, and that no broker disturbs a lesion."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.clock import wall_ns
from rfctl.kernel.effects import Note
from rfctl.station import session
from rfctl.station.session import Result
from rfctl.telemetry import inbox
from rfctl.telemetry.broker import Broker
from rfctl.telemetry.classes import COMMON, KEYS, MEASURED, RETAINED, Class
from rfctl.telemetry.subscriber import gaps
from rfctl.virtual import HOLD_LIMIT_NS, VirtualClock, run_virtual
from tests.log_tools import lines
from tests.mqtt_peers import LOOPBACK, BadBroker, Heard, Listener, Mosquitto, embedded, free_port, mosquitto
from tests.station_bench import Bench, plan_text, station_bench

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState

BROKERS = {"embedded": embedded, "mosquitto": mosquitto}
SHORT = plan_text(set_temperature_c=45, hold_s=8)
SESSION_NUMBER = 4711


class Told:
    """What the log of the station says of its broker."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def watch(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        del state
        self.notes += [effect for effect in effects if isinstance(effect, Note) and effect.code == "mqtt"]


def lesion(
    folder: Path, broker: Broker | None, *, in_hold: Callable[[], object] | None = None, told: Told | None = None
) -> tuple[Result, VirtualClock]:
    """One lesion that publishes to this broker; something may happen in mid-hold."""
    folder.mkdir(exist_ok=True)

    async def run() -> tuple[Result, VirtualClock]:
        clock = VirtualClock.running()
        async with station_bench(folder, clock) as bench:
            task = bench.begin(observed(bench, broker, told))
            if in_hold is not None:
                await bench.in_hold(for_s=2.0)
                in_hold()
            return await task, clock

    return run_virtual(run())


def observed(bench: Bench, broker: Broker | None, told: Told | None) -> session.Order:
    order = replace(bench.order(plan=SHORT), broker=broker)
    if told is None:
        return order
    own = order.watch

    def watch(state: KernelState, effects: tuple[Effect, ...]) -> None:
        own(state, effects)
        told.watch(state, effects)

    return replace(order, watch=watch)


@pytest.fixture
def same_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every session claims under the same number, so that two records can be compared."""
    monkeypatch.setattr(session.secrets, "randbelow", lambda _: SESSION_NUMBER)


def evidence(result: Result, folder: Path) -> list[str]:
    """Every line of the record but the first and the last, without the chain; as text, where not-a-number is itself."""
    return [json.dumps(line) for line in lines(folder / result.document["record"])[1:-1]]


def delivered(result: Result) -> tuple[object, ...]:
    document = result.document
    return result.exit_code, document["outcome"], document["sites"], document["trips"], document["simulated_s"]


def read(result: Result) -> int:
    """Samples of one channel that the kernel has decided on: the first reading only finds out who is there."""
    cycles: int = result.document["cycles"]
    return 2 * (cycles - 1)


def numbers(heard: list[Heard], kind: Class) -> set[tuple[str, int]]:
    return {(h.payload["boot_id"], h.payload["seq"]) for h in heard if h.kind == kind}


def samples(heard: list[Heard]) -> set[tuple[str, int]]:
    batches = [h.payload for h in heard if h.kind == Class.BATCH]
    return {(batch["boot_id"], number) for batch in batches for number in batch["sample_seq"]}


@pytest.mark.parametrize("kind", BROKERS)
@pytest.mark.requirement("telemetry.dated")
def test_a_session_arrives_whole(tmp_path: Path, kind: str) -> None:
    with BROKERS[kind](tmp_path) as broker:
        with Listener(broker) as listener:
            result, _ = lesion(tmp_path / "run", broker)
            heard = listener.until_goodbye()
        with Listener(broker) as later:
            kept = later.until(lambda heard: len(heard) >= len(RETAINED))
    document = result.document
    assert document["outcome"] == "complete"
    assert document["mqtt"]["status"] == "connected"
    assert document["mqtt"]["samples_dropped"] == 0

    # Every sample that was read has arrived, once, and every message of every class.
    assert len(samples(heard)) == document["telemetry_published"] == read(result)
    assert gaps(samples(heard)) == []
    assert {kind: gaps(numbers(heard, kind)) for kind in Class} == {key: [] for key in Class}
    assert {boot_id for boot_id, _ in samples(heard)} == {document["mqtt"]["boot_id"]}

    # Every payload has the keys of its class and no other, on its own topic.
    for h in heard:
        named = Class(h.kind)
        assert set(h.payload) == {*COMMON, *KEYS[named]}
        assert h.payload["simulated"] is True
        assert h.payload["time_scale"] == "virtual"
        below = f"/{document['procedure_id']}" if named is Class.RECORD else ""
        assert h.topic.startswith("rfctl/v1/site/bench/")
        assert h.topic.endswith(f"/{named}{below}")
        assert h.retained is False
    assert not any("cmd" in h.topic for h in heard)

    # QoS by class; telemetry is acknowledged while energised. The embedded broker raises it to the subscriber's.
    assert {h.qos for h in heard if h.kind != Class.TELEMETRY} == {1}
    if kind == "mosquitto":
        assert all(h.qos == (1 if h.payload["energised"] else 0) for h in heard if h.kind == Class.TELEMETRY)

    # Batches hold what the record holds: one entry each, the highest temperature among them.
    hottest = max(max(h.payload["temperature_c"]) for h in heard if h.kind == Class.BATCH and h.payload["channel"] == 1)
    assert hottest == pytest.approx(document["sites"][0]["peak_temperature_c"], abs=0.01)
    codes = Counter(h.payload["code"] for h in heard if h.kind == Class.EVENT)
    assert codes["rf_on"] == 1
    assert codes["finished"] == 1

    # Whoever comes later is told who, and that it is over; nothing that was measured.
    assert {h.kind for h in kept} == set(RETAINED)
    assert all(h.retained for h in kept)
    assert not any(set(MEASURED) & set(h.payload) for h in kept)
    (status,) = [h.payload for h in kept if h.kind == Class.STATUS]
    assert (status["status"], status["boot_id"]) == ("offline", document["mqtt"]["boot_id"])
    (record,) = [h.payload for h in kept if h.kind == Class.RECORD]
    assert (record["procedure_id"], record["outcome"], record["sealed"]) == (document["procedure_id"], "complete", True)


def test_without_a_broker_there_is_no_telemetry(tmp_path: Path) -> None:
    document = lesion(tmp_path / "run", None)[0].document
    assert (document["telemetry_published"], document["telemetry_received"], document["mqtt"]) == (None, None, None)


@pytest.mark.usefixtures("same_session")
@pytest.mark.parametrize("high_water", [inbox.HIGH_WATER, 20], ids=["small backlog", "clock waits for it"])
def test_a_broker_that_is_killed_in_mid_hold_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, high_water: int
) -> None:
    monkeypatch.setattr(inbox, "HIGH_WATER", high_water)
    alone = lesion(tmp_path / "alone", None)[0]
    told = Told()
    with Mosquitto(tmp_path) as child, Listener(child.broker) as listener:
        struck, clock = lesion(tmp_path / "struck", child.broker, in_hold=child.kill, told=told)
        heard = listener.heard
    assert clock.holds_expired == 0
    assert delivered(struck) == delivered(alone)
    assert evidence(struck, tmp_path) == evidence(alone, tmp_path)
    mqtt = struck.document["mqtt"]
    assert mqtt["status"] == "not reachable"
    assert "Check mqtt.broker" in mqtt["reason"]
    # Nothing was made up, and what is missing is declared: published and dropped add up to what was read. What the
    # broker had acknowledged and not yet passed on died with it.
    assert {number for _, number in samples(heard)} <= set(range(1, read(struck) + 1))
    assert struck.document["telemetry_published"] + mqtt["samples_dropped"] == read(struck)
    assert mqtt["samples_dropped"] > 0
    assert "MQTT not reachable" in told.notes[-1].text


@pytest.mark.usefixtures("same_session")
@pytest.mark.parametrize(
    ("peer", "status"),
    [
        (lambda: nullcontext(Broker(LOOPBACK, free_port())), "not reachable"),
        (lambda: BadBroker(greets=False), "connecting"),
        (lambda: BadBroker(greets=True), "connecting"),
    ],
    ids=["nobody there", "accepts and never answers", "greets and never acknowledges"],
)
@pytest.mark.requirement("telemetry.bounded")
def test_a_broker_that_does_nothing_changes_nothing(
    tmp_path: Path, peer: Callable[[], AbstractContextManager[Any]], status: str
) -> None:
    alone = lesion(tmp_path / "alone", None)[0]
    with peer() as found:
        broker = found if isinstance(found, Broker) else found.broker
        begun_ns = wall_ns()
        struck = lesion(tmp_path / "struck", broker)[0]
        took_s = (wall_ns() - begun_ns) / 1e9
        assert isinstance(found, Broker) or found.connections >= 1
    assert delivered(struck) == delivered(alone)
    assert evidence(struck, tmp_path) == evidence(alone, tmp_path)
    assert struck.document["telemetry_published"] == 0
    assert struck.document["mqtt"]["status"] == status
    assert struck.document["mqtt"]["samples_dropped"] == read(struck)
    assert took_s < 10.0


@pytest.mark.usefixtures("same_session")
def test_a_slow_broker_changes_nothing_and_what_it_does_not_take_is_declared(tmp_path: Path) -> None:
    alone = lesion(tmp_path / "alone", None)[0]
    with BadBroker(greets=True, acknowledges_after_s=0.05) as slow:
        struck = lesion(tmp_path / "struck", slow.broker)[0]
    assert delivered(struck) == delivered(alone)
    assert evidence(struck, tmp_path) == evidence(alone, tmp_path)
    mqtt = struck.document["mqtt"]
    assert struck.document["telemetry_published"] == read(struck) - mqtt["samples_dropped"]
    assert mqtt["samples_dropped"] > 0


def test_a_wrong_password_is_said_in_clear_text_and_changes_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("wrong\n", encoding="utf-8")
    told = Told()
    with Mosquitto(tmp_path, password=("station", "right")) as child:
        broker = replace(child.broker, username="station", password_file=secret)
        document = lesion(tmp_path / "refused", broker, told=told)[0].document
        secret.write_text("right\n", encoding="utf-8")
        accepted = lesion(tmp_path / "accepted", broker)[0].document["mqtt"]
        secret.unlink()
        absent = lesion(tmp_path / "absent", broker)[0].document["mqtt"]
    assert document["outcome"] == "complete"
    assert document["mqtt"]["status"] == "refused"
    assert "refuses 'station'" in document["mqtt"]["reason"]
    assert "authori" in document["mqtt"]["reason"]
    assert "Check mqtt.username and mqtt.password_file" in told.notes[-1].text
    assert accepted["status"] == "connected"
    assert absent["status"] == "refused"
    assert str(secret) in absent["reason"]


def test_virtual_time_waits_for_a_broker_that_acknowledges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "HIGH_WATER", 20)
    monkeypatch.setattr(inbox, "LOW_WATER", 0)
    with mosquitto(tmp_path) as broker:
        result, clock = lesion(tmp_path / "run", broker)
    assert result.document["telemetry_published"] == read(result)
    assert clock.holds_expired == 0


def test_virtual_time_waits_at_most_once_for_a_broker_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "HIGH_WATER", 20)
    with BadBroker(greets=True) as bad:
        begun_ns = wall_ns()
        result, clock = lesion(tmp_path / "run", bad.broker)
        took_ns = wall_ns() - begun_ns
    assert result.document["outcome"] == "complete"
    assert clock.holds_expired == 1
    assert HOLD_LIMIT_NS < took_ns < 4 * HOLD_LIMIT_NS
