"""The check of a generator passes on the simulator, and on a wrong profile names the line that is wrong."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.check import junit
from rfctl.check.energy import wrong_meters
from rfctl.check.findings import Verdict
from rfctl.check.run import run
from rfctl.errors import ConfigError, LinkClosed, RefusedError
from rfctl.model.permit import Intent
from rfctl.model.shipped import shipped_root
from rfctl.model.toml_lines import line_of
from rfctl.profile import any_profile, profile
from rfctl.record.keys import load_public_key
from rfctl.record.verify import Outcome, verify
from rfctl.station import station_file
from rfctl_sim.simulator import start
from tests.log_tools import of_kind

if TYPE_CHECKING:
    from rfctl.check.run import Report
    from rfctl.clock import Clock

REFERENCE = shipped_root() / "generators" / "rfctl-reference.toml"
STATION = """
[station]
id = "{name}"
backend = "{backend}"
medium = "{medium}"

[generator]
link = "{link}"
profile = "profile.toml"

[record]
state_folder = "state"
"""


async def check(
    folder: Path,
    clock: Clock,
    text: str = "",
    *,
    link: str = "sim:reference",
    energise: bool = False,
    backend: str = "simulated",
    medium: str = "tissue",
    more: str = "",
) -> Report:
    """Check a generator against a profile with this text."""
    (folder / "profile.toml").write_text(text or REFERENCE.read_text(encoding="utf-8"), encoding="utf-8")
    station = STATION.format(name="bench", link=link, backend=backend, medium=medium) + more
    (folder / "station.toml").write_text(station, encoding="utf-8")
    loaded = station_file.load(str(folder / "station.toml"))
    described = any_profile.load(loaded.profile, relative_to=folder)
    return await run(loaded, described, clock, energise=energise, out=folder / "out")


def edited(*changes: tuple[str, str, str]) -> tuple[str, list[int]]:
    """The reference profile with other text in the lines of some keys, and the numbers of those lines."""
    text = REFERENCE.read_text(encoding="utf-8")
    lines = text.split("\n")
    numbers = []
    for key, old, new in changes:
        number = line_of(text, key)
        assert re.search(old, lines[number - 1]), (key, lines[number - 1])
        lines[number - 1] = re.sub(old, new, lines[number - 1], count=1)
        numbers.append(number)
    return "\n".join(lines), numbers


def named(report: Report) -> list[int]:
    """Every line that the report names, each once."""
    places = [place for finding in report.findings for place in finding.places]
    return list(dict.fromkeys(int(place.rpartition(":")[2]) for place in places))


@pytest.mark.parametrize("link", ["sim:reference", "sim:reference?link=rtu"])
async def test_the_simulator_passes_with_and_without_energy(clock: Clock, tmp_path: Path, link: str) -> None:
    report = await check(tmp_path, clock, link=link)
    assert [finding for finding in report.findings if finding.verdict is Verdict.FAIL] == []
    assert report.record is None
    energised = await check(tmp_path, clock, link=link, energise=True)
    assert {finding.verdict for finding in energised.findings} == {Verdict.PASS}
    assert energised.record is not None
    verdict = verify(energised.record, load_public_key(energised.record.with_name("record.pub")))
    assert verdict.verdict is Outcome.VALID_UNANCHORED


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("kestrel-2", "sim:rfctl_sim?generator=kestrel-2"),
        ("orrin-v", "sim:rfctl_sim?generator=orrin-v"),
        ("rfctl-line", "sim:rfctl_sim?link=linetcp"),
    ],
)
async def test_every_shipped_profile_passes_on_its_simulator(
    clock: Clock, tmp_path: Path, name: str, link: str
) -> None:
    text = (REFERENCE.parent / f"{name}.toml").read_text(encoding="utf-8")
    report = await check(tmp_path, clock, text, link=link, energise=True)
    assert [finding for finding in report.findings if finding.verdict is Verdict.FAIL] == []
    passed = {finding.check for finding in report.findings if finding.verdict is Verdict.PASS}
    assert {"sample counter", "lease expiry", "fire", "meters", "heating", "off while on"} <= passed


async def test_without_energy_nothing_that_could_energise_is_sent(clock: Clock, tmp_path: Path) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        report = await check(tmp_path, clock, link=simulator.address)
        assert not report.failed
        table = profile.load("rfctl-reference").write_table()
        intents = {table.classify(frame.data[7:]).intent for frame in simulator.wire if frame.direction == "in"}
        assert intents == {Intent.READ, Intent.OFF, Intent.CONFIG}
        assert not [event for event in simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    finally:
        await simulator.close()


async def test_with_energy_the_intent_is_durable_before_and_everything_is_off_after(
    clock: Clock, tmp_path: Path
) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        report = await check(tmp_path, clock, link=simulator.address, energise=True)
        kinds = [event.kind for event in simulator.events]
        assert kinds.count("rf_on") == kinds.count("rf_off") == 1
        assert kinds.count("stimulation_on") == kinds.count("stimulation_off") == 1
        truth = simulator.truth()["channels"]
        assert isinstance(truth, list)
        assert truth[0]["energy_j"] < 3.0
        assert report.record is not None
        assert len(of_kind(report.record, "check_intent")) == 1
    finally:
        await simulator.close()


AT_REST = [
    ("word order", [("profile.word_order", "ABCD", "CDAB")]),
    ("another map id", [("identity.expect[0].value", "0x52464354", "0x52464355")]),
    ("probe at a wrong address", [("identity.expect[2].address", "6", "38")]),
    ("another major version", [("identity.map_version", "major = 1", "major = 2")]),
    (
        "firmware at a wrong address",
        [("identity.firmware", 'address = 24, type = "text:8"', 'address = 33, type = "text:2"')],
    ),
    ("rated power scaled", [("identity.rated_power_w", '"f32"', '"f32", scale = 10.0')]),
    ("uptime scaled", [("status.uptime_ms", '"u32"', '"u32", scale = 10.0')]),
    (
        "uptime and counter swapped",
        [("status.uptime_ms", "offset = 0", "offset = 2"), ("status.sample_counter", "offset = 2", "offset = 0")],
    ),
    ("temperature scaled", [("status.channel.temperature_c", '"f32"', '"f32", scale = 0.1')]),
    (
        "temperature and impedance swapped",
        [
            ("status.channel.temperature_c", "offset = 0,", "offset = 12,"),
            ("status.channel.impedance_ohm", "offset = 12", "offset = 0"),
        ],
    ),
    ("impedance scaled", [("status.channel.impedance_ohm", '"f32"', '"f32", scale = 10.0')]),
    (
        "flag of RF at a wrong bit",
        [("status.channel.rf_on", "bit = 2", "bit = 4"), ("status.channel.electrode_present", "bit = 4", "bit = 2")],
    ),
    ("mode at a wrong address", [("status.channel.mode", "offset = 15", "offset = 26")]),
    ("width at a wrong address", [("status.channel.stimulation_width_us", "offset = 16", "offset = 26")]),
    ("rate shown scaled", [("status.channel.stimulation_rate_hz", r"scale = 0\.1", "scale = 1.0")]),
    ("owner at a wrong address", [("status.owner", "offset = 4", "offset = 8")]),
    ("off at a wrong address", [("write.all_off", "", "")]),
    ("rate written scaled", [("write.stimulation_rate_hz.scale", r"0\.1", "1.0")]),
    ("set temperature scaled", [("write.set_temperature_c.type", '"f32"', '"f32"\nscale = 0.1')]),
    (
        "set temperature and ramp swapped",
        [("write.set_temperature_c.address", "19", "21"), ("write.ramp_c_per_s.address", "21", "19")],
    ),
]


def wrong(name: str, changes: list[tuple[str, str, str]]) -> tuple[str, set[int]]:
    """The edited profile and the lines that may be named: those of the keys or of the tables that they stand in."""
    text, numbers = edited(*changes)
    if name == "off at a wrong address":
        text = REFERENCE.read_text(encoding="utf-8").replace(
            "[write.all_off]\naddress = 0", "[write.all_off]\naddress = 7"
        )
    tables = {line_of(text, key) for key, _, _ in changes} | {line_of(text, _table_of(key)) for key, _, _ in changes}
    return text, set(numbers) | tables


def _table_of(key: str) -> str:
    return key.rpartition(".")[0] if key.startswith(("write.", "identity.expect")) and key != "write.all_off" else key


@pytest.mark.parametrize(("name", "changes"), AT_REST, ids=[name for name, _ in AT_REST])
async def test_a_wrong_profile_fails_naming_the_wrong_line(
    clock: Clock, tmp_path: Path, name: str, changes: list[tuple[str, str, str]]
) -> None:
    text, lines = wrong(name, changes)
    report = await check(tmp_path, clock, text, energise=True)
    assert report.failed
    assert report.record is None, "something was turned on though a check at rest failed"
    found = named(report)
    assert found[0] in lines, [f for f in report.findings if f.verdict is Verdict.FAIL]
    if "swapped" in name:
        assert len(set(found) & lines) == 2
    assert len(found) <= 4, [f for f in report.findings if f.verdict is Verdict.FAIL]


METERS = [
    ("voltage scaled", [("status.channel.voltage_v_rms", '"f32"', '"f32", scale = 10.0')]),
    ("current scaled", [("status.channel.current_ma_rms", '"f32"', '"f32", scale = 1000.0')]),
    ("power scaled", [("status.channel.power_w", '"f32"', '"f32", scale = 0.1')]),
    (
        "voltage and current swapped",
        [
            ("status.channel.voltage_v_rms", "offset = 4", "offset = 6"),
            ("status.channel.current_ma_rms", "offset = 6", "offset = 4"),
        ],
    ),
    (
        "temperature and cold junction swapped",
        [
            ("status.channel.temperature_c", "offset = 0", "offset = 2"),
            ("status.channel.cold_junction_c", "offset = 2", "offset = 0"),
        ],
    ),
]


@pytest.mark.parametrize(("name", "changes"), METERS, ids=[name for name, _ in METERS])
async def test_what_shows_only_with_an_output_on_is_named_with_energy(
    clock: Clock, tmp_path: Path, name: str, changes: list[tuple[str, str, str]]
) -> None:
    text, numbers = edited(*changes)
    assert not (await check(tmp_path, clock, text)).failed
    report = await check(tmp_path, clock, text, energise=True)
    assert report.failed
    found = named(report)
    assert found[0] in numbers
    if "swapped" in name:
        assert set(numbers) <= set(found)


@pytest.mark.parametrize(
    ("changed", "factor", "blamed"),
    [
        ("voltage_v_rms", 10, ("voltage_v_rms",)),
        ("current_ma_rms", 0.001, ("current_ma_rms",)),
        ("power_w", 0.01, ("power_w",)),
        ("impedance_ohm", 3, ("impedance_ohm",)),
        ("power_w", 1.05, ()),
    ],
)
def test_the_meter_that_disagrees_with_the_others_is_blamed(
    changed: str, factor: float, blamed: tuple[str, ...]
) -> None:
    meters = {"voltage_v_rms": 20.0, "current_ma_rms": 100.0, "power_w": 2.0, "impedance_ohm": 200.0}
    assert wrong_meters(meters) == ()
    assert wrong_meters(meters | {changed: meters[changed] * factor}) == blamed


@pytest.mark.parametrize(
    ("fault", "parameters", "check_name"),
    [
        ("counter_frozen", {}, "sample counter"),
        ("thermocouple_open", {"channel": 1}, "temperature_c of channel 1"),
        ("impedance", {"ohm": 5000.0}, "impedance_ohm of channel 1"),
        ("rf_without_command", {}, "measured off"),
        ("refuse_write", {"register": "power_limit_w"}, "set points 45 degC, 0.5 W"),
        ("wrong_map_id", {}, "probes"),
    ],
)
async def test_a_faulty_generator_fails_where_it_is_faulty(
    clock: Clock, tmp_path: Path, fault: str, parameters: dict[str, object], check_name: str
) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        simulator.faults.start(fault, **parameters)  # type: ignore[arg-type]
        report = await check(tmp_path, clock, link=simulator.address, energise=True)
        assert check_name in {finding.check for finding in report.findings if finding.verdict is Verdict.FAIL}
        assert report.record is None
    finally:
        await simulator.close()


@pytest.mark.requirement("identity.known")
@pytest.mark.parametrize(
    ("fault", "key", "seen"),
    [
        ("wrong_model", "known[0]", "'another generato' with firmware 'sim 0.1'"),
        ("wrong_firmware", "known[0].firmware", "'rfctl reference' with firmware 'sim 9.9'"),
    ],
)
async def test_a_generator_that_the_profile_was_not_tried_on_is_looked_at_and_not_turned_on(
    clock: Clock, tmp_path: Path, fault: str, key: str, seen: str
) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        simulator.faults.start(fault)
        reports = [await check(tmp_path, clock, link=simulator.address, energise=on) for on in (False, True)]
        assert not [event for event in simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    finally:
        await simulator.close()
    for report in reports:
        (failed,) = (finding for finding in report.findings if finding.verdict is Verdict.FAIL)
        assert (failed.check, failed.seen) == ("model and firmware", seen)
        assert failed.expected == "what the profile was tried on: 'rfctl reference' with firmware 'sim 0.1'"
        assert named(report) == [line_of(REFERENCE.read_text(encoding="utf-8"), key)]
        assert report.record is None


@pytest.mark.requirement("calibration.own")
async def test_a_generator_whose_own_calibration_ran_out_is_looked_at_and_not_turned_on(
    clock: Clock, tmp_path: Path
) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        simulator.faults.start("calibration_expired", due=20200131)
        reports = [await check(tmp_path, clock, link=simulator.address, energise=on) for on in (False, True)]
        assert not [event for event in simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    finally:
        await simulator.close()
    for report in reports:
        (failed,) = (finding for finding in report.findings if finding.verdict is Verdict.FAIL)
        assert failed.check == "calibration"
        assert failed.seen.startswith("the generator says that the calibration ran out: due 2020-01-31, today is ")
        text = REFERENCE.read_text(encoding="utf-8")
        assert named(report) == [line_of(text, "calibration.due"), line_of(text, "calibration.done")]
        assert report.record is None


@pytest.mark.requirement("calibration.due")
async def test_with_energy_the_certificate_has_to_hold_and_without_it_is_not_asked_for(
    clock: Clock, tmp_path: Path
) -> None:
    past = "\n[calibration]\ndone = 2001-03-01\ndue = 2002-03-01\n"
    with pytest.raises(RefusedError, match="the station file says that the calibration ran out: due 2002-03-01"):
        await check(tmp_path, clock, energise=True, more=past)
    assert not (await check(tmp_path, clock, more=past)).failed


async def test_a_generator_says_until_when_it_is_calibrated_or_that_it_does_not_tell(
    clock: Clock, tmp_path: Path
) -> None:
    for text, verdict, seen in (
        ("", Verdict.PASS, "done 2026-01-05, due 2036-01-05"),
        (
            (REFERENCE.parent / "kestrel-2.toml").read_text(encoding="utf-8"),
            Verdict.NOT_RUN,
            "this generator does not tell of it",
        ),
    ):
        link = "sim:rfctl_sim?generator=kestrel-2" if text else "sim:reference"
        report = await check(tmp_path, clock, text, link=link)
        (finding,) = (finding for finding in report.findings if finding.check == "calibration")
        assert (finding.verdict, finding.seen) == (verdict, seen)


async def test_a_calibration_that_is_no_date_names_its_line(clock: Clock, tmp_path: Path) -> None:
    text, numbers = edited(("calibration.due", "address = 246", "address = 242"))
    report = await check(tmp_path, clock, text, energise=True)
    (failed,) = (finding for finding in report.findings if finding.verdict is Verdict.FAIL)
    assert failed.check == "calibration"
    assert "which is no date" in failed.seen
    assert named(report) == numbers


async def test_a_generator_that_ignores_off_fails_and_is_told_so(clock: Clock, tmp_path: Path) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        simulator.faults.start("ignore_off")
        report = await check(tmp_path, clock, link=simulator.address, energise=True)
        failed = {finding.check: finding for finding in report.findings if finding.verdict is Verdict.FAIL}
        assert failed["off while on"].seen == "still on"
        assert failed["off while on"].lines[0] == "[write.all_off]"
    finally:
        await simulator.close()


async def test_too_much_power_ends_the_part_with_an_output_on(clock: Clock, tmp_path: Path) -> None:
    simulator = await start(clock, tissue="poles", seed=1)
    try:
        simulator.faults.start("power_over_limit", power_w=10.0)
        report = await check(tmp_path, clock, link=simulator.address, energise=True)
        failed = [finding for finding in report.findings if finding.verdict is Verdict.FAIL]
        assert any("turned off by the check" in finding.seen and "above 2.4" in finding.seen for finding in failed)
        on, off = (
            next(event.monotonic_ns for event in simulator.events if event.kind == kind) for kind in ("rf_on", "rf_off")
        )
        assert off - on < 100_000_000
    finally:
        await simulator.close()


async def test_nothing_is_turned_on_where_layers_are_missing_or_nobody_answers(clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="relay and a guard are mandatory"):
        await check(tmp_path, clock, link="tcp:127.0.0.1:1", backend="device", energise=True)
    pinned = f'tcp:127.0.0.1:1"\nprofile_sha256 = "{"0" * 64}'
    with pytest.raises(ConfigError, match="is not the one that bench was set up with"):
        await check(tmp_path, clock, link=pinned, energise=True)
    with pytest.raises(LinkClosed):
        await check(tmp_path, clock, link="tcp:127.0.0.1:1")
    report = await check(tmp_path, clock, link="sim:reference")
    with pytest.raises(ConfigError, match="station"):
        await check(tmp_path, clock, link="sim:reference", backend="device")
    tree = ET.fromstring(junit.document(report.findings, station='a<b&"c\x00'))
    assert tree.get("failures") == "0"
    assert int(tree.get("tests", "0")) == len(report.findings) == len(tree.findall("testcase"))
