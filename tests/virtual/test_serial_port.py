"""What opening a serial port does to it and to the machine, and how its end is noticed: on real ptys."""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import logging
import os
import termios
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import ConfigError, LinkClosed
from rfctl.link import serial_port
from rfctl.link.link import Link
from rfctl.link.port import open_port
from rfctl.link.rtu import RtuFraming
from rfctl.link.serial_line import SerialLine
from rfctl_sim.simulator import start
from tests.machine_tree import Adapter, Machine
from tests.serial_peer import Unpluggable, serial_peer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from rfctl.clock import Clock

TIOCGEXCL = 0x80045440
NOTICED_S = 0.1
CFLAG = 2
FLAGS_AT = 4  # ints into struct serial_struct
LOW_LATENCY = 0x2000

Ioctl = Any


@pytest.fixture
async def peer(clock: Clock) -> AsyncIterator[Unpluggable]:
    with serial_peer(clock.monotonic_ns) as peer:
        yield peer


@contextmanager
def opened(line: SerialLine) -> Iterator[int]:
    descriptor = serial_port.open_descriptor(line)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> dict[int, Callable[[Any], object]]:
    """Answers of a driver to some requests, in place of the pty's."""
    answers: dict[int, Callable[[Any], object]] = {}
    real = fcntl.ioctl

    def ioctl(descriptor: int, request: int, *arguments: Any) -> object:
        if request in answers:
            return answers[request](arguments[0] if arguments else None)
        return real(descriptor, request, *arguments)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    return answers


async def test_the_lines_stay_up_when_the_port_is_closed(peer: Unpluggable) -> None:
    before = os.open(peer.line.path, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(before)
    settings[CFLAG] |= termios.HUPCL
    termios.tcsetattr(before, termios.TCSANOW, settings)
    with opened(peer.line):
        assert not termios.tcgetattr(before)[CFLAG] & termios.HUPCL
    os.close(before)


async def test_no_control_line_is_touched(peer: Unpluggable, driver: dict[int, Callable[[Any], object]]) -> None:
    touched: list[str] = []
    for name in ("TIOCMBIS", "TIOCMBIC", "TIOCMSET"):
        driver[getattr(termios, name)] = lambda _, name=name: touched.append(name)
    with opened(peer.line):
        pass
    assert touched == []


async def test_a_real_port_is_closed_to_programs_that_ask_for_no_lock(
    peer: Unpluggable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exclusive(descriptor: int) -> bool:
        answer = array.array("i", [0])
        fcntl.ioctl(descriptor, TIOCGEXCL, answer)
        return bool(answer[0])

    with opened(peer.line) as descriptor:  # the other end of a pty would keep the ban alive
        assert not exclusive(descriptor)
    monkeypatch.setattr(serial_port, "PTY_MAJORS", ())
    with opened(peer.line) as descriptor:
        assert exclusive(descriptor)


async def test_low_latency_is_asked_of_the_driver(
    peer: Unpluggable, driver: dict[int, Callable[[Any], object]], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []
    driver[termios.TIOCGSERIAL] = lambda settings: settings.__setitem__(FLAGS_AT, 0x40)
    driver[termios.TIOCSSERIAL] = lambda settings: asked.append(settings[FLAGS_AT])
    with opened(peer.line):
        assert asked == [0x40 | LOW_LATENCY]
    assert caplog.records == []


async def test_a_driver_without_that_mode_gives_no_warning(peer: Unpluggable, caplog: pytest.LogCaptureFixture) -> None:
    with opened(peer.line):  # a pty has none
        pass
    assert caplog.records == []


def refuse(_: object) -> object:
    raise PermissionError(errno.EPERM, "Operation not permitted")


async def test_a_refusal_is_a_warning_once(
    peer: Unpluggable, driver: dict[int, Callable[[Any], object]], caplog: pytest.LogCaptureFixture
) -> None:
    driver[termios.TIOCGSERIAL] = lambda _: None
    driver[termios.TIOCSSERIAL] = refuse
    for _ in range(2):
        with opened(peer.line):
            pass
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"{peer.line.path}: low latency was refused: Operation not permitted. See the udev rule in docs/serial.md."
    )


async def test_an_adapter_that_still_collects_bytes_is_named_with_the_time(
    peer: Unpluggable, tmp_path: Path, driver: dict[int, Callable[[Any], object]]
) -> None:
    Machine(tmp_path).plug_in("ttyUSB0", Adapter(latency_ms=16))
    with opened(peer.line) as descriptor:
        assert serial_port.set_low_latency(descriptor, "ttyUSB0", tmp_path) == (
            "the adapter keeps bytes for up to 16 ms (latency_timer)"
        )
        (tmp_path / "sys/class/tty/ttyUSB0/device/latency_timer").write_text("1\n")
        assert serial_port.set_low_latency(descriptor, "ttyUSB0", tmp_path) == ""


async def test_a_blocking_port_is_opened_by_the_same_rules(peer: Unpluggable) -> None:
    with serial_port.open_blocking(peer.line, timeout_s=0.02) as port:
        assert port.read(1) == b""
        peer.send(b"abc")
        assert port.read(3) == b"abc"
        with pytest.raises(LinkClosed, match="the port is in use by process"):
            serial_port.open_blocking(peer.line, timeout_s=0.02)
    serial_port.open_blocking(peer.line, timeout_s=0.02).close()


@pytest.fixture
def alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Unpluggable) -> Path:
    """A by-id link that an alias stands for."""
    by_id = tmp_path / "usb-adapter"
    by_id.symlink_to(peer.line.path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "rfctl").mkdir()
    (tmp_path / "rfctl" / "ports.toml").write_text(f'[ports]\ngenerator = "{by_id}"\n')
    return by_id


def lead(link: Path, port: str) -> None:
    """The adapter got another number."""
    link.unlink()
    link.symlink_to(port)


async def test_a_link_opens_a_port_by_its_alias_wherever_that_leads_now(alias: Path, clock: Clock) -> None:
    with serial_peer(clock.monotonic_ns) as other:
        lead(alias, other.line.path)
        descriptor = await open_port("rtu:generator?baud=38400", clock)
        assert os.ttyname(descriptor) == other.line.path
        with pytest.raises(LinkClosed, match="in use") as caught:
            await open_port("rtu:generator", clock)
        assert caught.value.where == f"rtu:generator ({alias})"
        os.close(descriptor)


async def test_an_alias_that_there_is_not_is_a_configuration_error(alias: Path, clock: Clock) -> None:
    with pytest.raises(ConfigError, match="no port is called 'generators' on this machine"):
        await open_port("rtu:generators", clock)


async def assert_notices_that_its_port_was_pulled_out(peer: Unpluggable, clock: Clock) -> None:
    link = await Link.open(peer.address, RtuFraming(peer.line), clock)
    await asyncio.sleep(0)
    assert not link.closed
    peer.unplug()
    await asyncio.sleep(NOTICED_S)
    assert link.closed


async def test_an_idle_link_notices_within_100_ms_that_its_port_was_pulled_out(peer: Unpluggable, clock: Clock) -> None:
    await assert_notices_that_its_port_was_pulled_out(peer, clock)


@pytest.mark.real_time
async def test_an_idle_link_notices_so_on_the_real_clock(peer: Unpluggable, clock: Clock) -> None:
    await assert_notices_that_its_port_was_pulled_out(peer, clock)


async def test_a_port_that_comes_back_under_another_number_is_opened_by_the_name_that_stays(
    tmp_path: Path, clock: Clock
) -> None:
    simulator = await start(clock, tissue="poles", address=f"pty:{tmp_path}/by-id")
    first = os.ttyname(descriptor := await open_port(simulator.address, clock))
    taken = os.openpty()  # so that the number is another one
    simulator.faults.start("socket_cut", seconds=0.5)
    with pytest.raises(LinkClosed, match="there is no such port"):
        await open_port(simulator.address, clock)
    os.close(descriptor)
    hog = os.openpty()
    await asyncio.sleep(0.6)
    again = await open_port(simulator.address, clock)
    assert os.ttyname(again) != first
    for number in (again, *taken, *hog):
        os.close(number)
    await simulator.close()
