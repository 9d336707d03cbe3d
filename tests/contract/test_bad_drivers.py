"""The contract notices a bad driver: each of these has one fault, and the test that is about it goes red."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import DeviceRefused, LinkTimeout, ReadBackMismatch, RfctlError
from rfctl.link.modbus import read_holding, registers_in, write
from rfctl.model.permit import Intent
from rfctl.testing.hooks import loaded
from rfctl_modbus.driver import ModbusGenerator
from tests.contract.test_modbus import SimulatedContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.link.link import Transactions
    from rfctl.model.reading import Reading

NOTICED = (AssertionError, pytest.fail.Exception, RfctlError)


class NeverReadsBack(ModbusGenerator):
    def __init__(self, link: Transactions, profile: Any) -> None:
        super().__init__(link, profile)
        self._access.compare = self._believe  # type: ignore[method-assign]

    async def _believe(self, *_: Any) -> None:
        pass


class ReadsBackTooLate(ModbusGenerator):
    async def configure_stimulation(self, channel: int, settings: Any) -> None:
        mismatch = None
        try:
            await super().configure_stimulation(channel, settings)
        except ReadBackMismatch as problem:
            mismatch = problem
            await self._steps.run("stimulate", channel=channel)
        if mismatch:
            raise mismatch


class SwallowsRefusals(ModbusGenerator):
    def __init__(self, link: Transactions, profile: Any) -> None:
        super().__init__(link, profile)
        self._writing = self._access.write_run
        self._access.write_run = self._swallow  # type: ignore[method-assign]

    async def _swallow(self, *arguments: Any) -> None:
        with contextlib.suppress(DeviceRefused):
            await self._writing(*arguments)


class TriesAgain(ModbusGenerator):
    async def renew(self) -> None:
        try:
            await super().renew()
        except LinkTimeout:
            await super().renew()


class RenewsWhenItReads(ModbusGenerator):
    async def read(self) -> Reading:
        with contextlib.suppress(Exception):
            await self.renew()
        return await super().read()


class ShowsZeroForOpen(ModbusGenerator):
    async def read(self) -> Reading:
        reading = await super().read()
        channels = tuple(
            channel._replace(temperature_c=0.0) if math.isnan(channel.temperature_c) else channel
            for channel in reading.channels
        )
        return reading._replace(channels=channels)


class Remembers(ModbusGenerator):
    kept: Reading | None = None

    async def read(self) -> Reading:
        if self.kept is None:
            self.kept = await super().read()
        return self.kept


class CountsItself(ModbusGenerator):
    reads = 0

    async def read(self) -> Reading:
        self.reads += 100
        reading = await super().read()
        return reading._replace(sample_counter=reading.sample_counter + self.reads)


class FiresWhateverTheToken(ModbusGenerator):
    async def fire(self, channel: int, token: int) -> None:
        del token
        address = self._profile.writable("fire", channel).address
        held = registers_in(await self._link.transact(b"\x04\x00\x67\x00\x01", Intent.READ, unit=1))
        await self._link.transact(write(address, held), Intent.ENERGISE, unit=1)


class LiesToTheGate(ModbusGenerator):
    async def release(self) -> None:
        await self._link.transact(write(1, b"\0\0"), Intent.OFF, unit=1)


class ClaimsWhenItIsIdentified(ModbusGenerator):
    async def identify(self) -> Any:
        who = await super().identify()
        await self.claim(1)
        return who


class AsksBeforeItKnowsOff(ModbusGenerator):
    calls = 0

    def off_frames(self) -> tuple[bytes, ...]:
        type(self).calls += 1
        return (write(0, self.calls.to_bytes(2, "big")),) if self.calls % 2 else super().off_frames()


class ReadsInTwoCycles(ModbusGenerator):
    def cycle(self) -> tuple[bytes, ...]:
        return (read_holding(1, 1),)


BAD: list[tuple[type[ModbusGenerator], str, Callable[[SimulatedContract], None]]] = [
    (driver, test, lambda contract, test=test: getattr(contract, test)())  # type: ignore[misc]
    for driver, test in (
        (NeverReadsBack, "test_another_value_held_is_noticed"),
        (ReadsBackTooLate, "test_another_value_held_is_noticed"),
        (SwallowsRefusals, "test_a_refusal_or_a_lost_reply_ends_the_call_and_nothing_more_is_written"),
        (SwallowsRefusals, "test_a_value_that_the_generator_refuses_is_an_error"),
        (SwallowsRefusals, "test_another_token_does_not_fire"),
        (TriesAgain, "test_a_request_without_a_reply_is_a_time_out_and_is_not_sent_again"),
        (TriesAgain, "test_a_refusal_or_a_lost_reply_ends_the_call_and_nothing_more_is_written"),
        (RenewsWhenItReads, "test_only_a_renewal_renews_the_lease"),
        (ShowsZeroForOpen, "test_an_open_thermocouple_is_not_a_number"),
        (Remembers, "test_each_sample_is_asked_for_and_tells_of_every_channel"),
        (Remembers, "test_a_sample_counter_that_stands_still_is_told_as_it_is"),
        (Remembers, "test_a_late_sample_is_not_taken_for_a_new_one"),
        (CountsItself, "test_a_sample_counter_that_stands_still_is_told_as_it_is"),
        (FiresWhateverTheToken, "test_another_token_does_not_fire"),
        (LiesToTheGate, "test_every_frame_says_what_it_does"),
        (ClaimsWhenItIsIdentified, "test_looking_writes_nothing"),
        (ClaimsWhenItIsIdentified, "test_after_a_reconnect_everything_is_unknown"),
        (AsksBeforeItKnowsOff, "test_the_off_frames_turn_everything_off_by_the_table_and_never_change"),
        (ReadsInTwoCycles, "test_the_requests_of_a_cycle_are_a_sample_and_a_renewal"),
    )
]


@pytest.mark.parametrize(("driver", "test", "run"), BAD, ids=[f"{driver.__name__}-{test}" for driver, test, _ in BAD])
def test_the_contract_goes_red(
    driver: type[ModbusGenerator], test: str, run: Callable[[SimulatedContract], None]
) -> None:
    class Contract(SimulatedContract):
        profile = "rfctl-reference"
        make = staticmethod(ModbusGenerator)

        def open_driver(self, link: Transactions) -> ModbusGenerator:
            return self.make(link, loaded("rfctl-reference"))

    run(Contract())
    Contract.make = staticmethod(driver)  # type: ignore[assignment]
    with pytest.raises(NOTICED):
        run(Contract())
