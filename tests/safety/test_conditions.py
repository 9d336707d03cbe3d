"""Each condition of the guards, the guard and the gate is shown to count by itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.conditions import MODULES, decisions_of
from tests.mutation.mutants import tree_of

pytestmark = pytest.mark.slow


def test_for_each_condition_tests_show_two_cases_that_differ_in_it_alone_and_in_the_decision() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.mutation.conditions"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["red"] == []
    assert found["without"] == []
    of_source = [name for module in MODULES for each in decisions_of(module, tree_of(module)) for name in each.names]
    assert found["conditions"] == len(of_source) > 0
