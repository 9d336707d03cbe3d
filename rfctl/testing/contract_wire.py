"""The contract of a driver: what it makes of a bad wire. It believes nothing wrong and sends nothing twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import LinkClosed, LinkError, LinkTimeout, RefusedError, RfctlError
from rfctl.model.permit import PermitKind
from rfctl.testing import wire
from rfctl.testing.hooks import Hooks
from rfctl.testing.rig import SESSION
from rfctl.testing.virtual import in_virtual_time

if TYPE_CHECKING:
    from rfctl.model.reading import Reading
    from rfctl.testing.rig import Rig

READS = 5


class BearsABadWire(Hooks):
    """Lost, late and doubled replies, and a lost connection."""

    @in_virtual_time
    async def test_a_request_without_a_reply_is_a_time_out_and_is_not_sent_again(self, rig: Rig) -> None:
        for method in await rig.methods():
            await rig.prepare(method)
            rig.wire.disturb = wire.lost
            with pytest.raises(LinkTimeout):
                await rig.call(method)
            assert len(rig.wire.requests) == len(rig.recorder.exchanges) == 1, f"{method} sent something twice"
            rig.wire.disturb = None
            await rig.reconnect()

    @in_virtual_time
    async def test_after_a_time_out_the_same_connection_goes_on(self, rig: Rig) -> None:
        for method in set(await rig.methods()) & {"read", "claim", "renew"}:
            await rig.prepare(method)
            rig.wire.disturb = wire.lost
            with pytest.raises(LinkTimeout):
                await rig.call(method)
            rig.wire.disturb = None
            await rig.call(method)
            await rig.reconnect()

    @in_virtual_time
    async def test_a_renewal_that_never_arrived_is_followed_by_one_that_counts(self, rig: Rig) -> None:
        await rig.start_rf()
        rig.recorder.begin()
        rig.recorder.fail = lambda _: LinkTimeout("the contract lost the request")
        with pytest.raises(LinkTimeout):
            await rig.driver.renew()
        rig.recorder.begin()
        await rig.keep(2.0, PermitKind.LESION)
        assert rig.peer.delivering()

    @in_virtual_time
    async def test_a_late_sample_is_not_taken_for_a_new_one(self, rig: Rig) -> None:
        first = await rig.driver.read()
        rig.wire.disturb = wire.late(rig.link.reply_ns / NS_PER_S + 0.5)
        with pytest.raises(LinkTimeout):
            await rig.driver.read()
        rig.wire.disturb = None
        await asyncio.sleep(0.2)
        self._is_of_now(first, await self._read_at_last(rig), rig)

    @in_virtual_time
    async def test_a_late_reply_is_not_taken_for_that_of_another_request(self, rig: Rig) -> None:
        await rig.prepare("read")
        rig.wire.disturb = wire.late(rig.deadline_s() + 0.001)
        with pytest.raises(LinkTimeout):
            await rig.driver.read()
        rig.wire.disturb = None
        assert await rig.driver.identify() == rig.identity
        await rig.prepare("arm")
        assert (await rig.fresh()).owner == SESSION

    @in_virtual_time
    async def test_doubled_replies_are_never_believed_for_others(self, rig: Rig) -> None:
        first = await rig.driver.read()
        rig.wire.disturb = wire.doubled
        for _ in range(READS):
            await asyncio.sleep(0.2)
            try:
                self._is_of_now(first, await rig.driver.read(), rig)
            except LinkError:
                continue
        rig.wire.disturb = None
        self._is_of_now(first, await self._read_at_last(rig), rig)

    @in_virtual_time
    async def test_a_closed_connection_ends_every_method(self, rig: Rig) -> None:
        methods = await rig.methods()
        await rig.prepare("fire")
        rig.wire.cut()
        await asyncio.sleep(0.01)
        for method in methods:
            with pytest.raises(LinkClosed):
                await rig.call(method)

    @in_virtual_time
    async def test_after_a_reconnect_everything_is_unknown(self, rig: Rig) -> None:
        await rig.start_rf()
        rig.wire.cut()
        await rig.connect(off=False)
        assert not rig.recorder.writes, "a driver writes nothing by itself"
        for method in ("fire", "arm"):
            with pytest.raises(RfctlError) as caught:
                await rig.call(method)
            assert isinstance(caught.value, RefusedError | LinkError) or rig.recorder.writes[-1].reply is None
        assert not any(exchange.reply for exchange in rig.recorder.writes), (
            "it energised on a connection without an off"
        )
        rig.off()
        await asyncio.sleep(0.3)
        assert not rig.peer.delivering()

    def _is_of_now(self, first: Reading, reading: Reading, rig: Rig) -> None:
        """A sample shows about the count that the generator has reached when it arrives."""
        elapsed_ms = (reading.received_ns - first.received_ns) / 1e6
        expected = elapsed_ms / rig.identity.sample_period_ms
        counted = reading.sample_counter - first.sample_counter
        assert abs(counted - expected) <= 3, f"{counted} samples after {elapsed_ms:.0f} ms, {expected:.0f} expected"

    async def _read_at_last(self, rig: Rig) -> Reading:
        """A sample; a link that still drains may need a second attempt."""
        try:
            return await rig.driver.read()
        except LinkError:
            await asyncio.sleep(1.0)
            return await rig.driver.read()
