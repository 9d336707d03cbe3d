"""Messages as the encoder makes them of an inbox: keys, numbers, quality, and what is said of what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from rfctl.clock import NS_PER_S, wall_ns
from rfctl.errors import ConfigError
from rfctl.kernel.phase import Phase
from rfctl.model.reading import ChannelReading, Reading
from rfctl.station import station_file
from rfctl.telemetry.classes import COMMON, KEYS, MEASURED, QOS, RETAINED, Class, prefix
from rfctl.telemetry.encoder import Encoder, Message, Origin
from rfctl.telemetry.inbox import MAX_NEWS, MAX_READINGS, Inbox
from rfctl.telemetry.subscriber import Tally, gaps

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "mqtt.md"
POLL_NS = NS_PER_S // 20
IDLE = (Phase.IDLE, Phase.IDLE)
HOLD = (Phase.HOLD, Phase.IDLE)
ENOUGH = 10_000


def channel(temperature_c: float = 37.0, impedance_ohm: float = 300.0, fault_bits: int = 0) -> ChannelReading:
    return ChannelReading(
        temperature_c=temperature_c,
        cold_junction_c=25.0,
        voltage_v_rms=20.12345,
        current_ma_rms=70.0,
        rf_band_current_ma_rms=70.0,
        power_w=1.5,
        impedance_ohm=impedance_ohm,
        impedance_fresh=True,
        thermocouple_open=False,
        rf_on=True,
        stimulating=False,
        electrode_present=True,
        mode=3,
        stimulation_width_us=0,
        stimulation_rate_hz=0.0,
        stimulation_amplitude=0.0,
        electrode_id=0,
        fault_bits=fault_bits,
        rf_on_ms=0,
        arm_token=0,
    )


def reading(counter: int, first: ChannelReading | None = None) -> Reading:
    return Reading(counter * POLL_NS, counter * 50, counter, 1, 400, 0, 1, 30.0, (first or channel(), channel()))


def encoder() -> Encoder:
    utc = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
    return Encoder(
        Origin(prefix("room 3", "bench", "SN/7"), "boot", simulated=True, time_scale="virtual", utc=utc, mono_ns=0)
    )


def filled(inbox: Inbox, count: int, *, phases: tuple[Phase, ...] = IDLE, first: ChannelReading | None = None) -> Inbox:
    for _ in range(count):
        number = inbox.readings_put + 1
        inbox.put_reading(number * POLL_NS, reading(number, first), phases)
    return inbox


def payload(message: Message, *, later_s: float = 0.0) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(message.payload(message.wall_ns + int(later_s * NS_PER_S)))
    return decoded


def of(kind: Class, messages: list[Message]) -> list[dict[str, Any]]:
    return [payload(message) for message in messages if message.kind is kind]


def test_every_sample_is_in_one_batch_of_at_most_a_second() -> None:
    maker, inbox = encoder(), filled(Inbox(), 50)
    batches = of(Class.BATCH, [*maker.take(inbox, ENOUGH), *maker.flush()])
    assert [batch["seq"] for batch in batches] == list(range(1, 7))
    for batch in batches:
        assert all(len(batch[name]) == len(batch["sample_seq"]) for name in (*MEASURED, "offset_ms"))
        assert batch["offset_ms"][0] == 0.0
        assert batch["offset_ms"][-1] < 1000.0
    assert sorted(number for batch in batches for number in batch["sample_seq"]) == list(range(1, 101))
    assert {number % 2 for batch in batches if batch["channel"] == 1 for number in batch["sample_seq"]} == {1}


def test_a_batch_has_the_values_that_were_read() -> None:
    maker, inbox = encoder(), filled(Inbox(), 1, phases=HOLD, first=channel(80.0625, 250.0))
    maker.take(inbox, ENOUGH)
    batch = of(Class.BATCH, maker.flush())[0]
    assert (batch["temperature_c"], batch["impedance_ohm"], batch["power_w"]) == ([80.062], [250.0], [1.5])
    assert (batch["rf_on"], batch["stimulating"], batch["energised"]) == ([True], [False], True)
    assert (batch["ts"], batch["mono_ns"]) == ("2026-03-01T12:00:00.050Z", POLL_NS)


@pytest.mark.parametrize("missing", [nan, inf, -inf])
def test_what_could_not_be_measured_is_null_and_of_bad_quality(missing: float) -> None:
    maker, inbox = encoder(), filled(Inbox(), 2, first=channel(temperature_c=missing))
    messages = [*maker.take(inbox, ENOUGH), *maker.flush()]
    assert of(Class.BATCH, messages)[0]["temperature_c"] == [None, None]
    first, second = of(Class.TELEMETRY, messages)
    assert (first["temperature_c"], first["quality"]) == (None, "bad")
    assert (second["temperature_c"], second["quality"]) == (37.0, "good")


def test_a_fault_of_the_channel_makes_its_quality_bad() -> None:
    maker, inbox = encoder(), filled(Inbox(), 1, first=channel(fault_bits=4))
    assert [t["quality"] for t in of(Class.TELEMETRY, maker.take(inbox, ENOUGH))] == ["bad", "good"]


def test_a_sample_counter_that_stands_still_makes_quality_stale() -> None:
    maker, inbox = encoder(), Inbox()
    for number in range(1, 9):
        inbox.put_reading(number * POLL_NS, reading(1), IDLE)
    assert [t["quality"] for t in of(Class.TELEMETRY, maker.take(inbox, ENOUGH))] == ["stale", "stale"]


def test_telemetry_comes_at_most_twice_a_second_and_never_late() -> None:
    maker, inbox, times = encoder(), Inbox(), []
    for _ in range(100):
        filled(inbox, 1)
        times += [t["mono_ns"] for t in of(Class.TELEMETRY, maker.take(inbox, ENOUGH)) if t["channel"] == 1]
    assert len(times) == 10
    assert min(b - a for a, b in pairwise(times)) >= NS_PER_S // 2


def test_telemetry_is_acknowledged_only_while_a_channel_is_energised() -> None:
    maker = encoder()
    for phases, qos in ((IDLE, 0), (HOLD, 1)):
        inbox = Inbox()
        inbox.readings_put = 20 * qos
        taken = maker.take(filled(inbox, 1, phases=phases), ENOUGH)
        assert {message.qos for message in taken if message.kind is Class.TELEMETRY} == {qos}


def test_what_is_sent_late_or_again_says_that_it_is_history() -> None:
    maker, inbox = encoder(), filled(Inbox(), 1)
    message = maker.take(inbox, ENOUGH)[0]
    assert payload(message, later_s=1.9)["historical"] is False
    assert payload(message, later_s=2.1)["historical"] is True
    message.resent = True
    assert payload(message)["historical"] is True


def test_too_many_readings_drop_the_oldest_and_say_which() -> None:
    maker, inbox = encoder(), filled(Inbox(), MAX_READINGS + 30)
    messages = [*maker.take(inbox, ENOUGH), *maker.flush()]
    tally = Tally()
    for message in messages:
        tally.add(message.topic, message.payload(wall_ns()), retained=False)
    assert len(tally.samples) == 2 * MAX_READINGS
    assert gaps(tally.samples) == [("boot", 1, 60)]
    assert gaps(tally.messages["batch"]) == [("boot", 1, 1)]
    assert maker.dropped_samples == 60
    (event,) = of(Class.EVENT, messages)
    assert (event["code"], event["text"]) == ("samples_dropped", "30 readings were dropped: samples 1 to 60")


def test_readings_never_push_news_out() -> None:
    maker, inbox = encoder(), Inbox()
    inbox.put_news(
        1, Class.EVENT, {"level": "trip", "priority": "high", "channel": 1, "code": "over_set", "text": "too hot"}
    )
    filled(inbox, 2 * MAX_READINGS)
    assert maker.take(inbox, 1)[0].members["code"] == "over_set"


def test_too_many_news_drop_the_oldest_and_leave_a_gap() -> None:
    maker, inbox = encoder(), Inbox()
    for number in range(MAX_NEWS + 5):
        inbox.put_news(
            number, Class.EVENT, {"level": "info", "priority": "none", "channel": 0, "code": f"n{number}", "text": ""}
        )
    events = of(Class.EVENT, maker.take(inbox, ENOUGH))
    assert [(e["seq"], e["code"]) for e in events[:2]] == [(6, "news_dropped"), (7, "n5")]
    assert maker.dropped_news == 5


def test_the_last_will_is_outside_the_count() -> None:
    maker = encoder()
    will = payload(maker.will(0))
    assert (will["seq"], will["status"], will["boot_id"]) == (0, "offline", "boot")
    maker.keep(0, Class.STATUS, {"status": "online", "reason": ""})
    assert [message.members["seq"] for message in maker.birth()] == [1]


def test_a_name_cannot_leave_its_level_of_the_topic() -> None:
    assert prefix("room 3", "#", "a/+/b") == "rfctl/v1/room_3/_/a___b"
    assert prefix("", "x", "y") == "rfctl/v1/_/x/y"


def test_nothing_that_is_measured_is_retained() -> None:
    assert not any(set(MEASURED) & set(KEYS[kind]) for kind in RETAINED)


def test_the_page_states_the_classes_and_their_keys() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:3] == "| `"]
    stated = {row[0].strip("`"): row[1:] for row in rows}
    assert set(COMMON) <= set(stated)
    topics = {row[0].strip("`"): row for row in rows if len(row) == 5}
    keys = {row[0].strip("`"): tuple(row[1].replace("`", "").split()) for row in rows if row[0].strip("`") in KEYS}
    assert keys == {str(kind): KEYS[kind] for kind in Class}
    assert {kind: row[2] == "yes" for kind, row in topics.items()} == {str(k): k in RETAINED for k in Class}
    assert {kind: int(row[1][0]) for kind, row in topics.items()} == {str(k): QOS[k] for k in Class}


STATION = """
[station]
id = "bench"
backend = "simulated"
medium = "tissue"
[generator]
link = "sim:reference"
[mqtt]
"""


def station(folder: Path, mqtt: str) -> station_file.Station:
    (folder / "station.toml").write_text(STATION + mqtt, encoding="utf-8")
    return station_file.load(str(folder / "station.toml"))


def test_a_station_file_names_its_broker(tmp_path: Path) -> None:
    lines = 'broker = "mqtt://broker:1884"\nsite = "room-3"\nusername = "a"\npassword_file = "secret"'
    loaded = station(tmp_path, lines)
    assert loaded.broker is not None
    assert (loaded.site, loaded.broker.url, loaded.broker.username) == ("room-3", "mqtt://broker:1884", "a")
    assert loaded.broker.password_file == tmp_path / "secret"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('broker = "broker:1883"', "mqtt://HOST"),
        ('broker = "mqtt://broker:99999"', "mqtt://HOST"),
        ('broker = "mqtt://me:secret@broker"', "password_file"),
        ('broker = "mqtt://broker"\nuser = "me"', "Did you mean 'username'?"),
        ('broker = "mqtt://broker"\npassword_file = "x"', "add mqtt.username"),
        ('broker = "mqtt://broker"\nsite = "a/b"', "mqtt.site"),
        ('site = "here"', "mqtt.broker: missing"),
    ],
)
def test_a_wrong_mqtt_table_is_refused_by_name(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(ConfigError, match="not accepted") as refused:
        station(tmp_path, lines)
    assert said in str(refused.value)
