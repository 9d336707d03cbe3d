"""Machines with other conventions, made to work by a profile alone: a whole procedure, its record decided again."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import BadReply, WrongDevice
from rfctl.model.capability import Capability
from rfctl.model.reading import PadStatus
from rfctl.profile import profile
from rfctl.record.replay import replay
from rfctl.station import answers, plan_file, session, station_file
from rfctl.station.connection import Connection
from tests.tessel.device import Tessel3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.clock import Clock
    from rfctl.station.session import Result

TESSEL = str(Path(__file__).parents[1] / "tessel" / "tessel-3.toml")
PLAN = """
[plan]
title = "One site with both checks"
checklist = ["electrode stands in the simulator"]

[[site]]
name = "bench"
channel = 1
electrode = { gauge = 18, tip_mm = 10 }
sensory = { maximum_v = 1.0 }
motor = {}
anaesthetic = { use = "not used", reason = "bench" }
lesion = { set_temperature_c = 80, hold_s = 10, ramp_c_per_s = 4.3 }
"""
ANSWERS = """
[answers]
operator = "bench script"
checklist = "confirm"

[[site]]
name = "bench"
felt_at_v = 0.4
"""


async def run(folder: Path, clock: Clock, link: str, name: str) -> Result:
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    (folder / "answers.toml").write_text(ANSWERS, encoding="utf-8")
    station = replace(station_file.load("demo"), link=link, profile=name, state_folder=folder / "state")
    station = replace(station, relay=None, guard=None)  # these machines have no enable loop
    plan = plan_file.load(str(folder / "plan.toml"))
    order = session.Order(
        station=station,
        profile=profile.load(name),
        plan=plan,
        operator=answers.load(str(folder / "answers.toml"), plan),
        out=folder,
        seed=0,
        watch=lambda state, effects: None,
    )
    return await session.run(order, clock)


async def completed(folder: Path, clock: Clock, link: str, name: str) -> dict[str, Any]:
    """The summary of a procedure that ran to its end as planned."""
    result = await run(folder, clock, link, name)
    document = result.document
    assert (result.exit_code, document["outcome"], document["trips"]) == (0, "complete", []), document["ending"]
    (site,) = document["sites"]
    assert site["sensory_threshold_v"] == pytest.approx(0.4)
    assert site["motor_negative_to_v"] == pytest.approx(2.0)
    assert site["seconds_within_2c"] == pytest.approx(10.0, abs=0.1)
    assert site["overshoot_c"] <= 3.0
    return document


@asynccontextmanager
async def opened(clock: Clock) -> AsyncIterator[tuple[Connection, Tessel3]]:
    async with Tessel3() as machine:
        connection = Connection(machine.address, profile.load(TESSEL), clock, simulated=True)
        await connection.open()
        yield connection, machine
        connection.close()


@pytest.mark.parametrize(
    ("generator", "link"), [("kestrel-2", "tcp"), ("kestrel-2", "rtu"), ("orrin-v", "tcp"), ("orrin-v", "rtu")]
)
async def test_a_whole_procedure_runs_to_complete(tmp_path: Path, clock: Clock, generator: str, link: str) -> None:
    document = await completed(tmp_path, clock, f"sim:reference?link={link}&generator={generator}", generator)
    assert replay(tmp_path / document["record"]).differences == 0


async def test_a_machine_nobody_knew_needs_a_file_and_no_code(tmp_path: Path, clock: Clock) -> None:
    async with Tessel3() as machine:
        document = await completed(tmp_path, clock, machine.address, TESSEL)
        assert machine.fired == 1
        assert not any(slot.rf or slot.stimulating for slot in machine.slots)
        assert machine.tenant == 0
        assert replay(tmp_path / document["record"]).differences == 0


async def test_what_the_machine_measures_is_decoded_in_all_its_codings(clock: Clock) -> None:
    async with opened(clock) as (connection, machine):
        identity = connection.identity
        assert (identity.serial, identity.firmware, identity.map_version) == ("314159", "3.1c", (3, 0))
        assert identity.capabilities == {Capability.THERMAL, Capability.STIMULATION_V}
        machine.trouble = 1 << 16 | 1
        reading = await connection.generator.read()
        assert (reading.fault_bits, reading.pad_status, reading.pad_ohm) == (0x10001, PadStatus.OK, 33)
        third = reading.channels[2]
        assert third.temperature_c == pytest.approx(37.0)
        assert third.impedance_ohm == 180.0
        assert (third.rf_on, third.electrode_present, third.thermocouple_open) == (False, True, False)
        assert math.isnan(third.cold_junction_c)
        assert (third.mode, third.stimulation_width_us) == (None, None)


async def test_a_torn_sample_is_read_again_and_then_refused(clock: Clock) -> None:
    async with opened(clock) as (connection, machine):
        await connection.generator.read()  # the frames of off are answered by now
        requests = len(machine.requests)
        await connection.generator.read()
        assert len(machine.requests) - requests == 6
        machine.tick_each_request = 1
        with pytest.raises(BadReply, match="a torn sample, twice: its blocks are 5 samples apart, and may be 0"):
            await connection.generator.read()
        assert len(machine.requests) - requests == 18


async def test_another_machine_is_refused_before_anything_is_written(clock: Clock) -> None:
    async with Tessel3() as machine:
        machine.unit = 1
        connection = Connection(machine.address, profile.load("kestrel-2"), clock, simulated=True)
        with pytest.raises(WrongDevice, match="model_code in register 30001 is 0x5453, expected 0x4b32 by profile"):
            await connection.open()
        assert all(request.pdu[0] in {1, 2, 3, 4} for request in machine.requests)
