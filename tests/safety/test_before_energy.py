"""What a station has to state, and whoever decides has to confirm, before anything is energised."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from rfctl.cli.login import began
from rfctl.cli.main import main
from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED, EXIT_USAGE, ConfigError, RefusedError
from rfctl.generator import Identity
from rfctl.kernel.events import Stopped
from rfctl.station import calibration, station_file
from rfctl.station.service import STANDING_BY
from tests.log_tools import of_kind
from tests.station_bench import plan_text, station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.kernel.state import KernelState
    from rfctl.station.station_file import Station

NOBODY = "tcp:127.0.0.1:1"
CALIBRATION = "\n[calibration]\ndone = 2026-03-01\ndue = 2027-03-01\n"
ALL_OFF = bytes.fromhex("0600000001")
LAYERS = '\n[relay]\nlink = "rtu:/dev/null"\nhold_up_ms = 60\n\n[guard]\n'

SILENT = Identity(
    map_id=1,
    map_version=(1, 0),
    simulated=False,
    model="bench",
    serial="1",
    firmware="1",
    channels=1,
    rated_power_w=50.0,
    reply_ms=10,
    sample_period_ms=20,
    pad_monitored=False,
    traits=(),
    capabilities=frozenset(),
)
"""A generator that tells nothing of its calibration."""
PINNED = "0123456789abcdef" * 4


def device(folder: Path, *, medium: str = "load", more: str = "", isolation: str = "") -> Station:
    text = station_text(NOBODY, backend="device", medium=medium) + more
    if isolation:
        text = text.replace("[station]\n", f'[station]\nisolation = "{isolation}"\n')
    (folder / "station.toml").write_text(text, encoding="utf-8")
    return station_file.load(str(folder / "station.toml"))


def patient(folder: Path) -> Station:
    """Tissue on a device, with everything that is asked for."""
    device(folder, medium="tissue", more=LAYERS, isolation="fibre")
    return pinned(folder, PINNED)


def pinned(folder: Path, digest: str) -> Station:
    """The station file of before, with the digest of its profile."""
    path = folder / "station.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[generator]\n", f'[generator]\nprofile_sha256 = "{digest}"\n'), encoding="utf-8")
    return station_file.load(str(path))


@pytest.mark.requirement("calibration.due")
@pytest.mark.parametrize(
    ("now", "says"),
    [
        (
            datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
            "dated 2026-03-01, in the future: today is 2026-02-28 by the clock",
        ),
        (datetime(2026, 3, 1, tzinfo=UTC), ""),
        (datetime(2027, 3, 1, 23, 59, tzinfo=UTC), ""),
        (datetime(2027, 3, 2, tzinfo=UTC), "ran out: due 2027-03-01, today is 2027-03-02 by the clock"),
    ],
)
def test_a_calibration_holds_from_its_day_to_the_day_it_is_due(tmp_path: Path, now: datetime, says: str) -> None:
    station = device(tmp_path, more=CALIBRATION)
    if not says:
        calibration.require(station, SILENT, now, tmp_path)
        return
    with pytest.raises(RefusedError, match=f"the station file says that the calibration .*{says}"):
        calibration.require(station, SILENT, now, tmp_path)


@pytest.mark.requirement("calibration.own")
@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize(
    ("done", "due", "says"),
    [
        (date(2026, 6, 1), date(2026, 6, 1), ""),
        (None, date(2026, 6, 1), ""),
        (date(2026, 6, 1), None, ""),
        (date(2025, 1, 1), date(2026, 5, 31), "ran out: due 2026-05-31, today is 2026-06-01 by the clock"),
        (None, date(2026, 5, 31), "ran out: due 2026-05-31"),
        (date(2026, 6, 2), date(2027, 1, 1), "dated 2026-06-02, in the future: today is 2026-06-01 by the clock"),
        (date(2026, 6, 2), None, "dated 2026-06-02"),
    ],
)
def test_the_generator_s_own_calibration_is_judged_beside_the_certificate(
    tmp_path: Path, *, simulated: bool, done: date | None, due: date | None, says: str
) -> None:
    station, now = device(tmp_path, more=CALIBRATION), datetime(2026, 6, 1, 12, tzinfo=UTC)
    station = replace(station, simulated=simulated)
    identity = replace(SILENT, calibration_done=done, calibration_due=due)
    if says:
        with pytest.raises(RefusedError, match=f"the generator says that the calibration .*{says}"):
            calibration.require(station, identity, now, tmp_path)
        return
    by_station, by_generator = calibration.require(station, identity, now, tmp_path)
    days = {name: str(day) for name, day in (("done", done), ("due", due)) if day is not None}
    assert by_generator == {"source": "generator", **days, "today": "2026-06-01", "by": "the clock"}
    assert (by_station["source"], by_station["due"]) == ("station file", "2027-03-01")


@pytest.mark.requirement("calibration.own")
def test_a_clock_that_was_set_back_renews_no_calibration_of_the_generator_s_own(tmp_path: Path) -> None:
    station, now = device(tmp_path, more=CALIBRATION), datetime(2026, 6, 1, tzinfo=UTC)
    (tmp_path / "bench-20261101T120000Z-a1b2c3").mkdir()
    with pytest.raises(RefusedError, match=r"the generator says .* by the record bench-20261101T120000Z-a1b2c3"):
        calibration.require(station, replace(SILENT, calibration_due=date(2026, 10, 1)), now, tmp_path)


@pytest.mark.requirement("calibration.own")
@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "linetcp:127.0.0.1:0"])
async def test_a_generator_whose_own_calibration_ran_out_is_not_energised(
    tmp_path: Path, clock: Clock, address: str
) -> None:
    async with station_bench(tmp_path, clock, address=address) as bench:
        bench.simulator.faults.start("calibration_expired", due=20200131)
        refused = await bench.begin()
        assert not [event for event in bench.simulator.events if event.kind in {"rf_on", "stimulation_on"}]
        watched = replace(bench.order(), plan=STANDING_BY, operator=Looking(clock.monotonic_ns() + 10**9))
        result = await bench.begin(watched)
    assert (refused.exit_code, refused.document["outcome"]) == (EXIT_STOPPED, "refused")
    assert "the generator says that the calibration ran out: due 2020-01-31, today is " in refused.error
    assert "Have it calibrated, so that it tells a new date." in refused.error
    assert (result.document["ending"], result.document["off_verified"]) == ("stopped by somebody", True)


@pytest.mark.requirement("calibration.due")
def test_a_clock_that_was_set_back_renews_no_calibration(tmp_path: Path) -> None:
    station, now = device(tmp_path, more=CALIBRATION), datetime(2026, 6, 1, tzinfo=UTC)
    for name in ("bench-20270301T120000Z-a1b2c3", "other-20270401T000000Z-a1b2c3", "bench-99999999T000000Z-a1b2c3"):
        (tmp_path / name).mkdir()
    calibration.require(station, SILENT, now, tmp_path)
    (tmp_path / "bench-20270302T000000Z-a1b2c3").mkdir()
    with pytest.raises(RefusedError, match="by the record bench-20270302T000000Z-a1b2c3"):
        calibration.require(station, SILENT, now, tmp_path)


@pytest.mark.requirement("calibration.due")
def test_a_device_has_to_state_its_calibration_and_a_simulator_does_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[calibration\] is missing"):
        calibration.require(device(tmp_path), SILENT, datetime(2026, 6, 1, tzinfo=UTC), tmp_path)
    (tmp_path / "station.toml").write_text(station_text(NOBODY), encoding="utf-8")
    simulated = station_file.load(str(tmp_path / "station.toml"))
    assert calibration.require(simulated, SILENT, datetime(2026, 6, 1, tzinfo=UTC), tmp_path) == ()


@pytest.mark.requirement("calibration.due")
async def test_with_a_calibration_that_ran_out_nothing_is_energised(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        past = "\n[calibration]\ndone = 2001-03-01\ndue = 2002-03-01\n"
        order = bench.order(station=station_text(bench.simulator.address) + past, plan=plan_text(hold_s=5))
        result = await bench.begin(order)
        assert not [event for event in bench.simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    assert (result.exit_code, result.document["outcome"]) == (EXIT_STOPPED, "refused")
    assert "the calibration ran out: due 2002-03-01" in result.error


@dataclass
class Looking:
    """Nobody's operator, who looks for a while."""

    until_ns: int
    name: str = "nobody"

    def decide(self, _state: KernelState, now_ns: int) -> Stopped | None:
        return Stopped(now_ns, "somebody") if now_ns >= self.until_ns else None


@pytest.mark.requirement("identity.known")
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("wrong_model", "'another generato' with firmware 'sim 0.1'"),
        ("wrong_firmware", "'rfctl reference' with firmware 'sim 9.9'"),
    ],
)
async def test_a_model_or_firmware_that_the_profile_was_not_tried_on_is_only_watched(
    tmp_path: Path, clock: Clock, fault: str, told: str
) -> None:
    async with station_bench(tmp_path, clock) as bench:
        bench.simulator.faults.start(fault)
        refused = await bench.begin()
        assert set(bench.written()) == {ALL_OFF}
        watched = replace(bench.order(), plan=STANDING_BY, operator=Looking(clock.monotonic_ns() + 10**9))
        result = await bench.begin(watched)
        assert not [event for event in bench.simulator.events if event.kind in {"rf_on", "stimulation_on"}]
    assert (refused.exit_code, refused.document["outcome"]) == (EXIT_DEVICE, "refused")
    assert f"profile rfctl-reference was not tried on {told}" in refused.error
    assert "it knows 'rfctl reference' with firmware 'sim 0.1'. Such a generator is only watched." in refused.error
    assert "rfctl check generator, then add model and firmware to [[known]] of a copy of the profile" in refused.error
    assert (result.document["ending"], result.document["off_verified"]) == ("stopped by somebody", True)
    for session in (refused, result):
        (identity,) = of_kind(tmp_path / session.document["record"], "identity")
        assert identity["known"] is False


@pytest.mark.requirement("identity.known")
async def test_a_generator_that_the_profile_was_tried_on_is_known_in_the_record(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        result = await bench.begin(bench.order(plan=plan_text(set_temperature_c=45, hold_s=3)))
    assert result.document["outcome"] == "complete"
    (identity,) = of_kind(tmp_path / result.document["record"], "identity")
    assert identity["known"] is True


@pytest.mark.requirement("profile.pinned")
async def test_by_a_profile_that_was_changed_since_nothing_is_energised(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock) as bench:
        order = bench.order(plan=plan_text(set_temperature_c=45, hold_s=3))
        digest = order.profile.sha256
        result = await bench.begin(replace(order, station=replace(order.station, profile_sha256=PINNED)))
        assert set(bench.written()) == {ALL_OFF}
        assert (result.exit_code, result.document["outcome"]) == (EXIT_USAGE, "refused")
        assert f"its digest is {digest}, generator.profile_sha256 is {PINNED}" in result.error
        result = await bench.begin(replace(order, station=replace(order.station, profile_sha256=digest)))
        assert result.document["outcome"] == "complete"


@pytest.mark.requirement("profile.pinned")
def test_tissue_on_a_device_needs_the_digest_of_its_profile(tmp_path: Path) -> None:
    station = device(tmp_path, medium="tissue", more=LAYERS, isolation="fibre")
    with pytest.raises(ConfigError, match=r"generator\.profile_sha256 is missing"):
        station_file.require_layers(station)
    with pytest.raises(ConfigError, match=r"generator\.profile_sha256"):
        pinned(tmp_path, "no digest")


def test_a_calibration_that_ends_before_it_begins_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="due 2026-01-01 is not after done 2026-03-01"):
        device(tmp_path, more="\n[calibration]\ndone = 2026-03-01\ndue = 2026-01-01\n")


@pytest.mark.requirement("station.isolation")
def test_tissue_on_a_device_needs_a_stated_isolation(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"station\.isolation is missing: a mains-earthed computer"):
        station_file.require_layers(device(tmp_path, medium="tissue", more=LAYERS))
    station_file.require_layers(patient(tmp_path))
    station_file.require_layers(device(tmp_path, medium="phantom"))
    with pytest.raises(ConfigError, match=r"station\.isolation"):
        device(tmp_path, medium="tissue", more=LAYERS, isolation="none")


@pytest.mark.requirement("alarm.start-test")
@pytest.mark.parametrize(("typed", "heard"), [("n\n", False), ("", False), ("y\n", True)])
def test_a_start_on_a_patient_asks_whether_the_alarm_is_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, heard: bool
) -> None:
    patient(tmp_path)
    (tmp_path / "plan.toml").write_text(plan_text(), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--station", str(tmp_path / "station.toml"), "--plan", str(tmp_path / "plan.toml")])
    told = capsys.readouterr().err
    assert "\a" in told
    assert "Did you hear it?" in told
    # whoever has heard it gets as far as the next thing that is missing
    assert ended.value.code == (EXIT_USAGE if heard else EXIT_STOPPED)
    assert ("station.accounts is missing" if heard else "the test tone of the alarm was not heard") in told


def test_what_somebody_heard_stands_in_the_record_before_the_start() -> None:
    assert [str(done.deed) for done in began(None, "plan", alarm_heard=True)] == ["alarm_heard", "start"]
    assert [str(done.deed) for done in began(None, "plan")] == ["start"]


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=pytest.mark.requirement(f"mode.{mode}")) for mode in ("cooled", "pulsed")]
)
def test_a_plan_of_a_mode_without_interlocks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    text = plan_text().replace("hold_s = 20", f'hold_s = 20, mode = "{mode}"')
    assert mode in text
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["plan", "check", str(tmp_path / "plan.toml")])
    assert ended.value.code == EXIT_USAGE
    assert f"{mode} lesions are refused: this version has no interlocks" in capsys.readouterr().err
