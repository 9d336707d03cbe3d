"""The contract of a driver: what it writes is what was asked for, is read back, and stops at the first problem."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import (
    DeviceError,
    DeviceRefused,
    LinkError,
    LinkTimeout,
    ReadBackMismatch,
    RefusedError,
    RfctlError,
)
from rfctl.model.capability import Capability
from rfctl.model.permit import Intent
from rfctl.testing.hooks import Hooks
from rfctl.testing.rig import CHANNEL, SESSION, kind_of
from rfctl.testing.virtual import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.testing.rig import Rig

LOST = LinkTimeout("no reply; the contract lost it")
REFUSED = DeviceRefused("refused; the contract did it")


class SetsAndCompares(Hooks):
    """Every method of a Controller that writes."""

    @in_virtual_time
    async def test_every_frame_says_what_it_does(self, rig: Rig) -> None:
        table = rig.driver.table()
        for method in await rig.methods():
            await rig.prepare(method)
            await rig.call(method)
            for exchange in rig.recorder.exchanges:
                assert table.classify(exchange.pdu).intent is exchange.intent, f"{method}: {exchange.pdu!r}"
            await rig.reconnect()

    @in_virtual_time
    async def test_a_claim_makes_the_session_owner_and_a_release_ends_that(self, rig: Rig) -> None:
        await rig.prepare("arm")
        assert (await rig.fresh()).owner == SESSION
        await rig.driver.release()
        assert (await rig.fresh()).owner == 0

    @in_virtual_time
    async def test_after_the_lease_a_claim_makes_it_usable_again(self, rig: Rig) -> None:
        await rig.start_rf()
        await rig.reconnect(off=False)
        await rig.driver.claim(SESSION)
        await rig.driver.clear_faults()
        await rig.reconnect()
        await rig.start_rf()

    @in_virtual_time
    async def test_another_value_held_is_noticed(self, rig: Rig) -> None:
        """The generator takes and acknowledges another value for one set point, one after the other."""
        for method, field, others in self._alternatives(rig):
            await rig.prepare(method)
            await others()
            meant = [exchange.pdu for exchange in rig.recorder.exchanges]
            await rig.reconnect()
            await rig.prepare(method)
            if method == "claim" and await self._asks_the_same(rig, meant):
                continue  # no session travels: the connection is the session
            seen = await self._with_other_frames(rig, method, meant)
            assert seen is not None, f"{method}: another {field} is held by the generator, and nobody noticed"
            assert seen == [], f"{method}: another {field} is held, and the driver goes on to {seen}"
            await rig.reconnect()

    @in_virtual_time
    async def test_a_refusal_or_a_lost_reply_ends_the_call_and_nothing_more_is_written(self, rig: Rig) -> None:
        for method in await rig.methods():
            await rig.prepare(method)
            await rig.call(method)
            requests = len(rig.recorder.exchanges)
            assert requests, f"{method} asks the generator nothing"
            for number in range(requests):
                for problem, family in ((LOST, LinkError), (REFUSED, DeviceError)):
                    await rig.reconnect()
                    await rig.prepare(method)
                    rig.recorder.fail = lambda at, number=number, problem=problem: problem if at == number else None
                    with pytest.raises(family):
                        await rig.call(method)
                    after = rig.recorder.exchanges[number + 1 :]
                    assert all(exchange.intent is Intent.READ for exchange in after), (
                        f"{method} went on writing after request {number + 1} came to: {problem}"
                    )
            await rig.reconnect()

    @in_virtual_time
    async def test_a_value_that_the_generator_refuses_is_an_error(self, rig: Rig) -> None:
        too_much_w = 10 * rig.identity.rated_power_w
        await rig.prepare("arm")
        rig.link.withdraw()
        with pytest.raises(RfctlError) as caught:
            await rig.driver.lower_power_limit(CHANNEL, too_much_w)
        assert isinstance(caught.value, DeviceError | RefusedError)
        assert not isinstance(caught.value, ReadBackMismatch), "it is the generator's refusal that must be told"

    @in_virtual_time
    async def test_a_set_point_that_is_no_number_is_refused(self, rig: Rig) -> None:
        thermal = rig.can(Capability.THERMAL)
        for value in (math.nan, math.inf, -1.0):
            await rig.prepare("configure_lesion" if thermal else "configure_set_point")
            with pytest.raises(RfctlError):
                if thermal:
                    await rig.driver.configure_lesion(CHANNEL, replace(self.samples.lesion, power_limit_w=value))
                else:
                    await rig.driver.configure_set_point(CHANNEL, replace(self.samples.set_point, power_limit_w=value))
            with pytest.raises(RfctlError):
                await rig.call("arm")
            await rig.reconnect()

    @in_virtual_time
    async def test_what_the_generator_cannot_do_is_refused_before_a_write(self, rig: Rig) -> None:
        unit_of = {Capability.STIMULATION_V: "V", Capability.STIMULATION_MA: "mA"}
        for capability, unit in unit_of.items():
            await rig.prepare("configure_stimulation")
            call = rig.driver.configure_stimulation(CHANNEL, replace(self.samples.stimulation, unit=unit))
            if rig.can(capability):
                await call
                assert not await rig.shows_output()
                await rig.call("start_stimulation")
                assert await rig.shows_output()
            else:
                with pytest.raises(RfctlError):
                    await call
                assert not rig.recorder.writes
            await rig.reconnect()
        await rig.prepare("arm")
        if not rig.can(Capability.THERMAL):
            rig.recorder.begin()
            with pytest.raises(RfctlError):
                await rig.driver.configure_lesion(CHANNEL, self.samples.lesion)
            assert not rig.recorder.writes

    @in_virtual_time
    async def test_without_a_permit_nothing_energises(self, rig: Rig) -> None:
        for method in ("renew", "arm", "fire", "start_stimulation", "set_amplitude"):
            await rig.prepare(method)
            rig.link.withdraw()
            before = rig.peer.delivering()
            with pytest.raises(RefusedError):
                await self._bare(rig, method)
            energising = [e for e in rig.recorder.exchanges if e.intent in {Intent.ENERGISE, Intent.RENEW}]
            assert len(energising) <= 1, "the gate refused it, and the driver tried again"
            assert not any(exchange.reply for exchange in energising)
            assert rig.peer.delivering() == before
            await rig.reconnect()

    def _alternatives(self, rig: Rig) -> list[tuple[str, str, Callable[[], Awaitable[object]]]]:
        """Method, field, and the same call with another value of that field."""
        found: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
            ("claim", "session", lambda: rig.driver.claim(SESSION - 1)),
            ("lower_power_limit", "limit", lambda: rig.driver.lower_power_limit(CHANNEL, rig.lower_limit_w / 2)),
        ]

        def add(method: str, settings: object, field: str, value: object) -> None:
            other = replace(settings, **{field: value})  # type: ignore[type-var]
            found.append((method, field, lambda: getattr(rig.driver, method)(CHANNEL, other)))

        if rig.can(Capability.THERMAL):
            for field in ("set_temperature_c", "ramp_c_per_s", "max_on_s", "power_limit_w"):
                lesion = self.samples.lesion
                add("configure_lesion", lesion, field, getattr(lesion, field) * 0.8)
        else:
            for field in ("max_on_s", "power_limit_w"):
                set_point = self.samples.set_point
                add("configure_set_point", set_point, field, getattr(set_point, field) * 0.8)
        stimulation = self.samples.stimulation
        for field, value in (("rate_hz", 2.0), ("width_us", 500), ("amplitude_limit", 0.5)):
            add("configure_stimulation", stimulation, field, value)
        return found

    async def _asks_the_same(self, rig: Rig, meant: list[bytes]) -> bool:
        """A claim by another session is the same on the wire."""
        await rig.call("claim")
        same = [exchange.pdu for exchange in rig.recorder.exchanges] == meant
        await rig.reconnect()
        await rig.prepare("claim")
        return same

    async def _with_other_frames(self, rig: Rig, method: str, meant: list[bytes]) -> list[bytes] | None:
        """Call a method while its writes are replaced by those of another call.

        Returns:
            None when nothing was noticed; else what the driver still wrote once it could have known.
        """
        replaced: list[int] = []

        def other(number: int, pdu: bytes) -> bytes:
            table = rig.driver.table()
            if number >= len(meant) or meant[number] == pdu or table.classify(pdu).intent is not Intent.CONFIG:
                return pdu
            replaced.append(number)
            return meant[number]

        rig.recorder.substitute = other
        try:
            await rig.call(method)
        except ReadBackMismatch:
            assert replaced, f"{method}: the frames of both calls are the same"
            return [e.pdu for e in rig.recorder.exchanges if e.intent is Intent.ENERGISE]
        return None

    async def _bare(self, rig: Rig, method: str) -> None:
        """A call without the permit that ``Rig.call`` gives."""
        permitting, rig.permit = rig.permit, lambda kind: None  # type: ignore[method-assign]
        try:
            await rig.call(method, last=method if kind_of(method) else "")
        finally:
            rig.permit = permitting  # type: ignore[method-assign]
