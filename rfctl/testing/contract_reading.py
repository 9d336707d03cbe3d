"""The contract of a driver: who answers, and what a sample is."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import DeviceError
from rfctl.model.permit import Intent
from rfctl.testing.hooks import Hooks
from rfctl.testing.rig import CHANNEL
from rfctl.testing.virtual import in_virtual_time

if TYPE_CHECKING:
    from rfctl.testing.rig import Rig


class LooksAndTells(Hooks):
    """Identity and samples."""

    @in_virtual_time
    async def test_the_generator_is_identified_completely(self, rig: Rig) -> None:
        who = rig.identity
        assert who.simulated, "the simulated generator of this test must say that it is one"
        assert who.channels >= 1
        assert len(who.traits) == who.channels
        assert all(trait.temperature_resolution_k > 0 for trait in who.traits)
        assert 0 < who.rated_power_w < math.inf
        assert who.reply_ms > 0
        assert who.sample_period_ms > 0
        assert who.model
        assert who.serial
        assert who.capabilities, "it can do nothing"
        assert await rig.driver.identify() == who

    @in_virtual_time
    async def test_looking_writes_nothing(self, rig: Rig) -> None:
        rig.recorder.begin()
        await rig.driver.identify()
        await rig.driver.read()
        table = rig.driver.table()
        assert rig.recorder.exchanges
        assert {table.classify(exchange.pdu).intent for exchange in rig.recorder.exchanges} == {Intent.READ}

    @in_virtual_time
    async def test_nothing_is_read_before_it_is_known_who_answers(self, rig: Rig) -> None:
        stranger = self.open_driver(rig.recorder)
        rig.recorder.begin()
        with pytest.raises(DeviceError):
            await stranger.read()
        assert not rig.recorder.exchanges

    @in_virtual_time
    async def test_each_sample_is_asked_for_and_tells_of_every_channel(self, rig: Rig) -> None:
        rig.recorder.begin()
        first = await rig.driver.read()
        asked = len(rig.recorder.exchanges)
        assert asked > 0
        assert len(first.channels) == rig.identity.channels
        assert first.received_ns == rig.link.received_ns
        assert not any(channel.rf_on or channel.stimulating for channel in first.channels)
        await asyncio.sleep(1.5)
        second = await rig.driver.read()
        assert len(rig.recorder.exchanges) == 2 * asked
        assert second.sample_counter > first.sample_counter
        if first.uptime_ms is not None:
            assert second.uptime_ms is not None
            assert second.uptime_ms > first.uptime_ms
        assert second.received_ns > first.received_ns

    @in_virtual_time
    async def test_a_sample_counter_that_stands_still_is_told_as_it_is(self, rig: Rig) -> None:
        rig.recorder.begin()
        rig.recorder.frozen = True
        first = await rig.driver.read()
        await asyncio.sleep(1.5)
        assert (await rig.driver.read()).sample_counter == first.sample_counter
        rig.recorder.frozen = False
        assert (await rig.driver.read()).sample_counter > first.sample_counter

    @in_virtual_time
    async def test_an_open_thermocouple_is_not_a_number(self, rig: Rig) -> None:
        before = (await rig.fresh()).channels[CHANNEL - 1]
        assert math.isfinite(before.temperature_c)
        assert not before.thermocouple_open
        rig.peer.open_thermocouple(CHANNEL)
        after = (await rig.fresh()).channels[CHANNEL - 1]
        assert math.isnan(after.temperature_c), f"an open thermocouple reads {after.temperature_c}"
        assert after.thermocouple_open

    @in_virtual_time
    async def test_the_requests_of_a_cycle_are_a_sample_and_a_renewal(self, rig: Rig) -> None:
        await rig.prepare("renew")
        await rig.driver.renew()  # the first one may have to ask what the generator holds
        rig.recorder.begin()
        await rig.driver.read()
        await rig.driver.renew()
        table = rig.driver.table()
        done = [table.classify(exchange.pdu).intent for exchange in rig.recorder.exchanges]
        told = [table.classify(pdu).intent for pdu in rig.driver.cycle()]
        assert told == done
        assert set(told) == {Intent.READ, Intent.RENEW}
