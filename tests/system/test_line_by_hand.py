"""What docs/protocols/line.md tells a person to type works as it stands, in a shell, against the served simulator."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.commands import RFCTL

PAGE = (Path(__file__).parents[2] / "docs" / "protocols" / "line.md").read_text(encoding="utf-8")
COMMANDS = PAGE.split("```")[1].strip().splitlines()


@pytest.mark.real_time
def test_a_person_looks_and_stops_with_nothing_but_a_shell() -> None:
    serve, *typed = COMMANDS
    assert serve == "rfctl sim serve --link linetcp:127.0.0.1:5030 &"
    command = [RFCTL, "sim", "serve", "--link", "linetcp:127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as simulator:
        assert simulator.stdout is not None
        try:
            port = json.loads(simulator.stdout.readline())["link"].rpartition(":")[2]
            script = "\n".join(typed).replace("/5030", f"/{port}")
            done = subprocess.run(
                ["bash", "-c", script], capture_output=True, text=True, check=True, timeout=20, cwd="/"
            )
        finally:
            simulator.terminate()
    status, off = done.stdout.splitlines()
    assert re.fullmatch(r"<0000 OK STATUS \d+,\d+,0,0,0,0,nan,0;3[67]\.\d\d,.*\*[0-9A-F]{4}", status)
    assert off == "<0000 OK OFF*9EBF"
