"""The Modbus driver against a generator of registers: what it reads, writes, compares and refuses."""

from __future__ import annotations

import math
import struct
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import DeviceError, DeviceRefused, LinkTimeout, ReadBackMismatch, RefusedError, WrongDevice
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, read_holding, write
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.reading import Mode, PadStatus
from rfctl.model.settings import LesionSettings, StimulationSettings
from rfctl.profile.profile import load
from rfctl_modbus.driver import ModbusGenerator, open_driver
from tests.modbus_peer import ModbusPeer, Request, frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rfctl.clock import Clock

PROFILE = load("rfctl-reference")
LESION = LesionSettings(set_temperature_c=80.0, ramp_c_per_s=4.3, max_on_s=131.5, power_limit_w=3.7)
VOLTS = StimulationSettings(unit="V", rate_hz=50.0, width_us=1000, amplitude_limit=1.1)
ENVELOPE = Envelope(80.0, 3.7, 131.5, stimulation_v=1.1, stimulation_ma=0.7)


def put(registers: dict[int, int], address: int, data: bytes) -> None:
    registers.update((address + at, value) for at, value in enumerate(struct.unpack(f">{len(data) // 2}H", data)))


def f32(value: float) -> bytes:
    return struct.pack(">f", value)


def identity(registers: dict[int, int], channels: int = 2) -> None:
    """The identity of the map's page, by a simulator."""
    put(registers, 0, bytes.fromhex("5246435401000002") + bytes.fromhex("12345678449a5000"))
    put(registers, 8, b"bench model".ljust(16, b"\0") + b"S-0042".ljust(16, b"\0") + b"1.2.3".ljust(8, b"\0"))
    put(registers, 28, struct.pack(">HfHHHH", channels, 50.0, 20, 50, 500, 1))
    for channel in range(channels):
        put(registers, 40 + 6 * channel, f32(0.1) + f32(math.nan if channel else 0.05))


class Generator(ModbusPeer):
    """Registers that do the little that the driver's calls depend on."""

    def __init__(self) -> None:
        super().__init__()
        identity(self.input)

    def reply(self, pdu: bytes) -> bytes:
        answer = super().reply(pdu)
        if pdu == write(16, b"\0\1"):
            self.input[80 + 23] = 0x1234
        return answer


@asynccontextmanager
async def driven(clock: Clock) -> AsyncIterator[tuple[ModbusGenerator, Generator, Link]]:
    async with Generator() as peer:
        link = await Link.open(peer.address, TcpFraming(), clock)
        driver = open_driver(link, PROFILE)
        link.load(PROFILE.write_table(), driver.off_frames())
        link.off()
        await driver.identify()
        peer.requests.clear()
        yield driver, peer, link
        link.close()


def permit(link: Link, clock: Clock, kind: PermitKind) -> None:
    link.grant(Permit(1, kind, ENVELOPE, clock.monotonic_ns() + NS_PER_S))


async def test_identify_reads_who_answers(clock: Clock) -> None:
    async with driven(clock) as (driver, _, _link):
        who = await driver.identify()
        assert (who.map_id, who.map_version, who.simulated) == (0x52464354, (1, 0), True)
        assert (who.model, who.serial, who.firmware) == ("bench model", "S-0042", "1.2.3")
        assert (who.channels, who.rated_power_w, who.reply_ms, who.sample_period_ms) == (2, 50.0, 20, 50)
        assert who.pad_monitored is True
        assert who.traits[0].temperature_resolution_k == pytest.approx(0.1)
        assert math.isnan(who.traits[1].temperature_noise_k)


@pytest.mark.parametrize(
    ("address", "value", "says"),
    [
        (0, 0x5246, None),
        (1, 0x4355, "map_id in register 0 is 0x52464355, expected 0x52464354"),
        (4, 0x5678, "probe_u32 in register 4 is 0x56785678, expected 0x12345678"),
        (7, 0x5001, "probe_f32 in register 6 is 1234.5.*, expected 1234.5"),
        (2, 0x01FF, None),
        (2, 0x0200, "map version 2.0, expected 1.x"),
        (3, 1, None),
        (3, 0, r"backend register 3 is 0, expected 1 \(device\) or 2 \(simulator\)"),
        (3, 3, "backend register 3 is 3"),
        (28, 1, None),
        (28, 4, None),
        (28, 0, "0 channels, expected 1 to 4"),
        (28, 5, "5 channels, expected 1 to 4"),
    ],
)
async def test_identify_refuses_another_machine_before_any_write(
    clock: Clock, address: int, value: int, says: str | None
) -> None:
    async with driven(clock) as (driver, peer, _):
        peer.input[address] = value
        if says is None:
            await driver.identify()
            return
        with pytest.raises(WrongDevice, match=says) as caught:
            await driver.identify()
        assert caught.value.remedy
        assert peer.writes == []


CALIBRATION = bytes.fromhex("0400f40004")


def dates(registers: dict[int, int], done: int, due: int, version: int = 0x0102) -> None:
    """Of the calibration, of a generator with this version of the map."""
    registers[2] = version
    put(registers, 244, struct.pack(">II", done, due))


@pytest.mark.parametrize(
    ("done", "due", "expected"),
    [
        (20260105, 20360105, (date(2026, 1, 5), date(2036, 1, 5))),
        (0, 20280229, (None, date(2028, 2, 29))),
        (20000101, 21991231, (date(2000, 1, 1), date(2199, 12, 31))),
        (0, 0, (None, None)),
    ],
)
async def test_the_generator_s_own_calibration_is_read_in_one_request(
    clock: Clock, done: int, due: int, expected: tuple[date | None, date | None]
) -> None:
    async with driven(clock) as (driver, peer, _):
        dates(peer.input, done, due)
        who = await driver.identify()
        assert (who.calibration_done, who.calibration_due) == expected
        assert [request.pdu for request in peer.requests].count(CALIBRATION) == 1


@pytest.mark.parametrize("version", [0x0100, 0x0101])
async def test_a_generator_of_an_older_map_is_not_asked_for_its_calibration(clock: Clock, version: int) -> None:
    async with driven(clock) as (driver, peer, _):
        dates(peer.input, 20260105, 20360105, version)
        who = await driver.identify()
        assert (who.calibration_done, who.calibration_due) == (None, None)
        assert CALIBRATION not in [request.pdu for request in peer.requests]


@pytest.mark.parametrize(
    ("done", "due", "says"),
    [
        (20260105, 20261399, "calibration due in register 246 is 20261399, which is no date: month must be"),
        (20260230, 20360105, "calibration done in register 244 is 20260230, which is no date: day is"),
        (20260105, 260105, "is 260105, which is no date: year 26 is not one of 2000 to 2199"),
        (20260105, 22000101, "year 2200 is not one of"),
        (0x01352289, 0xFFFFFFFF, "which is no date"),
    ],
)
async def test_a_calibration_that_is_no_date_is_refused_with_place_and_value(
    clock: Clock, done: int, due: int, says: str
) -> None:
    async with driven(clock) as (driver, peer, _):
        dates(peer.input, done, due)
        with pytest.raises(WrongDevice, match=says) as caught:
            await driver.identify()
        assert caught.value.keys[0].startswith("calibration.")
        assert peer.writes == []


async def test_a_generator_that_refuses_the_registers_of_its_map_is_refused(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        dates(peer.input, 20260105, 20360105)
        answer = peer.answer
        refusal = bytes.fromhex("8402")
        peer.answer = lambda request: [frame(request, refusal)] if request.pdu == CALIBRATION else answer(request)
        with pytest.raises(DeviceRefused, match="reading 4 input registers from 244") as caught:
            await driver.identify()
        assert caught.value.keys == ("calibration",)


async def test_words_in_the_other_order_are_seen_by_the_probes(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        put(peer.input, 0, bytes.fromhex("43545246"))
        with pytest.raises(WrongDevice, match=r"0x43545246, expected 0x52464354.*word order CDAB") as caught:
            await driver.identify()
        assert caught.value.keys == ("profile.word_order",)
        put(peer.input, 0, bytes.fromhex("52464354"))
        put(peer.input, 4, bytes.fromhex("00000000"))
        with pytest.raises(WrongDevice, match="probe_u32") as caught:
            await driver.identify()
        assert caught.value.keys == ("identity.expect[1]",)


async def test_one_request_reads_everything_and_invalid_is_not_a_number(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        put(peer.input, 64, struct.pack(">IIHHIHHHHfHH", 5000, 77, 9, 480, 2, 1, 1, 0, PadStatus.OK, 33.0, 0, 0))
        second = struct.pack(">7f", math.nan, 25.0, 20.0, 100.0, 99.0, 2.0, 200.0)
        second += struct.pack(">HHHHfHIHIH", 0b10111, 3, 1000, 21, 0.5, 64, 1234, 4711, 0x00010002, 0)
        put(peer.input, 80 + 27, second)
        reading = await driver.read()
        assert [request.pdu for request in peer.requests] == [bytes.fromhex("040040") + (70).to_bytes(2, "big")]
        assert reading.received_ns == clock.monotonic_ns()
        assert reading[1:8] == (5000, 77, 9, 480, 2, PadStatus.OK, 33.0)
        first, channel = reading.channels
        assert first.temperature_c == 0.0
        assert math.isnan(channel.temperature_c)
        assert channel[1:7] == (25.0, 20.0, 100.0, 99.0, 2.0, 200.0)
        flags = (channel.impedance_fresh, channel.thermocouple_open, channel.rf_on, channel.stimulating)
        assert flags == (True, True, True, False)
        assert channel.electrode_present is True
        assert channel.mode == Mode.LESION_TEMPERATURE
        assert (channel.stimulation_width_us, channel.stimulation_rate_hz) == (1000, pytest.approx(2.1))
        assert (channel.stimulation_amplitude, channel.fault_bits, channel.rf_on_ms) == (0.5, 64, 1234)
        assert (channel.arm_token, channel.electrode_id) == (4711, 0x00010002)


async def test_nothing_is_read_before_the_generator_is_known(clock: Clock) -> None:
    async with Generator() as peer:
        link = await Link.open(peer.address, TcpFraming(), clock)
        with pytest.raises(DeviceError, match="not identified yet"):
            await open_driver(link, PROFILE).read()
        link.close()


@pytest.mark.requirement("lease.owner")
async def test_claim_takes_ownership_clears_the_lease_and_reads_back(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        await driver.claim(4711)
        assert [request.pdu for request in peer.requests] == [
            write(1, (4711).to_bytes(2, "big")),
            read_holding(1, 1),
            write(4, b"\0\1"),
            write(2, (500).to_bytes(2, "big")),
            read_holding(2, 1),
        ]
        await driver.release()
        assert peer.writes[-1] == write(1, b"\0\0")


async def test_renewals_count_up_and_wrap(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.LESION)
        await driver.claim(1)
        await driver.renew()
        await driver.renew()
        assert peer.writes[-2:] == [write(3, b"\0\1"), write(3, b"\0\2")]


@pytest.mark.parametrize(("accepted", "next_number"), [(True, 2), (False, 1)])
async def test_a_renewal_without_an_answer_is_followed_by_the_right_number(
    clock: Clock, *, accepted: bool, next_number: int
) -> None:
    async with driven(clock) as (driver, peer, link):
        await driver.claim(1)
        peer.holding[3] = 0
        permit(link, clock, PermitKind.LESION)
        faithful = peer.answer

        def deaf(request: Request) -> list[bytes]:
            if accepted:
                peer.reply(request.pdu)
            return []

        peer.answer = deaf
        with pytest.raises(LinkTimeout):
            await driver.renew()
        peer.answer = faithful
        await driver.renew()
        assert peer.writes[-1] == write(3, next_number.to_bytes(2, "big"))


async def test_a_lesion_is_configured_in_two_writes_each_read_back(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        await driver.configure_lesion(2, LESION)
        block = f32(80.0) + f32(4.3) + f32(131.5) + f32(3.7)
        assert [request.pdu for request in peer.requests[:4]] == [
            write(42, b"\0\3"),
            read_holding(42, 1),
            write(43, block),
            read_holding(43, 8),
        ]
        peer.requests.clear()
        await driver.lower_power_limit(2, 2.2)
        assert [request.pdu for request in peer.requests] == [write(49, f32(2.2)), read_holding(49, 2)]


@pytest.mark.parametrize(
    ("call", "register", "says"),
    [
        (lambda driver: driver.claim(7), 1, "owner: wrote 7, read back 6"),
        (lambda driver: driver.configure_lesion(1, LESION), 18, "mode of channel 1: wrote 3, read back 2"),
        (lambda driver: driver.configure_lesion(1, LESION), 20, "set_temperature_c of channel 1: wrote 80, read back"),
        (lambda driver: driver.configure_lesion(1, LESION), 26, "power_limit_w of channel 1: wrote 3.7, read back"),
        (lambda driver: driver.lower_power_limit(1, 2.2), 26, "power_limit_w of channel 1: wrote 2.2, read back"),
    ],
)
@pytest.mark.requirement("write.read-back")
async def test_a_value_held_different_by_one_bit_is_a_mismatch(
    clock: Clock, call: Callable[[ModbusGenerator], object], register: int, says: str
) -> None:
    async with driven(clock) as (driver, peer, _):

        def flip(request: Request) -> list[bytes]:
            answer = peer.reply(request.pdu)
            if request.pdu[0] != 3:
                peer.holding[register] = peer.holding.get(register, 0) ^ 1
            return [frame(request, answer)]

        peer.answer = flip
        with pytest.raises(ReadBackMismatch, match=says):
            await call(driver)  # type: ignore[misc]


async def test_arm_returns_the_token_of_the_channel_and_fire_sends_it(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.LESION)
        await driver.configure_lesion(1, LESION)
        token = await driver.arm(1)
        assert token == 0x1234
        await driver.fire(1, token)
        assert peer.writes[-2:] == [write(16, b"\0\1"), write(17, b"\x12\x34")]


async def test_an_arm_without_a_token_is_a_device_error(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.LESION)
        await driver.configure_lesion(1, LESION)
        peer.answer = lambda request: [frame(request, ModbusPeer.reply(peer, request.pdu))]
        with pytest.raises(DeviceError, match="shows no token"):
            await driver.arm(1)


@pytest.mark.parametrize(("unit", "mode", "most"), [("V", 1, 1.1), ("mA", 2, 0.7)])
async def test_stimulation_starts_at_zero_and_rises_to_the_envelope(
    clock: Clock, unit: str, mode: int, most: float
) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.STIMULATION)
        await driver.configure_stimulation(1, StimulationSettings(unit, 50.0, 1000, most))
        assert peer.writes == [
            write(18, bytes([0, mode])),
            write(27, bytes.fromhex("01f403e8")),
            write(31, f32(most)),
        ]
        await driver.start_stimulation(1)
        assert peer.writes[-1] == write(16, b"\0\2")
        await driver.set_amplitude(1, most)
        assert peer.writes[-1] == write(29, f32(most))
        with pytest.raises(RefusedError, match="stimulation_amplitude"):
            await driver.set_amplitude(1, most + 0.1)


@pytest.mark.requirement("stimulation.zero-first")
async def test_a_stimulator_whose_amplitude_stands_is_refused(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.STIMULATION)
        put(peer.holding, 29, f32(0.5))
        with pytest.raises(ReadBackMismatch, match=r"stimulation_amplitude of channel 1: wrote 0, read back 0\.5"):
            await driver.configure_stimulation(1, VOLTS)


@pytest.mark.parametrize(
    ("register", "flips", "says"),
    [
        pytest.param(
            18, 3, "mode of channel 1: wrote 1, read back 2", marks=pytest.mark.requirement("stimulation.unit")
        ),
        pytest.param(
            18, 2, "mode of channel 1: wrote 1, read back 3", marks=pytest.mark.requirement("stimulation.mode")
        ),
        pytest.param(
            27, 480, "stimulation_rate_hz of channel 1: wrote 50", marks=pytest.mark.requirement("stimulation.mode")
        ),
        pytest.param(28, 900, "stimulation_width_us of channel 1", marks=pytest.mark.requirement("stimulation.unit")),
    ],
)
async def test_a_stimulator_that_is_set_otherwise_is_refused(
    clock: Clock, register: int, flips: int, says: str
) -> None:
    async with driven(clock) as (driver, peer, link):
        permit(link, clock, PermitKind.STIMULATION)

        def flip(request: Request) -> list[bytes]:
            answer = peer.reply(request.pdu)
            if request.pdu[0] != 3:
                peer.holding[register] = peer.holding.get(register, 0) ^ flips
            return [frame(request, answer)]

        peer.answer = flip
        with pytest.raises(ReadBackMismatch, match=says):
            await driver.configure_stimulation(1, VOLTS)


async def test_without_a_permit_the_driver_energises_nothing(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        await driver.configure_lesion(1, LESION)
        before = len(peer.writes)
        for call in (driver.arm(1), driver.fire(1, 7), driver.set_amplitude(1, 0.1), driver.renew()):
            with pytest.raises(RefusedError):
                await call
        assert len(peer.writes) == before


async def test_a_refused_write_names_quantity_value_exception_and_reason(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):

        def refuse(request: Request) -> list[bytes]:
            if request.pdu[0] in {6, 16}:
                peer.input[38] = 3
                return [frame(request, bytes([request.pdu[0] | 0x80, 3]))]
            return [frame(request, peer.reply(request.pdu))]

        peer.answer = refuse
        with pytest.raises(DeviceRefused) as caught:
            await driver.lower_power_limit(1, 60.0)
        text = str(caught.value)
        assert "power_limit_w of channel 1 = 60" in text
        assert "exception 03 (value not accepted)" in text
        assert "reason 3 (value above the rating)" in text


async def test_a_refusal_without_a_reason_still_says_what_was_refused(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        peer.answer = lambda request: [frame(request, bytes([request.pdu[0] | 0x80, 6]))]
        with pytest.raises(DeviceRefused, match="owner = 7: refused with exception 06"):
            await driver.claim(7)
        with pytest.raises(DeviceRefused, match="reading 40 input registers from 0: refused with exception 06"):
            await driver.identify()


async def test_a_value_that_fits_no_register_is_named(clock: Clock) -> None:
    async with driven(clock) as (driver, peer, _):
        with pytest.raises(DeviceError, match="owner = 65536 does not fit u16"):
            await driver.claim(65536)
        assert peer.writes == []
