"""Faults of the station itself, of clocks, wire, pads and cables: off in time at the output stages, in virtual time."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE, EXIT_STOPPED
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.state import Setup
from rfctl.model.electrode import find_electrode
from rfctl.station import plan_check, procedure, session
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.pad import Pad, PadStatus
from rfctl_sim.tissue import ThreePoleTissue
from tests.electrode_tissues import poles_of
from tests.station_bench import station_bench

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result
    from tests.station_bench import Bench

    Strike = Callable[[Bench, pytest.MonkeyPatch], Coroutine[None, None, None]]

POLL_S = 0.05
MONITORED = 'title = "Monitored pad"\npad = { monitored = true, contact_ohm = 30.0 }\n'


async def nothing_done(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    """The loop is elsewhere for 0.21 s, once."""
    spent: list[float] = []

    async def elsewhere(_self: procedure.Procedure, _due_ns: int) -> None:
        if not spent:
            spent.append(0.21)
            await asyncio.sleep(0.21)

    patch.setattr(procedure.Procedure, "_ask_neighbours", elsewhere)


async def asleep(bench: Bench, patch: pytest.MonkeyPatch) -> None:
    """The machine's other clock has gone on for 5 s."""
    boottime_ns = VirtualClock.boottime_ns
    patch.setattr(VirtualClock, "boottime_ns", lambda self: boottime_ns(self) + 5 * NS_PER_S)


def fault(name: str, **parameters: object) -> Strike:
    async def begin(bench: Bench, _patch: pytest.MonkeyPatch) -> None:
        bench.simulator.faults.start(name, **parameters)

    return begin


async def pad_silent(_bench: Bench, patch: pytest.MonkeyPatch) -> None:
    """The generator says nothing of the pad any more."""
    patch.setattr(Pad, "status", PadStatus.NOT_MONITORED)


CASES: dict[str, tuple[Strike, int, float, str]] = {
    "cycle_overrun": (nothing_done, EXIT_STOPPED, 0.5, "HZ-20, 500 ms"),
    "suspended": (asleep, EXIT_STOPPED, 0.5, "HZ-21, 500 ms"),
    "refused_frames": (fault("wrong_count"), EXIT_DEVICE, 0.3, "HZ-19, 300 ms, when three have come"),
    "clock_rate": (fault("clock_rate", rate=1.05), EXIT_DEVICE, 10.0, "HZ-24, 10 s"),
    "pad_bad": (fault("pad_loosening", ohm_per_s=0.1, firmware_blind=True), EXIT_STOPPED, 0.3, "HZ-13, 300 ms"),
    "pad_rising": (
        fault("pad_loosening", ohm_per_s=0.1, contact_ohm=120.0, firmware_blind=True),
        EXIT_STOPPED, 0.3, "HZ-13, 300 ms",
    ),
    "pad_silent": (pad_silent, EXIT_DEVICE, 0.3 + 2 * POLL_S, "pad status older than 300 ms"),
}  # fmt: skip


async def strike(folder: Path, code: str, patch: pytest.MonkeyPatch) -> tuple[Result, float]:
    """The session, and how long after the cause its output was off."""
    setup = folder / "setup.toml"
    setup.write_text(MONITORED, encoding="utf-8")
    async with station_bench(folder, VirtualClock.running(), setup=str(setup)) as bench:
        running = bench.begin()
        await bench.in_hold(for_s=2.0)
        await asyncio.sleep(0.001)
        began_ns = bench.clock.monotonic_ns()
        await CASES[code][0](bench, patch)
        result = await running
        return result, (bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns) / NS_PER_S


@pytest.mark.parametrize("code", CASES)
def test_the_output_is_off_in_time_and_the_cause_is_named(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, off_s = run_virtual(strike(tmp_path, code, monkeypatch))
    _, exit_code, limit_s, source = CASES[code]
    assert (result.document["trips"][0]["code"], result.exit_code) == (code, exit_code)
    assert off_s <= limit_s, source


@pytest.mark.parametrize("code", CASES)
def test_without_its_row_that_is_not_what_ends_it(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(row for row in ROWS if row.code != code)
    monkeypatch.setattr(session, "Setup", partial(Setup, rows=rows))
    result, _ = run_virtual(strike(tmp_path, code, monkeypatch))
    assert code not in [trip["code"] for trip in result.document["trips"]]


SITE = """
[[site]]
name = "S{n}"
channel = {n}
electrode = {{ gauge = 18, tip_mm = 10 }}
sensory = {{ use = "not used", reason = "bench" }}
motor = {{ use = "not used", reason = "bench" }}
anaesthetic = {{ use = "not used", reason = "bench" }}
lesion = {{ set_temperature_c = 80, hold_s = {hold_s}, ramp_c_per_s = 4.3 }}
"""


def plan(channels: int, hold_s: float) -> str:
    head = '[plan]\ntitle = "b"\norder = "batch"\non_fault = "drop the channel"\nchecklist = ["electrodes stand"]\n'
    return head + "".join(SITE.format(n=n, hold_s=hold_s) for n in range(1, channels + 1))


def script(channels: int) -> str:
    return '[answers]\noperator = "script"\n' + "".join(f'[[site]]\nname = "S{n}"\n' for n in range(1, channels + 1))


def all_heat(state: KernelState) -> bool:
    return all(channel.phase in HEATING - {Phase.PROBE} for channel in state.channels)


def test_four_18_g_that_heat_all_the_same_are_warned_of_and_all_turned_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan check is blind here, so that what stands behind it is seen."""
    monkeypatch.setattr(plan_check, "PAD_HEATING_PLANNED_A2S", 100.0)

    async def run() -> tuple[Result, float]:
        async with station_bench(tmp_path, VirtualClock.running(), channels=4) as bench:
            result = await bench.begin(bench.order(plan=plan(4, 60.0), script=script(4)))
            assert bench.state is not None
            (trip,) = bench.state.trips
            offs = [bench.event_ns("rf_off", channel=n, after_ns=trip.t_ns) - trip.t_ns for n in range(1, 5)]
            return result, max(offs) / NS_PER_S

    result, off_s = run_virtual(run())
    (trip,) = result.document["trips"]
    assert (trip["code"], result.exit_code) == ("pad_heating", EXIT_STOPPED)
    assert 30.0 < trip["measured"] < 30.5
    assert off_s <= POLL_S


@pytest.mark.requirement("plan.pads")
def test_four_18_g_are_refused_before_anything_is_energised(tmp_path: Path) -> None:
    async def run() -> Result:
        async with station_bench(tmp_path, VirtualClock.running(), channels=4) as bench:
            result = await bench.begin(bench.order(plan=plan(4, 60.0), script=script(4)))
            assert not [event for event in bench.simulator.events if event.kind == "rf_on"]
            return result

    result = run_virtual(run())
    assert (result.exit_code, result.document["outcome"]) == (2, "refused")
    assert "limit 27 A2s" in result.error


@pytest.mark.parametrize("policy", ["drop the channel", "stop all"])
def test_four_22_g_on_one_pad_run_and_one_that_fails_follows_the_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    poles = poles_of(find_electrode(22, 10))
    monkeypatch.setattr("rfctl_sim.setups.ThreePoleTissue", lambda rest_c: ThreePoleTissue(poles, rest_c))
    thin = plan(4, 20.0).replace("gauge = 18", "gauge = 22").replace("drop the channel", policy)

    async def run() -> tuple[Result, list[float]]:
        async with station_bench(tmp_path, VirtualClock.running(), channels=4) as bench:
            running = bench.begin(bench.order(plan=thin, script=script(4)))
            await bench.until(all_heat)
            began_ns = bench.clock.monotonic_ns()
            bench.simulator.faults.start("thermocouple_open", channel=3)
            result = await running
            offs = [bench.event_ns("rf_off", channel=n, after_ns=began_ns) - began_ns for n in range(1, 5)]
            return result, [off_ns / NS_PER_S for off_ns in offs]

    result, offs = run_virtual(run())
    assert [trip["code"] for trip in result.document["trips"]] == ["thermocouple_open"], result.error
    assert offs[2] <= 0.2
    reasons = [site["end_reason"] for site in result.document["sites"] if site["channel"] != 3]
    if policy == "stop all":
        assert max(offs) <= 0.2
        assert all("thermocouple is open" in reason for reason in reasons)
    else:
        assert min(offs[n] for n in (0, 1, 3)) > 20.0
        assert reasons == ["delivered as planned"] * 3
