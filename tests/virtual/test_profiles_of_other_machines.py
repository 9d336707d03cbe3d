"""Machines with other conventions, made to work by a profile alone: a whole procedure, its record decided again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.profile import profile
from rfctl.record.replay import replay
from rfctl.station import answers, plan_file, session, station_file

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Result

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


@pytest.mark.parametrize(("generator", "link"), [("kestrel-2", "tcp"), ("kestrel-2", "rtu")])
async def test_a_whole_procedure_runs_to_complete(tmp_path: Path, clock: Clock, generator: str, link: str) -> None:
    result = await run(tmp_path, clock, f"sim:reference?link={link}&generator={generator}", generator)
    document = result.document
    assert (result.exit_code, document["outcome"], document["trips"]) == (0, "complete", [])
    (site,) = document["sites"]
    assert site["sensory_threshold_v"] == pytest.approx(0.4)
    assert site["motor_negative_to_v"] == pytest.approx(2.0)
    assert site["seconds_within_2c"] == pytest.approx(10.0, abs=0.1)
    assert site["overshoot_c"] <= 3.0
    assert replay(tmp_path / document["record"]).differences == 0
