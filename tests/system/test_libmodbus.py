"""A client in C by libmodbus, in which no code of this project has a part, reads the simulator and turns it off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.test_mbpoll import served

SOURCE = Path(__file__).with_name("libmodbus_client.c")
HEADERS = Path("/usr/include/modbus")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built here."""
    if not HEADERS.is_dir():
        pytest.fail("libmodbus is missing: install the package libmodbus-dev; `make test` does it", pytrace=False)
    program = tmp_path_factory.mktemp("libmodbus") / "client"
    subprocess.run(
        ["gcc", "-std=c11", "-Wall", "-Werror", f"-I{HEADERS}", SOURCE, "-lmodbus", "-o", program], check=True
    )
    return program


def read_by(client: Path, *place: str) -> dict[str, str]:
    done = subprocess.run([client, *place], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())


def assert_is_the_simulator(read: dict[str, str]) -> None:
    assert 36.0 <= float(read.pop("temperature_c")) <= 38.0
    assert 100.0 <= float(read.pop("impedance_ohm")) <= 250.0
    assert read == {
        "map_id": "52464354",
        "major": "1",
        "probe_f32": "1234.5",
        "serial": "SIM-00000000",
        "off": "",
        "rf_actual": "0",
        "mode": "Slave device or server is busy",  # libmodbus's words for exception 06
    }


def test_libmodbus_over_tcp(client: Path) -> None:
    with served("tcp:127.0.0.1:0") as link:
        assert_is_the_simulator(read_by(client, "tcp", "127.0.0.1", link.rpartition(":")[2]))


def test_libmodbus_on_a_serial_line(client: Path, tmp_path: Path) -> None:
    line = tmp_path / "generator"
    with served(f"pty:{line}"):
        assert_is_the_simulator(read_by(client, "rtu", str(line), "115200"))
