"""A client that nobody here wrote, mbpoll, reads the simulator by the very commands of docs/protocols/modbus.md."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands import RFCTL

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "modbus.md"
COMMANDS = re.findall(r"^mbpoll .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
ALL_OFF = re.findall(r"`(mbpoll .*)`", PAGE.read_text(encoding="utf-8"))[0]
IDENTITY = ["0x5246", "0x4354", "0x0002", "0x1234", "0x5678", "0x449A", "0x5000"]
VERSION, TEMPERATURE, IMPEDANCE = 2, 80, 92


@contextmanager
def served(link: str) -> Iterator[str]:
    """A simulator in a process of its own; where it listens."""
    with subprocess.Popen([RFCTL, "sim", "serve", "--link", link, "--json"], stdout=subprocess.PIPE) as simulator:
        assert simulator.stdout is not None
        try:
            yield json.loads(simulator.stdout.readline())["link"]
        finally:
            simulator.terminate()


def polled(command: str) -> dict[int, str]:
    """What a command shows: address to value."""
    if shutil.which("mbpoll") is None:
        pytest.fail("mbpoll is missing: install the package mbpoll; `make test` does it", pytrace=False)
    done = subprocess.run(
        shlex.split(command, comments=True), capture_output=True, text=True, check=False, timeout=20, cwd="/"
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return {int(address): value for address, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.MULTILINE)}


def assert_reads_identity_temperature_and_impedance(commands: list[str]) -> None:
    identity, serial, probe, status = map(polled, commands)
    assert identity.pop(VERSION).startswith("0x01")  # major; 1.1 adds to 1.0
    assert list(identity.values()) == IDENTITY
    assert bytes.fromhex("".join(value[2:] for value in serial.values())).rstrip(b"\0") == b"SIM-00000000"
    assert probe == {6: "1234.5"}
    assert 36 <= float(status[TEMPERATURE]) <= 38
    assert 100 <= float(status[IMPEDANCE]) <= 250


def test_mbpoll_reads_the_simulator_over_tcp():
    with served("tcp:127.0.0.1:0") as link:
        port = link.rpartition(":")[2]
        commands = [line.replace("-p 5020", f"-p {port}") for line in [*COMMANDS, ALL_OFF] if "-m tcp" in line]
        assert_reads_identity_temperature_and_impedance(commands[:-1])
        polled(commands[-1])  # refuses nothing


def test_mbpoll_reads_the_simulator_on_a_serial_line(tmp_path: Path):
    line = tmp_path / "generator"
    with served(f"pty:{line}"):
        commands = [text.replace("/tmp/generator", str(line)) for text in COMMANDS if "-m rtu" in text]
        assert_reads_identity_temperature_and_impedance(commands)
