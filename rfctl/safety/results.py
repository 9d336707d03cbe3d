"""What a test run has shown: files that the run itself writes, one for each part of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from rfctl.errors import ConfigError
from rfctl.model.strict_toml import Strict

if TYPE_CHECKING:
    from pathlib import Path

REMEDY = "Run make test on this tree; it writes the results anew."


class Proof(Strict):
    """What one test has shown of one requirement.

    Attributes:
        test: Its node id.
        passed: Whether it passed; a test that was skipped did not.
        requirement: Id of a control, or ``row.CODE``.
        fault: What was done to the simulator, for a shut-off that was measured.
        t_measured_s: From the cause to output off, at the simulator's output stage, s.
        t_limit_s: The most it may take, s.
        below: The value at which the row is silent.
        above: The value at which it acts.
        kills: The test that goes red without the control.
        procedures: Normal procedures that were run.
        trips: Trips of the row in them.
    """

    test: str
    passed: bool
    requirement: str
    fault: str | None = None
    t_measured_s: float | None = None
    t_limit_s: float | None = None
    below: float | None = None
    above: float | None = None
    kills: str | None = None
    procedures: int | None = None
    trips: int | None = None


class Run(Strict):
    """One part of a test run.

    Attributes:
        tree: Hash of the tree that it ran on.
        tests: Number of its tests.
        passed: How many of them passed.
        proofs: What they have shown.
    """

    tree: str
    tests: int
    passed: int
    proofs: tuple[Proof, ...]


def read_runs(folder: Path) -> tuple[Run, ...]:
    """All parts of the newest run.

    Raises:
        ConfigError: There is none, or a file is not what a run writes.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ConfigError("holds no results of a test run", where=str(folder), remedy=REMEDY)
    runs = []
    for file in files:
        try:
            runs.append(Run.model_validate_json(file.read_bytes(), strict=False))
        except (OSError, ValidationError) as problem:
            first = str(problem).splitlines()[0]
            raise ConfigError(f"not the results of a test run: {first}", where=str(file), remedy=REMEDY) from None
    return tuple(runs)


def write_run(file: Path, run: Run) -> None:
    """Write one part, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(run.model_dump(exclude_none=True), indent=1) + "\n", encoding="utf-8")
    new.replace(file)
