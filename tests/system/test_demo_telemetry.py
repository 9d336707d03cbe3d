"""The demonstration publishes to its own broker, and a subscriber of its own counts every sample."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RFCTL = Path(sys.executable).with_name("rfctl")


@pytest.mark.parametrize("link", ["tcp", "rtu"])
def test_every_sample_of_the_demo_is_received(tmp_path: Path, link: str) -> None:
    command = [RFCTL, "demo", "--fast", "--link", link, "--json", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(done.stdout)
    assert document["outcome"] == "complete"
    assert document["telemetry_received"] == document["telemetry_published"] > 1000
    mqtt = document["mqtt"]
    assert (mqtt["status"], mqtt["samples_dropped"], mqtt["events_dropped"], mqtt["gaps"]) == ("connected", 0, 0, [])
    assert not any(mqtt["message_gaps"].values())
    assert set(mqtt["message_gaps"]) == {"meta", "status", "state", "telemetry", "batch", "event", "record"}
    assert "MQTT connected" in done.stderr
