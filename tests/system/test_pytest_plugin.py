"""The plug-in of pytest gives other people's tests a simulated generator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

THEIRS = """
import pathlib
import socket
import struct

import pytest

def read(generator, address, form):
    count = struct.calcsize(">" + form) // 2
    with socket.create_connection((generator.host, generator.port), timeout=5) as line:
        line.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, address, count))
        return struct.unpack(">" + form, line.makefile("rb").read(9 + 2 * count)[9:])[0]

@pytest.mark.rfctl_generator(channels=4, seed=7)
def test_a_client_reads_it(rfctl_generator):
    assert read(rfctl_generator, 28, "H") == 4
    assert read(rfctl_generator, 80, "f") == pytest.approx(37, abs=0.5)
    rfctl_generator.start_fault("thermocouple_open", channel=1)
    open_ = read(rfctl_generator, 80, "f")
    assert open_ != open_
    rfctl_generator.clear_fault("thermocouple_open")
    truth = rfctl_generator.truth()["channels"]
    assert len(truth) == 4 and not truth[0]["rf_on"]
    assert rfctl_generator.link in rfctl_generator.station_file.read_text()
    pathlib.Path("port").write_text(str(rfctl_generator.port))

@pytest.mark.rfctl_generator(colour="red")
def test_a_wrong_option_is_told(rfctl_generator):
    pass

@pytest.mark.rfctl_generator(channels=9)
def test_what_cannot_be_served_is_told(rfctl_generator):
    pass
"""


def test_a_fixture_serves_a_generator_and_ends_it(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(THEIRS, encoding="utf-8")
    junit = tmp_path / "junit.xml"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = (sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "--strict-markers")
    done = subprocess.run(
        (*command, f"--junit-xml={junit}", "."), cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (suite,) = ET.parse(junit).getroot()
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite}
    assert outcomes["test_a_client_reads_it"] == []
    assert "takes channels, link and seed by name, not ['colour']" in done.stdout
    assert "9 channels" in done.stdout
    port = int((tmp_path / "port").read_text(encoding="utf-8"))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
