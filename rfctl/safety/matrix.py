"""The matrix: hazard, control, requirement, test, result; and every hole in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rfctl.safety.hazards import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rfctl.safety.hazards import Catalogue, Hazard
    from rfctl.safety.results import Proof, Run

PROVED, STATEMENT, ABSENT, HOLE = "proved", "statement", "absent", "hole"


@dataclass(frozen=True, slots=True)
class ControlProof:
    """One control and what the run has shown of it.

    Attributes:
        id: The control.
        title: What it is.
        requirement: What had to be shown.
        tests: Node ids of the tests that passed.
        fault: The fault of the slowest shut-off.
        t_measured_s: Its time from cause to output off, s.
        t_limit_s: What it may take, s.
        boundary: Value at which the row is silent, value at which it acts.
        kill_proof: The test that goes red without the control.
        nuisance_trips: In normal procedures; None where that was not counted.
        procedures: How many normal procedures that were.
        missing: What is not shown, in words; empty for a control that is proved.
    """

    id: str
    title: str
    requirement: str
    tests: tuple[str, ...]
    fault: str | None
    t_measured_s: float | None
    t_limit_s: float | None
    boundary: tuple[float, float] | None
    kill_proof: str | None
    nuisance_trips: int | None
    procedures: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One hazard.

    Attributes:
        hazard: The hazard.
        controls: Its controls with their proofs.
        status: proved, statement, absent or hole.
    """

    hazard: Hazard
    controls: tuple[ControlProof, ...]
    status: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole matrix.

    Attributes:
        lines: A hazard each.
        changed: The tree has changed since the run, so that nothing of it holds.
        tests: Number of tests of the run.
        failed: How many did not pass.
        unknown: Requirements that tests name and nothing knows.
    """

    lines: tuple[Line, ...]
    changed: bool
    tests: int
    failed: int
    unknown: tuple[str, ...]

    @property
    def holes(self) -> tuple[str, ...]:
        """Ids of the hazards with a hole."""
        return tuple(line.hazard.id for line in self.lines if line.status == HOLE)

    @property
    def good(self) -> bool:
        """Nothing is missing, and it was shown on this tree."""
        return not (self.holes or self.changed or self.failed or self.unknown)

    def document(self) -> dict[str, Any]:
        """The matrix as ``rfctl safety matrix --json`` prints it."""
        return {
            "hazards": {line.hazard.id: _described(line) for line in self.lines},
            "holes": list(self.holes),
            "tree_changed": self.changed,
            "tests": self.tests,
            "tests_failed": self.failed,
            "unknown_requirements": list(self.unknown),
        }


def build(catalogue: Catalogue, runs: Sequence[Run], tree: str) -> Matrix:
    """Join what is required with what was shown."""
    shown: dict[str, list[Proof]] = {}
    for run in runs:
        for proof in run.proofs:
            shown.setdefault(proof.requirement, []).append(proof)
    proofs = {
        name: _control_proof(name, control.title, control.requirement, shown.get(name, ()))
        for name, control in catalogue.controls.items()
    }
    lines = []
    for hazard in catalogue.hazards:
        controls = tuple(proofs[name] for name in catalogue.of[hazard.id])
        lines.append(Line(hazard, controls, _status(hazard, controls)))
    return Matrix(
        lines=tuple(lines),
        changed=any(run.tree != tree for run in runs),
        tests=sum(run.tests for run in runs),
        failed=sum(run.tests - run.passed for run in runs),
        unknown=tuple(sorted(shown.keys() - catalogue.controls.keys())),
    )


def _control_proof(name: str, title: str, requirement: str, shown: Iterable[Proof]) -> ControlProof:
    shown = list(shown)
    good = [proof for proof in shown if proof.passed]
    timed = [proof for proof in good if proof.t_measured_s is not None and proof.t_limit_s]
    slowest = max(timed, key=lambda proof: (proof.t_measured_s or 0.0) / (proof.t_limit_s or 1.0), default=None)
    pair = next(((p.below, p.above) for p in good if p.below is not None and p.above is not None), None)
    kill = next((proof.kills for proof in good if proof.kills), None)
    counted = [proof.trips for proof in good if proof.trips is not None]
    missing = []
    tests = tuple(dict.fromkeys(proof.test for proof in good if not proof.kills))
    if not tests:
        missing.append("no test that passed shows it")
    if len(good) < len(shown):
        missing.append(f"{next(proof.test for proof in shown if not proof.passed)} did not pass")
    if not kill:
        missing.append("no test was seen to go red without it")
    if name.startswith(ROW):
        if slowest is None:
            missing.append("no fault was timed to output off")
        if pair is None:
            missing.append("no pair of values just below and just above its limit")
        if not counted:
            missing.append("trips in normal procedures were not counted")
    if any(proof.t_measured_s > proof.t_limit_s for proof in timed):  # type: ignore[operator]
        missing.append("output off came later than its limit")
    if sum(counted):
        missing.append(f"{sum(counted)} trips in normal procedures")
    return ControlProof(
        id=name,
        title=title,
        requirement=requirement,
        tests=tests,
        fault=slowest.fault if slowest else None,
        t_measured_s=slowest.t_measured_s if slowest else None,
        t_limit_s=slowest.t_limit_s if slowest else None,
        boundary=pair,
        kill_proof=kill,
        nuisance_trips=sum(counted) if counted else None,
        procedures=sum(proof.procedures or 0 for proof in good),
        missing=tuple(missing),
    )


def _status(hazard: Hazard, controls: tuple[ControlProof, ...]) -> str:
    if hazard.statement:
        return STATEMENT
    if hazard.absent:
        refusals = [control for control in controls if not control.id.startswith(ROW)]
        return ABSENT if refusals and not any(control.missing for control in refusals) else HOLE
    return PROVED if controls and not any(control.missing for control in controls) else HOLE


def _described(line: Line) -> dict[str, Any]:
    timed = [control for control in line.controls if control.t_measured_s is not None and control.t_limit_s]
    slowest = max(timed, key=lambda control: (control.t_measured_s or 0.0) / (control.t_limit_s or 1.0), default=None)
    counted = [control.nuisance_trips for control in line.controls if control.nuisance_trips is not None]
    return {
        "title": line.hazard.title,
        "severity": line.hazard.severity,
        "status": line.status,
        "statement": line.hazard.statement or None,
        "absent": line.hazard.absent or None,
        "controls": [control.id for control in line.controls],
        "requirements": [control.requirement for control in line.controls],
        "tests": list(dict.fromkeys(test for control in line.controls for test in control.tests)),
        "t_measured_s": slowest.t_measured_s if slowest else None,
        "t_limit_s": slowest.t_limit_s if slowest else None,
        "boundary": {control.id: control.boundary for control in line.controls if control.boundary},
        "kill_proof": {control.id: control.kill_proof for control in line.controls if control.kill_proof},
        "nuisance_trips": sum(counted) if counted else None,
        "missing": {control.id: control.missing for control in line.controls if control.missing},
        "proofs": [asdict(control) for control in line.controls],
    }
