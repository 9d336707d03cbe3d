"""The contract of a driver: off in every state, the two acts, the lease."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import DeviceError, RfctlError
from rfctl.model.permit import Intent, PermitKind
from rfctl.testing import wire
from rfctl.testing.hooks import Hooks
from rfctl.testing.rig import CHANNEL, LEASE_OVER_S, OFF_WITHIN_S
from rfctl.testing.virtual import in_virtual_time

if TYPE_CHECKING:
    from rfctl.testing.rig import Rig

STATES = ("connected", "claimed", "configured", "armed", "rf on", "stimulating", "lease over", "connection lost")


class TurnsOnAndOff(Hooks):
    """Energy."""

    @in_virtual_time
    async def test_the_off_frames_turn_everything_off_by_the_table_and_never_change(self, rig: Rig) -> None:
        table, frames = rig.driver.table(), rig.driver.off_frames()
        assert frames
        for frame in frames:
            assert table.classify(frame).intent is Intent.OFF, frame
        reached = {action.target.channel for action in table.classify(frames[0]).actions}
        assert None in reached or reached >= set(table.channels), "the first one turns all channels off"
        rig.recorder.begin()
        assert rig.driver.off_frames() == self.open_driver(rig.recorder).off_frames() == frames
        assert rig.driver.table().sha256 == table.sha256
        assert not rig.recorder.exchanges, "off frames are known without asking the generator"

    @pytest.mark.parametrize("state", STATES)
    @in_virtual_time
    async def test_off_turns_off_in_every_state(self, rig: Rig, state: str) -> None:
        on = await self._reach(rig, state)
        assert rig.peer.delivering() == on
        rig.off()
        await asyncio.sleep(OFF_WITHIN_S)
        assert not rig.peer.delivering()
        assert not await rig.shows_output()

    @in_virtual_time
    async def test_off_works_when_nothing_comes_back(self, rig: Rig) -> None:
        await rig.start_rf()
        rig.wire.disturb = wire.lost
        rig.off()
        await asyncio.sleep(OFF_WITHIN_S)
        assert not rig.peer.delivering()

    @in_virtual_time
    async def test_one_channel_is_turned_off_by_its_own_command_under_no_permit(self, rig: Rig) -> None:
        if not rig.identity.channel_off:
            with pytest.raises(DeviceError):
                await rig.driver.channel_off(CHANNEL)
            return
        await rig.start_rf()
        rig.recorder.begin()
        rig.link.withdraw()
        await rig.driver.channel_off(CHANNEL)
        for exchange in rig.recorder.exchanges:
            (action,) = rig.driver.table().classify(exchange.pdu).actions
            assert (action.act.intent, action.target.channel) == (Intent.OFF, CHANNEL)
        await asyncio.sleep(OFF_WITHIN_S)
        assert not rig.peer.delivering()
        assert not await rig.shows_output()

    @in_virtual_time
    async def test_a_token_fires_once(self, rig: Rig) -> None:
        await rig.start_rf()
        used = rig.token
        rig.off()
        await asyncio.sleep(OFF_WITHIN_S)
        for step in rig.steps()["arm"]:
            await rig.call(step, last="arm")
        await self._refused(rig, used)
        await rig.call("arm")
        assert rig.token != used or not await self._has_tokens(rig), "a token was given out twice"
        await rig.call("fire")
        await rig.keep(0.2, PermitKind.LESION)
        assert await rig.shows_output()

    @in_virtual_time
    async def test_another_token_does_not_fire(self, rig: Rig) -> None:
        await rig.prepare("fire")
        if not await self._has_tokens(rig):
            rig.off()  # without tokens it is the arming itself that must not last
            await asyncio.sleep(OFF_WITHIN_S)
            for step in rig.steps()["arm"]:
                await rig.call(step, last="arm")
        await self._refused(rig, rig.token ^ 1)

    @in_virtual_time
    async def test_stimulation_begins_at_zero_and_shows_its_amplitude(self, rig: Rig) -> None:
        await rig.prepare("set_amplitude")
        shown = (await rig.fresh()).channels[CHANNEL - 1]
        assert shown.stimulating
        assert shown.stimulation_amplitude == 0.0
        await rig.call("set_amplitude")
        await rig.keep(1.0, PermitKind.STIMULATION)
        shown = (await rig.fresh()).channels[CHANNEL - 1]
        assert shown.stimulation_amplitude == pytest.approx(self.samples.amplitude, abs=0.011)
        stimulation = self.samples.stimulation
        if shown.stimulation_width_us is not None:
            assert shown.stimulation_width_us == stimulation.width_us
        if not math.isnan(shown.stimulation_rate_hz):
            assert shown.stimulation_rate_hz == pytest.approx(stimulation.rate_hz)
        with pytest.raises(RfctlError):
            await rig.driver.set_amplitude(CHANNEL, self.samples.stimulation.amplitude_limit * 1.1)

    @in_virtual_time
    async def test_only_a_renewal_renews_the_lease(self, rig: Rig) -> None:
        await rig.start_rf()
        await rig.keep(2 * LEASE_OVER_S, PermitKind.LESION)
        assert rig.peer.delivering(), "RF ended, though the lease was renewed in time"
        for _ in range(round(LEASE_OVER_S / 0.05)):
            rig.permit(PermitKind.LESION)  # so that a driver that renews where it should not is not refused
            await rig.driver.read()
            await asyncio.sleep(0.05)
        assert not rig.peer.delivering(), "reading kept the output on"
        assert not await rig.shows_output()

    async def _reach(self, rig: Rig, state: str) -> bool:
        """Bring generator and driver into a state. Returns: an output is on."""
        match state:
            case "connected":
                return False
            case "claimed":
                await rig.prepare("release")
            case "configured":
                await rig.prepare("arm")
            case "armed":
                await rig.prepare("fire")
            case "rf on":
                await rig.start_rf()
                return True
            case "stimulating":
                await rig.prepare("set_amplitude")
                await rig.call("set_amplitude")
                await rig.keep(0.2, PermitKind.STIMULATION)
                return True
            case "lease over":
                await rig.start_rf()
                await asyncio.sleep(LEASE_OVER_S)
            case "connection lost":
                await rig.start_rf()
                rig.wire.cut()
                await rig.connect(off=False)
                return rig.peer.delivering()
        return False

    async def _has_tokens(self, rig: Rig) -> bool:
        """An armed channel shows its token."""
        return bool((await rig.driver.read()).channels[CHANNEL - 1].arm_token)

    async def _refused(self, rig: Rig, token: int) -> None:
        rig.permit(PermitKind.LESION)
        with pytest.raises(DeviceError):
            await rig.driver.fire(CHANNEL, token)
        await asyncio.sleep(0.2)
        assert not rig.peer.delivering()
