"""The first seeds of the long campaign, and that its oracle is not blind."""

from __future__ import annotations

import pytest

from rfctl.model.reading import Reading
from rfctl.station.connection import Connection
from rfctl_modbus.driver import ModbusGenerator
from tests.assurance.__main__ import committed
from tests.assurance.faults import cells
from tests.assurance.page import FAULTS, PAGE, Result, page, results, sources
from tests.assurance.run import run
from tests.assurance.worlds import Kind, Mode, Trouble, World, world
from tests.station_bench import plan_text

SEEDS = range(16)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", list(Mode))
def test_the_first_seeds(mode: Mode, seed: int) -> None:
    of_seed = world(seed, mode)
    assert run(of_seed) == [], f"{of_seed}\nreplay: python -m tests.assurance replay --mode {mode} {seed}"


def test_a_seed_gives_the_same_world_for_ever() -> None:
    assert world(7, Mode.SAFETY) == world(7, Mode.SAFETY)
    assert len({str(world(seed, Mode.SAFETY)) for seed in range(200)}) == 200


def test_the_worlds_have_every_kind_of_trouble() -> None:
    worlds = [world(seed, mode) for mode in Mode for seed in range(1000)]
    assert {trouble.kind for each in worlds for trouble in each.troubles} == set(Kind)


def test_the_oracle_sees_an_output_that_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "off", lambda _: None)
    troubles = (Trouble(20.0, Kind.FAULT, "thermocouple_open", {}),)
    plan = plan_text(set_temperature_c=80, hold_s=10)
    struck = World(0, Mode.SAFETY, "tcp:127.0.0.1:0", "device", plan, troubles)
    assert any("RF on" in violation or "is on" in violation for violation in run(struck))


def test_the_oracle_sees_a_station_that_says_off_while_something_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    read, at_first = ModbusGenerator.read, []

    async def blinded(generator: ModbusGenerator) -> Reading:
        reading = await read(generator)
        at_first.append(reading.channels)
        return reading._replace(channels=at_first[0])

    monkeypatch.setattr(ModbusGenerator, "read", blinded)
    troubles = (Trouble(2.0, Kind.FAULT, "stimulation_without_command", {}), Trouble(3.0, Kind.SIGNAL, "SIGINT", {}))
    struck = World(0, Mode.SAFETY, "tcp:127.0.0.1:0", "device", plan_text(hold_s=10), troubles)
    assert run(struck) == ["an output is on and off is said to be verified"]


def test_what_comes_on_by_itself_after_the_end_is_not_what_the_station_spoke_of() -> None:
    assert run(world(4094, Mode.SAFETY)) == []


def test_the_oracle_sees_a_lesion_that_was_not_completed() -> None:
    plan = plan_text(set_temperature_c=80, hold_s=10)
    troubles = (Trouble(20.0, Kind.FAULT, "thermocouple_open", {}),)
    assert any(
        "not completed" in each for each in run(World(0, Mode.LIVENESS, "tcp:127.0.0.1:0", "device", plan, troubles))
    )


def test_the_results_that_are_kept_have_no_violation() -> None:
    found = results()
    assert {name: each.violated for name, each in found.items()} == {**{str(mode): [] for mode in Mode}, FAULTS: []}
    assert (found[Mode.SAFETY].runs, found[FAULTS].runs) == (10_000, len(cells()))


def test_the_page_is_as_it_would_be_written_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.assurance page"


def test_a_result_of_other_sources_is_said_to_be_one_and_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert committed(Mode.SAFETY, sources(Mode.SAFETY)).keys() == set(range(10_000))
    assert committed(Mode.SAFETY, "another tree") == {}
    monkeypatch.setattr("tests.assurance.page.sources", lambda _: "another tree")
    assert page().count(", of earlier sources |") == len(results())


def test_a_seed_with_a_violation_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.assurance.__main__.results", lambda: {"safety": Result(5, [3], "tree")})
    assert committed(Mode.SAFETY, "tree").keys() == {0, 1, 2, 4}
    assert committed(Mode.LIVENESS, "tree") == {}
