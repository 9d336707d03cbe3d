"""Every control taken away, one at a time, in a process of its own: the test that stands for it has to go red."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.kills import KILLS, VARIABLE

if TYPE_CHECKING:
    from tests.proofs import Show

ROOT = Path(__file__).parents[2]
FAILED = 1
"""Exit code of pytest when it ran tests and one failed; anything else is no proof."""


def run(test: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", test]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("control", sorted(KILLS))
def test_without_the_control_its_test_is_red(control: str, shows: Show) -> None:
    kill = KILLS[control]
    done = run(kill.red, {**os.environ, VARIABLE: control})
    assert done.returncode == FAILED, f"green without {control}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    shows(control, kills=kill.red)
