"""The simulated generator on a pty: as slow as its baud rate, deaf to noise, and gone when it is pulled out."""

import asyncio
import os
import tty
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import ConfigError
from rfctl_sim.simulator import start

MAP_ID = bytes.fromhex("0400000002")
ALL_OFF = bytes.fromhex("0600000001")


def framed(pdu: bytes, unit: int = 1) -> bytes:
    body = bytes([unit]) + pdu
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class Port:
    """The client's end."""

    def __init__(self, simulator) -> None:
        self.path = simulator.address.removeprefix("rtu:").partition("?")[0]
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.descriptor)  # a read of nothing does not return nothing

    def write(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    @property
    def there(self) -> bool:
        """Its path leads somewhere."""
        return Path(self.path).is_symlink()

    async def answer(self, within_s: float = 0.5) -> bytes:
        """Everything that comes until then."""
        await asyncio.sleep(within_s)
        received = b""
        try:
            while True:
                received += os.read(self.descriptor, 4096)
        except BlockingIOError:
            return received

    def close(self) -> None:
        os.close(self.descriptor)


@pytest.fixture
async def slow(clock):
    running = await start(clock, tissue="poles", address="pty:", baud=9600)
    yield running
    await running.close()


@pytest.fixture
async def port(slow):
    opened = Port(slow)
    yield opened
    opened.close()


async def test_the_frames_of_the_page_are_answered_byte_for_byte(port):
    port.write(bytes.fromhex("010400000008f1cc"))
    assert (await port.answer()).hex() == "010410524643540102000212345678449a50001cfa"
    port.write(bytes.fromhex("010600000001480a"))
    assert (await port.answer()).hex() == "010600000001480a"


async def test_a_request_acts_and_is_answered_when_its_last_byte_would_be_over(slow, port, clock):
    started_ns = clock.monotonic_ns()
    port.write(framed(MAP_ID))
    await port.answer()
    heard, said = [frame.monotonic_ns - started_ns for frame in slow.wire]
    character_ns = 10 * NS_PER_S // 9600
    assert heard == pytest.approx(8 * character_ns, abs=10)
    gap_ns = round(38.5 * NS_PER_S / 9600)
    assert said - heard == pytest.approx(gap_ns + 9 * character_ns, abs=10)
    assert said > 20 * NS_PER_MS


async def test_two_frames_in_one_write_are_heard_one_after_the_other(slow, port):
    port.write(framed(ALL_OFF) * 2)
    assert await port.answer() == framed(ALL_OFF) * 2
    first, second = [frame.monotonic_ns for frame in slow.wire if frame.direction == "in"]
    assert second - first == pytest.approx(8 * 10 * NS_PER_S / 9600, abs=10)


@pytest.mark.parametrize("noise", [b"\x00", b"\x01", b"\xff\xff\x01\x06"])
async def test_noise_before_a_request_is_passed_over(port, noise):
    port.write(noise + framed(ALL_OFF))
    assert await port.answer() == framed(ALL_OFF)


async def test_half_a_request_is_forgotten_after_a_silence(slow, port):
    port.write(framed(ALL_OFF)[:5])
    assert await port.answer(0.1) == b""
    port.write(framed(ALL_OFF)[5:])
    assert await port.answer(0.1) == b""
    assert len(slow.wire) == 0
    port.write(framed(MAP_ID))
    assert (await port.answer()).startswith(b"\x01\x04\x04RFCT")


@pytest.mark.parametrize("wrong", [framed(ALL_OFF, unit=2), framed(ALL_OFF)[:-1] + b"\xff"])
async def test_another_unit_and_a_wrong_check_sum_are_met_with_silence(port, wrong):
    port.write(wrong)
    assert await port.answer() == b""


async def test_an_unknown_function_is_refused_once_its_frame_has_ended(port):
    port.write(framed(b"\x2b\x0e\x01\x00"))
    assert await port.answer() == framed(b"\xab\x01")


async def test_a_line_that_is_cut_comes_back_under_the_same_path(slow, port):
    slow.faults.start("socket_cut", seconds=1.0)
    with pytest.raises(OSError, match="Input/output"):
        port.write(b"x")
    assert not port.there
    await asyncio.sleep(1.1)
    again = Port(slow)
    again.write(framed(MAP_ID))
    assert (await again.answer()).startswith(b"\x01\x04\x04RFCT")
    again.close()


async def test_a_fault_that_is_cleared_puts_the_port_back_at_once(slow, port):
    slow.faults.start("socket_cut", seconds=60.0)
    slow.faults.clear("socket_cut")
    assert port.there


async def test_nothing_is_left_when_it_closes(clock, tmp_path):
    for address in ("pty:", f"pty:{tmp_path}/line"):
        simulator = await start(clock, tissue="poles", address=address)
        port = Port(simulator)
        assert port.there
        await simulator.close()
        assert not port.there
        port.close()


async def test_the_link_of_a_killed_simulator_is_replaced_and_nothing_else_is(clock, tmp_path):
    (tmp_path / "line").symlink_to("/dev/pts/no-such-pty")
    (tmp_path / "file").touch()
    simulator = await start(clock, tissue="poles", address=f"pty:{tmp_path}/line")
    with pytest.raises(ConfigError, match=r"File exists.* Remove what is there"):
        await start(clock, tissue="poles", address=f"pty:{tmp_path}/line")
    with pytest.raises(ConfigError, match="File exists"):
        await start(clock, tissue="poles", address=f"pty:{tmp_path}/file")
    await simulator.close()
    assert (tmp_path / "file").is_file()
