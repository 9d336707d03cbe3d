"""An hour of four channels: physics neither gain nor lose against the clock, and nothing grows."""

from __future__ import annotations

import asyncio
import gc
from math import exp

import pytest

from rfctl.clock import NS_PER_MS
from rfctl_sim.simulator import start
from rfctl_sim.tissue import GAUGE_18_TIP_10_MM

QUARTER_S, HEATED_S, CHANNELS = 900.0, 60.0, 4
COOLS_IN_A_MINUTE = exp(-60.0 / GAUGE_18_TIP_10_MM.far.time_constant_s)
SAMPLE_MS = 20


@pytest.fixture
async def simulator(clock):
    running = await start(clock, channels=CHANNELS, tissue="poles", seed=3)
    yield running
    await running.close()


def measured(simulator, keys):
    return [tuple(channel[key] for key in keys) for channel in simulator.truth()["channels"]]


def rises_k(simulator):
    return [temperature_c - 37.0 for (temperature_c,) in measured(simulator, ["tip_temperature_c"])]


async def test_an_hour_of_four_channels_keeps_time_and_memory(simulator, client, clock):
    ends, energies_j, alive = [], [], []
    for quarter in range(4):
        begun_j = sum(energy for (energy,) in measured(simulator, ["energy_j"]))
        for number in range(1, CHANNELS + 1):
            simulator.at_the_machine({"press": "start", "channel": number})
        # The timer of the generator ends it, to the nanosecond of the clock.
        await asyncio.sleep(HEATED_S - 0.001)
        ends.append(measured(simulator, ["tip_temperature_c", "tissue_max_c"]))
        assert measured(simulator, ["rf_on"]) == [(True,)] * CHANNELS
        await asyncio.sleep(0.001)
        assert measured(simulator, ["rf_on", "last_off_s"]) == [(False, quarter * QUARTER_S + HEATED_S)] * CHANNELS
        simulator.at_the_machine({"remote": "free"})
        for address, value in ((1, 7), (5, 1), (1, 0)):  # the timer's fault is cleared by an owner
            await client.write(address, value)
        # A minute after the heat only the far part of the tissue is warm, and it cools by a clock of its own.
        await asyncio.sleep(60.0)
        after_one, _ = rises_k(simulator), await asyncio.sleep(60.0)
        assert rises_k(simulator) == pytest.approx([rise_k * COOLS_IN_A_MINUTE for rise_k in after_one], rel=0.002)
        energies_j.append(sum(energy for (energy,) in measured(simulator, ["energy_j"])) - begun_j)
        await asyncio.sleep((quarter + 1) * QUARTER_S - simulator.truth()["now_s"])
        gc.collect()
        alive.append(len(gc.get_objects()))
        uptime_ms, samples = await client.read(64, "II")
        assert uptime_ms == clock.monotonic_ns() // NS_PER_MS == (quarter + 1) * 1000 * QUARTER_S
        assert samples == uptime_ms // SAMPLE_MS
    # Each lesion is the first one but for the noise of another quarter.
    for end in ends[1:]:
        assert end == [pytest.approx(each, rel=0.002) for each in ends[0]]
    assert energies_j == pytest.approx([energies_j[0]] * 4, rel=0.001)
    assert energies_j[0] > 4 * 100.0
    # Only the log grows, by a few events a quarter, up to its bound.
    assert max(alive[1:]) - alive[1] < 500
