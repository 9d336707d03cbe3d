"""Channels that heat together, on a real socket: seen at the generator's output stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DONE, EXIT_STOPPED, ConfigError
from rfctl.kernel.phase import HEATING, Phase
from rfctl.virtual import VirtualClock, run_virtual
from tests.station_bench import Bench, station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.kernel.state import KernelState

SITE = """
[[site]]
name = "{name}"
channel = {channel}
electrode = {{ gauge = 18, tip_mm = 10 }}
sensory = {{ use = "not used", reason = "bench" }}
motor = {{ use = "not used", reason = "bench" }}
anaesthetic = {{ use = "not used", reason = "bench" }}
lesion = {{ set_temperature_c = 80, hold_s = {hold_s}, ramp_c_per_s = 4.3 }}
"""
FURTHER = """
[[site.further]]
after = "withdrawal"
set_temperature_c = 70
hold_s = 10
"""
CHANNELS = (1, 2, 3)


def plan(on_fault: str) -> str:
    sites = [SITE.format(name=f"site {n}", channel=n, hold_s=15 + 5 * n) for n in CHANNELS]
    sites[1] += FURTHER
    head = '[plan]\ntitle = "batch"\norder = "batch"\nchecklist = ["electrodes stand in the simulator"]\n'
    return f'{head}on_fault = "{on_fault}"\n{"".join(sites)}'


def script() -> str:
    return '[answers]\noperator = "script"\n' + "".join(f'[[site]]\nname = "site {n}"\n' for n in CHANNELS)


async def heating(bench: Bench, on_fault: str) -> None:
    """All three heat."""
    bench.begin(bench.order(plan=plan(on_fault), script=script()))

    def all_heat(state: KernelState) -> bool:
        return all(channel.phase in HEATING - {Phase.PROBE} for channel in state.channels)

    await bench.until(all_heat)


def test_three_channels_are_probed_alone_heat_together_and_end_one_by_one(tmp_path: Path) -> None:
    run_virtual(_three_channels_are_probed_alone_heat_together_and_end_one_by_one(tmp_path))


async def _three_channels_are_probed_alone_heat_together_and_end_one_by_one(tmp_path: Path) -> None:
    async with station_bench(tmp_path, VirtualClock.running(), channels=3) as bench:
        result = await bench.begin(bench.order(plan=plan("stop all"), script=script()))
        assert (result.exit_code, result.document["trips"]) == (EXIT_DONE, [])
        sites = result.document["sites"]
        assert [site["site"] for site in sites] == ["site 1", "site 2", "site 3"]
        assert [len(site["lesions"]) for site in sites] == [1, 2, 1]
        assert [site["seconds_within_2c"] for site in sites] == pytest.approx([20, 25, 30], abs=1.0)
        switched = [
            (event.monotonic_ns, event.kind == "rf_on", event.detail["channel"])
            for event in bench.simulator.events
            if event.kind in {"rf_on", "rf_off"}
        ]
    probes, lesions = switched[:6], switched[6:]
    assert [(on, channel) for _, on, channel in probes] == [(on, n) for n in CHANNELS for on in (True, False)]
    # Three poles keep less of the first lesion's heat than the field does, so that the second is paused once.
    assert [channel for _, on, channel in lesions if on] == [1, 2, 3, 2, 2]
    began = [at_ns for at_ns, on, _ in lesions if on][:3]
    assert max(began) - min(began) < NS_PER_S / 10
    assert [channel for _, on, channel in lesions if not on] == [1, 2, 3, 2, 2]


def test_a_channel_that_fails_is_off_within_the_limit_and_the_others_deliver(tmp_path: Path) -> None:
    run_virtual(_a_channel_that_fails_is_off_within_the_limit_and_the_others_deliver(tmp_path))


async def _a_channel_that_fails_is_off_within_the_limit_and_the_others_deliver(tmp_path: Path) -> None:
    async with station_bench(tmp_path, VirtualClock.running(), channels=3) as bench:
        await heating(bench, "drop the channel")
        now_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start("thermocouple_open", channel=2)
        result = await bench.started[0]
        assert bench.event_ns("rf_off", after_ns=now_ns, channel=2) - now_ns < NS_PER_S // 5
        assert bench.event_ns("rf_off", after_ns=now_ns, channel=1) - now_ns > 15 * NS_PER_S
    assert result.exit_code == EXIT_STOPPED
    assert [trip["code"] for trip in result.document["trips"]] == ["thermocouple_open"]
    ends = [site["end_reason"] for site in result.document["sites"]]
    assert ends[0] == ends[2] == "delivered as planned"
    assert "thermocouple is open" in ends[1]


def test_by_the_other_policy_all_are_off_within_the_limit(tmp_path: Path) -> None:
    run_virtual(_by_the_other_policy_all_are_off_within_the_limit(tmp_path))


async def _by_the_other_policy_all_are_off_within_the_limit(tmp_path: Path) -> None:
    async with station_bench(tmp_path, VirtualClock.running(), channels=3) as bench:
        await heating(bench, "stop all")
        now_ns = bench.clock.monotonic_ns()
        bench.simulator.faults.start("thermocouple_open", channel=2)
        await bench.started[0]
        for channel in CHANNELS:
            assert bench.event_ns("rf_off", after_ns=now_ns, channel=channel) - now_ns < NS_PER_S // 5


def test_a_generator_that_cannot_turn_one_channel_off_does_not_heat_several(tmp_path: Path) -> None:
    run_virtual(_a_generator_that_cannot_turn_one_channel_off_does_not_heat_several(tmp_path))


async def _a_generator_that_cannot_turn_one_channel_off_does_not_heat_several(tmp_path: Path) -> None:
    async with station_bench(tmp_path, VirtualClock.running(), channels=3) as bench:
        profile = tmp_path / "whole.toml"
        shipped = bench.order().profile.path.read_text(encoding="utf-8")
        profile.write_text("\n".join(line for line in shipped.splitlines() if not line.startswith("channel_off")))
        station = station_text(bench.simulator.address).replace('"rfctl-reference"', f'"{profile}"')
        result = await bench.begin(bench.order(station=station, plan=plan("stop all"), script=script()))
        assert result.exit_code == ConfigError("").exit_code
        assert "cannot turn one off while the others go on" in result.error
