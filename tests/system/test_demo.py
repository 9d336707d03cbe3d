"""The demonstration as a user runs it: its document, its record, and what verification and replay say of both."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.record import keys, layout
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome, verify
from rfctl.station import answers, plan_file
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.events import EventLog
from tests.commands import Done, rfctl
from tests.station_bench import answers_text, station_bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        assert path.is_file()
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
    assert done.document["records"] == len(record.read_bytes().splitlines()) - 1
    assert (done.document["first_bad_seq"], done.document["anchored_by"]) == (None, None)
    assert Path(done.document["path"]) == record


@pytest.fixture
def copy(record: Path, tmp_path: Path) -> Path:
    """A copy of the record that may be spoilt, beside its key."""
    shutil.copy(record.with_suffix(".pub"), tmp_path)
    return Path(shutil.copy(record, tmp_path))


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0], ids=["first-byte", "middle", "last-byte"])
def test_verify_exits_1_after_one_byte_was_changed(copy: Path, place: float) -> None:
    change(copy, round(place * (copy.stat().st_size - 1)), 1)
    done = rfctl("record", "verify", copy, "--key", copy.with_suffix(".pub"), "--json", cwd=copy.parent)
    assert done.exit_code == 1
    assert done.document["verdict"] == "MODIFIED"
    assert done.document["first_bad_seq"] is not None


def change(path: Path, place: int, flip: int) -> None:
    """Change one byte where it lies."""
    with path.open("r+b") as file:
        file.seek(place)
        (old,) = file.read(1)
        file.seek(place)
        file.write(bytes([old ^ flip]))


def spoilt(path: Path, places: list[int]) -> Iterator[tuple[int, Outcome]]:
    """The verdict with each of these bytes changed, one at a time."""
    key = keys.load_public_key(path.with_suffix(".pub"))
    for place in places:
        flip = 1 + place % 255
        change(path, place, flip)
        yield place, verify(path, key).verdict
        change(path, place, flip)
    assert verify(path, key).verdict is Outcome.VALID_UNANCHORED


def test_a_change_anywhere_in_the_record_is_found(copy: Path) -> None:
    size, lines = copy.stat().st_size, copy.read_bytes().splitlines(keepends=True)
    spread = [size * step // 48 for step in range(48)]
    seal = [size - 1 - offset for offset in range(0, len(lines[-1]), 10)]
    verdicts = dict(spoilt(copy, [*spread, *seal]))
    assert len(verdicts) > 80
    assert set(verdicts.values()) <= {Outcome.MODIFIED, Outcome.UNCLEAN_END}


async def declined(folder: Path) -> Result:
    """A session that is over before it began: the shortest record there is."""
    async with station_bench(folder, VirtualClock.running()) as bench:
        return await bench.begin(bench.order(script=answers_text(checklist="decline")))


def test_a_change_of_any_byte_of_a_short_record_is_found(tmp_path: Path) -> None:
    path = Path(run_virtual(declined(tmp_path)).document["record"])
    verdicts = dict(spoilt(path, list(range(path.stat().st_size))))
    assert len(verdicts) > 3000
    assert set(verdicts.values()) <= {Outcome.MODIFIED, Outcome.UNCLEAN_END}


# replay


def test_replay_decides_everything_the_same_again(ran: Done, record: Path) -> None:
    done = rfctl("record", "replay", record, "--json", cwd=record.parent)
    assert done.exit_code == 0
    assert done.document["decisions"] > ran.document["cycles"]
    assert (done.document["differences"], done.document["first_difference"]) == (0, None)


def forge(path: Path, alter: Callable[[dict[str, Any]], None]) -> None:
    """Alter lines and chain them anew, as somebody with an editor and our source would; only the seal is missing."""
    head = layout.GENESIS
    lines: list[bytes] = []
    for seq, raw in enumerate(path.read_bytes().splitlines()[:-1]):
        members = json.loads(raw)
        alter(members)
        kind, t_ns = members["kind"], members["t"]
        payload = {name: value for name, value in members.items() if name not in layout.RESERVED_MEMBERS}
        text = json.dumps(payload, separators=(",", ":"))[1:-1]
        lines.append(layout.line_bytes(seq, head, kind, t_ns, f",{text}"))
        head = hashlib.sha256(lines[-1]).hexdigest()
    path.write_bytes(b"".join(lines))


def test_replay_of_a_record_that_was_only_chained_anew_still_agrees(copy: Path) -> None:
    before = copy.read_bytes().splitlines()[:-1]
    forge(copy, lambda members: None)
    assert copy.read_bytes().splitlines() == before
    assert replay(copy).differences == 0


def test_replay_exits_1_when_one_reading_was_altered(copy: Path) -> None:
    altered: list[int] = []

    def hotter(members: dict[str, Any]) -> None:
        if members["kind"] == "sample" and members["v"][1][0] and not altered:
            members["v"][0][8][0] = 96.0  # the first sample of channel 1 with a permit in force
            altered.append(members["seq"])

    forge(copy, hotter)
    assert len(altered) == 1
    assert verify(copy, keys.load_public_key(copy.with_suffix(".pub"))).verdict is Outcome.UNCLEAN_END
    done = rfctl("record", "replay", copy, "--json", cwd=copy.parent)
    assert done.exit_code == 1
    assert done.document["differences"] > 0
    assert f"line {altered[0]}" in done.document["first_difference"]
    assert "temperature_max" in done.document["first_difference"]


# write-ahead


class Energised(NamedTuple):
    """An output that came on, and how much of the record was on disk by then."""

    channel: int
    kind: str
    synced_bytes: int


async def demonstrated(folder: Path) -> Result:
    """The demonstration's plan and answers, in this process."""
    async with station_bench(folder, VirtualClock.running()) as bench:
        plan = plan_file.load("demo")
        order = replace(bench.order(), plan=plan, operator=answers.load("demo-answers", plan))
        return await bench.begin(order)


def test_no_output_comes_on_before_its_intent_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced_bytes = 0
    energised: list[Energised] = []
    log, fdatasync = EventLog.add, os.fdatasync

    def sync(descriptor: int) -> None:
        nonlocal synced_bytes
        fdatasync(descriptor)
        synced_bytes = os.fstat(descriptor).st_size

    def add(events: EventLog, at_ns: int, kind: str, **detail: Detail) -> None:
        if kind in INTENT_OF:
            energised.append(Energised(int(detail["channel"] or 0), INTENT_OF[kind], synced_bytes))
        log(events, at_ns, kind, **detail)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(EventLog, "add", add)
    result = run_virtual(demonstrated(tmp_path))
    assert [(on.channel, on.kind) for on in energised] == [
        *[(1, "stimulation"), (1, "stimulation"), (1, "lesion")],
        *[(2, "stimulation"), (2, "stimulation"), (2, "lesion")],
    ]
    record = Path(result.document["record"]).read_bytes()
    for number, on in enumerate(energised, start=1):
        effects = [effect for line in record[: on.synced_bytes].splitlines() for effect in effects_of(line)]
        intents = [effect for effect in effects if effect[0] == "MakeDurable"]
        assert [intent[1] for intent in intents] == list(range(1, number + 1))
        assert intents[-1][2:4] == [on.channel, on.kind]


def effects_of(line: bytes) -> list[Any]:
    effects: list[Any] = json.loads(line).get("effects", [])
    return effects
