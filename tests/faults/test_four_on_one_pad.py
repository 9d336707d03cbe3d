"""Four electrodes on one dispersive electrode: refused when they are large, and when one fails the plan's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.kernel.phase import HEATING, Phase
from rfctl.model.electrode import find_electrode
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.tissue import ThreePoleTissue
from tests.electrode_tissues import poles_of
from tests.station_bench import station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.state import KernelState
    from rfctl.station.session import Result

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
