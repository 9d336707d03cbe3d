"""The matrix as text for a terminal and as one page of HTML that needs nothing else."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from rfctl.safety.matrix import ABSENT, HOLE, PROVED, STATEMENT

if TYPE_CHECKING:
    from rfctl.safety.matrix import ControlProof, Line, Matrix

CHANGED = "The tree has changed since the tests ran: nothing here is about it. Run make test again."
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-top: 1px solid #d5d5d5;
  overflow-wrap: break-word; }
th { font-weight: 600; } .number { text-align: right; } .number span { display: block; color: #5a6472; }
.control { width: 17%; } .time { width: 16%; } .pair { width: 13%; } .trips { width: 9%; }
.tests td { border-top: 0; padding-top: 0; } ul { margin: .2rem 0; padding-left: 1.2rem; }
code { font-size: .8rem; overflow-wrap: anywhere; }
.status { display: inline-block; min-width: 5rem; text-align: center; border-radius: 3px; padding: 0 .4rem;
  font-size: .8rem; font-weight: 600; color: #fff; background: #1b6e3c; }
.statement, .absent { background: #5a6472; } .hole { background: #b3261e; } .missing { color: #b3261e; }
"""


def as_text(matrix: Matrix, *, brief: bool = False) -> str:
    """A line a hazard, and under one with a hole what is missing; in brief only those, and the sum."""
    lines = []
    for line in matrix.lines:
        if brief and line.hazard.id not in matrix.holes:
            continue
        lines.append(f"{line.hazard.id}  {line.status:<9}  {line.hazard.title}")
        if line.hazard.id in matrix.holes:
            lines += [f"         {control.id}: {what}" for control in line.controls for what in control.missing]
            if not line.controls:
                lines.append("         no control stands against it")
    lines += [f"A test names {name}, which no control is called." for name in matrix.unknown]
    if matrix.changed:
        lines.append(CHANGED)
    lines.append(_sum(matrix))
    return "\n".join(lines)


def as_html(matrix: Matrix) -> str:
    """The whole matrix on one page."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width"><title>rfctl: safety matrix</title>',
        f"<style>{STYLE}</style></head><body><h1>Safety matrix</h1><p>{escape(_sum(matrix))}</p>",
        f'<p class="missing">{CHANGED}</p>' if matrix.changed else "",
        *(_hazard(line) for line in matrix.lines),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _sum(matrix: Matrix) -> str:
    count = Counter(line.status for line in matrix.lines)
    return (
        f"{len(matrix.lines)} hazards: {count[PROVED]} proved, {count[STATEMENT]} by statement, {count[ABSENT]} of "
        f"modes that are refused, {count[HOLE]} with a hole; {matrix.tests} tests, {matrix.failed} not passed"
    )


def _hazard(line: Line) -> str:
    hazard = line.hazard
    head = f'<h2>{hazard.id} {escape(hazard.title)} <span class="status {line.status}">{line.status}</span></h2>'
    words = f"<p>{escape(hazard.cause)}; {hazard.severity}"
    words += f"; reset class {hazard.latch}" if hazard.latch else ""
    words += f"; alarm priority {hazard.priority}" if hazard.priority else ""
    words += f".</p><p>{escape(hazard.statement)}</p>" if hazard.statement else ".</p>"
    if hazard.absent:
        words += f"<p>Belongs to {hazard.absent} lesions, which are refused.</p>"
    if not line.controls:
        return head + words
    rows = "".join(_control(control) for control in line.controls)
    return (
        f"{head}{words}<table><thead><tr><th class='control'>Control</th><th>Requirement</th>"
        "<th class='number time'>Off after</th><th class='number pair'>Silent / acts</th>"
        "<th class='number trips'>Normal trips</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _control(control: ControlProof) -> str:
    took = ""
    if control.t_measured_s is not None and control.t_limit_s is not None:
        took = f"{control.t_measured_s * 1e3:.0f} of {control.t_limit_s * 1e3:.0f} ms"
        took += f"<span>{escape(control.fault or '')}</span>"
    pair = " / ".join(f"{value:.6g}" for value in control.boundary) if control.boundary else ""
    missing = "".join(f'<div class="missing">{escape(what)}</div>' for what in control.missing)
    trips = "" if control.nuisance_trips is None else f"{control.nuisance_trips} in {control.procedures}"
    return (
        f"<tr><th>{escape(control.id)}</th><td>{escape(control.requirement)}{missing}</td>"
        f'<td class="number">{took}</td><td class="number">{pair}</td><td class="number">{trips}</td></tr>'
        f'<tr class="tests"><td></td><td colspan="4">{_tests(control)}</td></tr>'
    )


def _tests(control: ControlProof) -> str:
    """How many there are and which one is red without the control; opened, the name of each."""
    if not control.tests:
        return ""
    count = "1 test" if len(control.tests) == 1 else f"{len(control.tests)} tests"
    kill = control.kill_proof or ""
    red = f"; red without the control: <code>{escape(kill.rpartition('::')[2])}</code>" if kill else ""
    names = "".join(f"<li><code>{escape(test)}</code></li>" for test in dict.fromkeys((*control.tests, kill)) if test)
    return f"<details><summary>{count}{red}</summary><ul>{names}</ul></details>"
