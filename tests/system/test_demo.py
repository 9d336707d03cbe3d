"""The demonstration as a user runs it: its document, its record, and what verification and replay say of both."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.record import chunk, keys
from rfctl.record.disk import Disk
from rfctl.record.verify import Outcome, verify
from rfctl.station import answers, plan_file
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.events import EventLog
from tests.commands import Done, rfctl
from tests.log_tools import bodies, copied, segment
from tests.station_bench import answers_text, station_bench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rfctl.station.session import Result
    from rfctl_sim.events import Detail

SITE_KEYS = (
    *("site", "channel", "sensory", "motor", "sensory_threshold_v", "motor_negative_to_v", "set_temperature_c"),
    *("hold_s", "peak_temperature_c", "mean_hold_temperature_c", "seconds_within_2c", "overshoot_c", "ramp_s"),
    *("energy_j", "impedance_start_ohm", "timer_definition", "end_reason"),
)
DOCUMENT_KEYS = (
    *("outcome", "backend", "medium", "time_scale", "procedure_id", "record", "public_key", "sites", "trips"),
    *("wall_s", "simulated_s", "report", "telemetry_published", "telemetry_received"),
)

INTENT_OF = {"stimulation_on": "stimulation", "rf_on": "lesion"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def ran(folder: Path) -> Done:
    """The demonstration, with a relative path for its output."""
    return rfctl("demo", "--fast", "--json", "--seed", "7", "--out", "out", cwd=folder)


@pytest.fixture(scope="module")
def document(ran: Done) -> dict[str, Any]:
    return ran.document


@pytest.fixture(scope="module")
def record(document: dict[str, Any]) -> Path:
    return Path(document["record"])


# the document


def test_it_ends_well_and_prints_one_document_and_nothing_else(ran: Done) -> None:
    assert ran.exit_code == 0
    assert ran.out.count("\n") == 1
    assert ran.document["outcome"] == "complete"
    assert ran.document["trips"] == []


def test_logs_go_to_standard_error_and_carry_station_backend_and_channel(ran: Done) -> None:
    lines = ran.err.splitlines()
    assert len(lines) > 40
    assert all("station=demo" in line and "backend=SIMULATED" in line for line in lines)
    assert {line.split("channel=")[1] for line in lines if "code=phase" in line} == {"1", "2"}


def test_every_agreed_key_is_there(document: dict[str, Any]) -> None:
    assert set(DOCUMENT_KEYS) <= set(document)
    assert None not in [document[key] for key in DOCUMENT_KEYS]
    assert document["telemetry_received"] == document["telemetry_published"] > 1000
    assert (document["backend"], document["medium"], document["time_scale"]) == ("simulated", "tissue", "virtual")
    assert document["procedure_id"].startswith("demo-")


def test_paths_are_absolute_and_lead_to_the_files(document: dict[str, Any], folder: Path) -> None:
    for key in ("record", "public_key"):
        path = Path(document[key])
        assert path.is_absolute()
        assert path.is_dir() if key == "record" else path.is_file()
        assert path.is_relative_to(folder / "out")


def test_two_sites_are_treated_on_two_channels_as_planned(document: dict[str, Any]) -> None:
    assert [site["channel"] for site in document["sites"]] == [1, 2]
    for site in document["sites"]:
        assert set(SITE_KEYS) <= set(site)
        assert 79.5 <= site["peak_temperature_c"] <= 83.0
        assert 85.0 <= site["seconds_within_2c"] <= site["hold_s"] == 90.0
        assert site["overshoot_c"] == pytest.approx(site["peak_temperature_c"] - 80.0, abs=0.01)
        assert 79.0 <= site["mean_hold_temperature_c"] <= 81.0
        assert 9.0 <= site["ramp_s"] <= 14.0
        assert 100.0 <= site["impedance_start_ohm"] <= 300.0
        assert 100.0 <= site["energy_j"] <= 600.0
        assert site["end_reason"] == "delivered as planned"


def test_stimulation_results_are_thresholds_of_the_answers(document: dict[str, Any]) -> None:
    assert [site["sensory_threshold_v"] for site in document["sites"]] == [0.4, 0.3]
    for site in document["sites"]:
        sensory, motor = site["sensory"], site["motor"]
        assert (sensory["performed"], sensory["unit"], sensory["width_us"]) == (True, "V", 1000)
        assert (motor["performed"], motor["unit"], motor["width_us"]) == (True, "V", 1000)
        assert site["sensory_threshold_v"] == sensory["threshold"]
        assert site["motor_negative_to_v"] == motor["negative_to"] == 2.0


def test_the_demonstration_takes_minutes_of_virtual_time_in_seconds(document: dict[str, Any]) -> None:
    assert 540.0 <= document["simulated_s"] <= 660.0
    assert 0.0 < document["wall_s"] < document["simulated_s"] / 10


# verification


def test_verify_finds_the_record_whole(ran: Done, record: Path) -> None:
    done = rfctl("record", "verify", record, "--key", record.with_suffix(".pub"), "--json", cwd=record.parent)
    assert done.exit_code == 0
    assert done.document["verdict"] == "VALID-UNANCHORED"
    assert done.document["records"] == len(list(bodies(segment(record).read_bytes())))
    assert (done.document["first_bad_seq"], done.document["anchored_by"]) == (None, None)
    assert Path(done.document["path"]) == record


@pytest.fixture
def copy(record: Path, tmp_path: Path) -> Path:
    """A copy of the record that may be spoilt, beside its key."""
    return copied(record, tmp_path)


@pytest.mark.parametrize(
    ("name", "place", "verdict"),
    [
        ("00000000.seg", 0.0, "CORRUPT"),
        ("00000000.seg", 0.5, "CORRUPT"),
        ("00000000.seg", 1.0, "UNCLEAN-END"),
        ("00000000.chunk", 0.0, "MODIFIED"),
        ("00000000.chunk", 0.5, "MODIFIED"),
        ("00000000.chunk", 1.0, "MODIFIED"),
    ],
)
def test_verify_exits_1_after_one_byte_was_changed(copy: Path, name: str, place: float, verdict: str) -> None:
    change(copy / name, round(place * ((copy / name).stat().st_size - 1)), 1)
    done = rfctl("record", "verify", copy, "--key", copy.with_suffix(".pub"), "--json", cwd=copy.parent)
    assert done.exit_code == 1
    assert done.document["verdict"] == verdict


def change(path: Path, place: int, flip: int) -> None:
    """Change one byte where it lies."""
    with path.open("r+b") as file:
        file.seek(place)
        (old,) = file.read(1)
        file.seek(place)
        file.write(bytes([old ^ flip]))


def spoilt(record: Path, path: Path, places: list[int]) -> Iterator[tuple[int, Outcome]]:
    """The verdict with each of these bytes of a file changed, one at a time."""
    key = keys.load_public_key(record.with_suffix(".pub"))
    for place in places:
        flip = 1 + place % 255
        change(path, place, flip)
        yield place, verify(record, key).verdict
        change(path, place, flip)
    assert verify(record, key).verdict is Outcome.VALID_UNANCHORED


def test_a_change_anywhere_in_the_record_is_found(copy: Path) -> None:
    for path, places in ((segment(copy), 32), (copy / "00000000.chunk", 16)):
        size = path.stat().st_size
        verdicts = dict(spoilt(copy, path, [size * step // places for step in range(places)]))
        assert len(verdicts) == places
        assert set(verdicts.values()) <= {Outcome.CORRUPT, Outcome.MODIFIED}


async def declined(folder: Path) -> Result:
    """A session that is over before it began: the shortest record there is."""
    async with station_bench(folder, VirtualClock.running()) as bench:
        return await bench.begin(bench.order(script=answers_text(checklist="decline")))


def test_a_change_of_any_byte_of_a_short_record_is_found(tmp_path: Path) -> None:
    record = copied(Path(run_virtual(declined(tmp_path)).document["record"]), tmp_path)
    for path in sorted(record.iterdir()):
        size = path.stat().st_size
        verdicts = dict(spoilt(record, path, list(range(0, size, 1 + size // 4000))))
        assert len(verdicts) > 1000
        assert set(verdicts.values()) <= {Outcome.CORRUPT, Outcome.MODIFIED, Outcome.UNCLEAN_END}


# replay


def test_replay_decides_everything_the_same_again(ran: Done, record: Path) -> None:
    done = rfctl("record", "replay", record, "--json", cwd=record.parent)
    assert done.exit_code == 0
    assert done.document["decisions"] > ran.document["cycles"]
    assert (done.document["differences"], done.document["first_difference"]) == (0, None)


def test_replay_exits_1_when_one_reading_was_altered(copy: Path) -> None:
    path = copy / "00000000.chunk"
    data, at = path.read_bytes(), 0
    while True:
        end = at + 4 + struct.unpack_from(">I", data, at)[0]
        (frame,) = chunk.frames(data[at:end])
        if frame.decision is not None and frame.decision[0]:
            break  # the first sample of channel 1 with a permit in force
        at = end
    place = data.index(struct.pack(">d", frame.reading.channels[0].temperature_c), at)
    path.write_bytes(data[:place] + struct.pack(">d", 96.0) + data[place + 8 :])
    assert verify(copy, keys.load_public_key(copy.with_suffix(".pub"))).verdict is Outcome.MODIFIED
    done = rfctl("record", "replay", copy, "--json", cwd=copy.parent)
    assert done.exit_code == 1
    assert done.document["differences"] > 0
    assert f"input {frame.input}, chunk of record" in done.document["first_difference"]
    assert "96 degC is above the hard maximum" in done.document["first_difference"]


# write-ahead


class Energised(NamedTuple):
    """An output that came on, who owned the generator, and how much of the segment was on disk by then."""

    channel: int
    kind: str
    owner: int
    synced_bytes: int


async def demonstrated(folder: Path) -> Result:
    """The demonstration's plan and answers, in this process."""
    async with station_bench(folder, VirtualClock.running()) as bench:
        plan = plan_file.load("demo")
        order = replace(bench.order(), plan=plan, operator=answers.load("demo-answers", plan))
        return await bench.begin(order)


@pytest.mark.requirement("record.intent-first")
def test_no_output_comes_on_before_its_intent_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced_bytes = owner = 0
    energised: list[Energised] = []
    log, sync = EventLog.add, Disk.sync

    def synced(disk: Disk, descriptor: int) -> None:
        nonlocal synced_bytes
        sync(disk, descriptor)
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".seg":
            synced_bytes = os.fstat(descriptor).st_size

    def add(events: EventLog, at_ns: int, kind: str, **detail: Detail) -> None:
        nonlocal owner
        if kind == "owner" and detail["session"]:
            owner = int(detail["session"] or 0)
        if kind in INTENT_OF:
            energised.append(Energised(int(detail["channel"] or 0), INTENT_OF[kind], owner, synced_bytes))
        log(events, at_ns, kind, **detail)

    monkeypatch.setattr(Disk, "sync", synced)
    monkeypatch.setattr(EventLog, "add", add)
    result = run_virtual(demonstrated(tmp_path))
    assert [(on.channel, on.kind) for on in energised] == [
        *[(1, "stimulation"), (1, "stimulation"), (1, "lesion")],
        *[(2, "stimulation"), (2, "stimulation"), (2, "lesion")],
    ]
    stored = segment(Path(result.document["record"])).read_bytes()
    for number, on in enumerate(energised, start=1):
        told = [json.loads(body) for body in bodies(stored[: on.synced_bytes])]
        intents = [record["payload"] for record in told if record["kind"] == "intent"]
        assert [intent["nonce"] for intent in intents] == [f"{on.owner:04x}-{each}" for each in range(1, number + 1)]
        assert (intents[-1]["channel"], intents[-1]["permits"]) == (on.channel, on.kind)
