"""What a procedure leaves latched, by hazard, medium and what the channel has had; nothing begins while it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rfctl.accounts.resets import Latch
from rfctl.errors import ConfigError, RefusedError
from rfctl.kernel.phase import Phase
from rfctl.model.plan import Medium
from rfctl.station import latches
from tests.unit.kernel.bench import Bench, setup_of

HAZARDS = {
    Latch.R1: ["HZ-26", "HZ-55"],
    Latch.R2: ["HZ-01", "HZ-10", "HZ-17", "HZ-35", "HZ-45", "HZ-51"],
    Latch.R3: ["HZ-02", "HZ-05", "HZ-21", "HZ-52"],
    Latch.R4: ["HZ-04", "HZ-14", "HZ-15", "HZ-44"],
}


def tripped(phase: Phase, medium: Medium = Medium.TISSUE) -> tuple[latches.Standing, ...]:
    bench = Bench(replace(setup_of(), medium=medium)).reach(phase)
    bench.alter(bench.active, thermocouple_open=True, temperature_c=float("nan"))
    bench.finished()
    return latches.latched(bench.state, "bench-1", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(("latch", "hazards"), HAZARDS.items())
def test_a_hazard_has_the_class_of_the_table(latch: Latch, hazards: list[str]) -> None:
    assert {latches.latch_of(hazard) for hazard in hazards} == {latch}


@pytest.mark.parametrize(
    ("phase", "medium", "klass"),
    [
        (Phase.SENSORY, Medium.TISSUE, "R3a"),
        (Phase.HOLD, Medium.TISSUE, "R3b"),
        (Phase.ANAESTHETIC_WAIT, Medium.TISSUE, "R3b"),  # the anaesthetic was given
        (Phase.ARMED, Medium.TISSUE, "R3b"),
        (Phase.HOLD, Medium.PHANTOM, "R2"),
    ],
)
def test_r3_depends_on_what_the_channel_has_had(phase: Phase, medium: Medium, klass: str) -> None:
    (standing,) = tripped(phase, medium)
    assert (standing.code, standing.hazard, standing.channel, standing.reset_class) == (
        "thermocouple_open", "HZ-02", 1, klass,
    )  # fmt: skip
    assert standing.reference_ohm is not None


def test_a_stop_and_a_whole_procedure_leave_nothing() -> None:
    bench = Bench(setup_of()).reach(Phase.HOLD)
    bench.stop()
    bench.finished()
    assert latches.latched(bench.state, "bench-1", "") == ()
    assert latches.latched(Bench(setup_of()).finished().state, "bench-1", "") == ()


def test_what_stands_is_kept_until_it_is_stored_without(tmp_path: Path) -> None:
    standing = tripped(Phase.HOLD)
    latches.require_none(tmp_path, "bench")
    latches.add(tmp_path, standing)
    latches.add(tmp_path, ())
    assert latches.load(tmp_path) == standing
    with pytest.raises(RefusedError, match=r"thermocouple_open on channel 1 .HZ-02, reset class R3b.*rfctl reset"):
        latches.require_none(tmp_path, "bench")
    latches.add(tmp_path, (*standing, replace(standing[0], procedure_id="bench-2")))
    assert len(latches.load(tmp_path)) == 2  # the same of the same procedure stands once
    latches.store(tmp_path, ())
    latches.require_none(tmp_path, "bench")


@pytest.mark.parametrize("content", ["", '[{"code": "x"}]', "no json"])
def test_a_file_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / latches.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"latches\.json: cannot be read"):
        latches.require_none(tmp_path, "bench")
