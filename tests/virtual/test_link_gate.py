"""A driver that means harm, against a real socket: what the gate refuses never crosses the wire."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import LinkTimeout, RefusedError
from rfctl.link.link import Link
from rfctl.link.modbus import ModbusRefused, TcpFraming, read_input, write
from rfctl.model.permit import Envelope, Intent, Permit, PermitKind
from rfctl.profile.profile import load
from tests.modbus_peer import ModbusPeer, Request, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rfctl.clock import Clock

TABLE = load("rfctl-reference").write_table()
ALL_OFF = write(0, b"\0\1")
ARM = write(16, b"\0\1")
FIRE = write(17, b"\x12\x34")
STIMULATE = write(16, b"\0\2")
PERMIT_S = 0.3


def setting(address: int, value: float) -> bytes:
    return write(address, struct.pack(">f", value))


LESION_SETTINGS = (write(18, b"\0\3"), setting(19, 80.0), setting(23, 120.0), setting(25, 5.0))


class Malicious:
    """Holds the link as a driver does, and sends what it likes."""

    def __init__(self, link: Link, clock: Clock, peer: ModbusPeer) -> None:
        self.link = link
        self.clock = clock
        self.peer = peer

    async def send(self, *requests: bytes, intent: Intent) -> None:
        for request in requests:
            await self.link.transact(request, intent, unit=1)

    def permit(self, kind: PermitKind = PermitKind.LESION, channel: int = 1, **envelope: float) -> None:
        """The station gives a permit."""
        most = Envelope(**({"temperature_c": 80.0, "power_w": 5.0, "duration_s": 120.0} | envelope))
        self.link.grant(Permit(channel, kind, most, self.clock.monotonic_ns() + int(PERMIT_S * NS_PER_S)))

    async def refused(self, request: bytes, intent: Intent, *, unit: int = 1) -> RefusedError:
        """Try, be refused, and find that nothing but a read after it has crossed the wire."""
        before = len(self.peer.requests)
        with pytest.raises(RefusedError) as caught:
            await self.link.transact(request, intent, unit=unit)
        probe = read_input(0, 8)
        await self.link.transact(probe, Intent.READ, unit=1)
        assert [sent.pdu for sent in self.peer.requests[before:]] == [probe]
        return caught.value


@asynccontextmanager
async def malicious(clock: Clock) -> AsyncIterator[Malicious]:
    async with ModbusPeer() as peer:
        link = await Link.open(peer.address, TcpFraming(), clock)
        link.load(TABLE, (ALL_OFF,))
        await link.transact(ALL_OFF, Intent.OFF, unit=1)
        yield Malicious(link, clock, peer)
        link.close()


async def test_with_a_permit_and_its_set_points_the_same_frames_do_cross(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.permit()
        await driver.send(ARM, FIRE, intent=Intent.ENERGISE)
        assert driver.peer.writes[-2:] == [ARM, FIRE]


async def test_energising_without_a_permit(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        for request in (ARM, FIRE, STIMULATE, setting(29, 0.1)):
            assert "needs a" in str(await driver.refused(request, Intent.ENERGISE))


@pytest.mark.requirement("gate.envelope")
async def test_energising_beyond_the_envelope(clock: Clock) -> None:
    async with malicious(clock) as driver:
        driver.permit(PermitKind.STIMULATION, stimulation_v=1.0)
        await driver.send(write(18, b"\0\1"), setting(31, 1.0), intent=Intent.CONFIG)
        await driver.send(STIMULATE, setting(29, 1.0), intent=Intent.ENERGISE)
        assert "0 to 1 (stimulation_v)" in str(await driver.refused(setting(29, 1.01), Intent.ENERGISE))
        assert "0 to 1 (stimulation_v)" in str(await driver.refused(setting(31, 1.01), Intent.CONFIG))


@pytest.mark.requirement("gate.expiry")
async def test_energising_after_the_permit_expired(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.permit()
        await driver.send(ARM, intent=Intent.ENERGISE)
        await asyncio.sleep(PERMIT_S)
        assert "expired" in str(await driver.refused(FIRE, Intent.ENERGISE))
        assert "none is" in str(await driver.refused(write(3, b"\0\1"), Intent.RENEW))
        assert "may be on" in str(await driver.refused(setting(25, 1.0), Intent.CONFIG))


async def test_energising_under_a_false_intent(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.permit()
        for intent in (Intent.READ, Intent.OFF, Intent.RENEW, Intent.CONFIG):
            assert "but it does energise" in str(await driver.refused(ARM, intent))


async def test_a_set_point_raised_before_the_permit(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS[:-1], setting(25, 50.0), intent=Intent.CONFIG)
        driver.permit()
        refusal = str(await driver.refused(ARM, Intent.ENERGISE))
        assert "power_limit_w of channel 1 = 50" in refusal
        assert "0 to 5 (power_w)" in refusal


async def test_a_set_point_raised_while_energised(clock: Clock) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.permit()
        await driver.send(ARM, FIRE, intent=Intent.ENERGISE)
        await driver.send(setting(25, 4.0), intent=Intent.CONFIG)
        for request in (setting(19, 80.1), setting(23, 121.0), setting(25, 5.1)):
            assert "outside the permit's envelope" in str(await driver.refused(request, Intent.CONFIG))
        driver.link.withdraw(1)
        assert "may be on" in str(await driver.refused(setting(25, 4.0), Intent.CONFIG))


@pytest.mark.parametrize(
    "unclassified",
    [
        write(33, b"\0\1"),
        write(200, b"\0\1"),
        bytes.fromhex("050010ff00"),
        bytes.fromhex("0f00100008 01ff"),
        bytes.fromhex("160010fffe0001"),
        bytes.fromhex("170040000100100001020001"),
        bytes.fromhex("0600100001ff"),
        bytes.fromhex("10001000010200"),
        setting(25, float("nan")),
        b"",
    ],
)
@pytest.mark.requirement("gate.default-deny")
async def test_a_write_that_the_table_does_not_classify(clock: Clock, unclassified: bytes) -> None:
    async with malicious(clock) as driver:
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.permit()
        for intent in Intent:
            await driver.refused(unclassified, intent)


async def test_a_write_to_another_unit(clock: Clock) -> None:
    async with malicious(clock) as driver:
        for unit in (0, 2, 255):
            assert "the profile's is 1" in str(await driver.refused(LESION_SETTINGS[0], Intent.CONFIG, unit=unit))


async def test_a_set_point_that_the_generator_refused_does_not_count(clock: Clock) -> None:
    async with malicious(clock) as driver:
        faithful = driver.peer.answer
        await driver.send(*LESION_SETTINGS[:-1], setting(25, 50.0), intent=Intent.CONFIG)
        driver.peer.answer = lambda request: [frame(request, bytes([request.pdu[0] | 0x80, 3]))]
        with pytest.raises(ModbusRefused):
            await driver.send(LESION_SETTINGS[-1], intent=Intent.CONFIG)
        driver.peer.answer = faithful
        driver.permit()
        assert "power_limit_w has not been written" in str(await driver.refused(ARM, Intent.ENERGISE))


async def test_a_set_point_without_an_answer_does_not_count(clock: Clock) -> None:
    async with malicious(clock) as driver:
        faithful = driver.peer.answer
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)

        def deaf(request: Request) -> list[bytes]:
            return []

        driver.peer.answer = deaf
        with pytest.raises(LinkTimeout):
            await driver.send(setting(19, 70.0), intent=Intent.CONFIG)
        driver.peer.answer = faithful
        driver.permit()
        assert "set_temperature_c has not been written" in str(await driver.refused(ARM, Intent.ENERGISE))


async def test_the_permit_that_runs_out_while_the_link_drains(clock: Clock) -> None:
    async with malicious(clock) as driver:
        faithful = driver.peer.answer
        await driver.send(*LESION_SETTINGS, intent=Intent.CONFIG)
        driver.peer.answer = lambda request: []
        with pytest.raises(LinkTimeout):
            await driver.send(read_input(0, 8), intent=Intent.READ)
        driver.peer.answer = faithful
        driver.permit()
        asking = asyncio.create_task(driver.send(ARM, intent=Intent.ENERGISE))
        await asyncio.sleep(0.05)
        driver.link.withdraw()
        with pytest.raises(RefusedError, match="it has none"):
            await asking
        assert ARM not in driver.peer.writes
