"""Every control taken away, one at a time, in a process of its own: the test that stands for it has to go red."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kills import KILLS

if TYPE_CHECKING:
    from tests.proofs import Show

ROOT = Path(__file__).parents[2]
MOST_S = 600


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By control, what happened instead of a red test; empty when it was red."""
    file = tmp_path_factory.mktemp("kills") / "kills.json"
    tests = sorted({kill.red for kill in KILLS.values()})
    # an assertion that fails is told in a line: the values of a whole procedure take seconds to compare
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--assert=plain", "--tb=line", "-p", "no:cacheprovider"]
    command += ["-p", "tests.kill_run", "--kills", str(file), *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MOST_S, check=False)
    assert file.exists(), f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("control", sorted(KILLS))
def test_without_the_control_its_test_is_red(control: str, without: dict[str, str], shows: Show) -> None:
    assert without[control] == "", f"without {control}: {without[control]}"
    shows(control, kills=KILLS[control].red)
