"""What makes the tip read wrong is noticed while the true tip is below 65 degC, on the field, at the output stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from rfctl.clock import NS_PER_S
from rfctl.kernel.effects import Level, Note
from rfctl.virtual import VirtualClock, run_virtual
from tests.station_bench import plan_text, station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result

PAUSE = "model_check_pause"
NOTICED_BELOW_C = 65.0
SETUP = """
title = "{gauge} G, {tip_mm} mm on the bench"
electrode = {{ gauge = {gauge}, tip_mm = {tip_mm:.1f} }}
"""


class Seen(NamedTuple):
    """One lesion, seen at the simulator.

    Attributes:
        result: Of the session.
        hottest_c: The true tip, at its hottest.
        noticed_c: The true tip when the station first paused or tripped; None: it never did.
        code: Of that.
        off_after_s: RF off at the output stage so long after it.
    """

    result: Result
    hottest_c: float
    noticed_c: float | None
    code: str
    off_after_s: float | None


async def _lesion(
    folder: Path, *, gauge: int, tip_mm: float, fault: str = "", share: float = 0.5, into_hold_s: float | None = None
) -> Seen:
    """18 G, 10 mm on the bench; in the plan the one that is given. The fault is there from the start, or strikes so
    long into the hold.
    """
    setup = folder / "bench.toml"
    setup.write_text(SETUP.format(gauge=18, tip_mm=10.0), encoding="utf-8")
    async with station_bench(folder, VirtualClock.running(), channels=1, setup=str(setup), tissue="field") as bench:
        if fault and into_hold_s is None:
            bench.simulator.faults.start(fault, channel=1, share=share)
        tips: list[float] = []
        first: list[tuple[float, str, int]] = []

        def look(state: KernelState, effects: tuple[Effect, ...]) -> None:
            channels = bench.simulator.truth()["channels"]
            assert isinstance(channels, list)
            tips.append(channels[0]["tip_temperature_c"])
            said = [each for each in effects if isinstance(each, Note) and (each.level is Level.TRIP or PAUSE in each)]
            if said and not first:
                first.append((tips[-1], said[0].code, state.received_ns))

        bench.watch = look
        running = bench.begin(bench.order(plan=plan_text(gauge=gauge, tip_mm=tip_mm, hold_s=5)))
        if into_hold_s is not None:
            await bench.in_hold(for_s=into_hold_s)
            bench.simulator.faults.start(fault, channel=1, share=share)
        result = await running
        if not first:
            return Seen(result, max(tips), None, "", None)
        noticed_c, code, at_ns = first[0]
        off_after_s = (bench.event_ns("rf_off", after_ns=at_ns) - at_ns) / NS_PER_S
        return Seen(result, max(tips), noticed_c, code, off_after_s)


@pytest.mark.parametrize(
    ("gauge", "fault", "code"),
    [(22, "", "model_check"), (18, "electrode_not_seated", "model_check")],
    ids=["22 G planned", "half of the rise"],
)
def test_the_power_does_not_fit_the_reading(tmp_path: Path, gauge: int, fault: str, code: str) -> None:
    seen = run_virtual(_lesion(tmp_path, gauge=gauge, tip_mm=10.0, fault=fault))
    assert seen.code == code
    assert seen.noticed_c is not None
    assert seen.noticed_c < NOTICED_BELOW_C
    assert seen.hottest_c < NOTICED_BELOW_C
    assert seen.off_after_s is not None
    assert seen.off_after_s < 0.2
    assert [trip["code"] for trip in seen.result.document["trips"]] == [code]


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_an_electrode_that_slips_in_the_hold_reads_less_than_the_hold_may(tmp_path: Path, share: float) -> None:
    fault = "electrode_not_seated"
    seen = run_virtual(_lesion(tmp_path, gauge=18, tip_mm=10.0, fault=fault, share=share, into_hold_s=1.0))
    assert [trip["code"] for trip in seen.result.document["trips"]] == ["under_set"]
    assert seen.hottest_c < 88.0


def test_the_planned_electrode_seated_well_is_silent(tmp_path: Path) -> None:
    seen = run_virtual(_lesion(tmp_path, gauge=18, tip_mm=10.0))
    assert (seen.noticed_c, seen.result.document["outcome"]) == (None, "complete")


def test_swapped_cables_end_in_the_probe(tmp_path: Path) -> None:
    from tests.virtual.test_batch import plan, script

    async def swapped() -> tuple[Result, float]:
        async with station_bench(tmp_path, VirtualClock.running(), channels=3, tissue="field") as bench:
            bench.simulator.faults.start("channels_swapped", channel=1, with_channel=2)
            tips: list[float] = []

            def look(_state: KernelState, _effects: tuple[Effect, ...]) -> None:
                channels = bench.simulator.truth()["channels"]
                assert isinstance(channels, list)
                tips.extend(channel["tip_temperature_c"] for channel in channels)

            bench.watch = look
            return await bench.begin(bench.order(plan=plan("stop all"), script=script())), max(tips)

    result, hottest_c = run_virtual(swapped())
    assert result.document["trips"][0]["code"] == "cable_swap"
    assert hottest_c < 45.0
