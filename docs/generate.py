"""Writes the pages that are drawn: procedure.md, interlocks.md, alarms.md and exploration.md. Run by ``make docs``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from rfctl.errors import EXIT_DEVICE, EXIT_DONE, EXIT_STOPPED
from rfctl.kernel.alarms import OF_HAZARD, PRESENTATIONS
from rfctl.kernel.expected import USUAL
from rfctl.kernel.limits import ROWS, SET_TEMPERATURE_MAX_C
from rfctl.kernel.phase import ALL, ENERGISED, HEATING, LESION, OFF_VERIFYING, ON_SITE, STIMULATION, WITHOUT_RF, Phase
from rfctl.kernel.row import Action, Basis, Origin, Side
from rfctl.kernel.rows_later import LATER
from rfctl.kernel.transitions import TRANSITIONS, condition, diagram
from rfctl.model.electrode import electrode_table
from rfctl.model.plan import Medium
from rfctl.station.plan_check import time_budget_w

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rfctl.kernel.row import Row, Window
    from rfctl.model.electrode import Electrode

FOLDER = Path(__file__).parent

PROCEDURE = """\
# The procedure on one channel

This page is drawn from the transition table in `rfctl/kernel/transitions.py` by `make docs`; a test holds that the
two agree.

Sites are treated in the order of the plan: one after the other, or in batch, where all are checked one after the
other, then all anaesthetised, and then all heated together. A channel whose site is under work moves from phase to
phase as below; every other channel is idle, and its signals are judged all the same. Channels that heat together are
probed first, each alone, and one word arms and one word starts them all. What a trigger is:

- `sample`: a reading of the generator arrived and no interlock acted on it.
- `answer ...`: a person gave this answer to the question that was open. Any other answer changes nothing and is
  noted.
- `durable`: the intent that this channel asked for is on disk. No phase in which an output may come on is entered
  without it.
- `done ...`: the generator carried the command out, and it was read back.

Rows of one phase and trigger are tried from top to bottom; the first whose condition holds is taken.

**From every phase** a stop by a person, a verdict of an interlock (`interlocks.md`), a lost link, a command that
failed and a record that cannot be written lead to *ended*, with off in the same decision. Nothing leads out of
*ended*: a procedure that was stopped is not resumed. These moves are not drawn, there would be one from every box.
Where the plan says `on_fault = "drop the channel"`, a verdict whose cause lies at one channel leads only that channel
to *dropped*, off in the same decision, as long as another site is left; that is drawn once.

The table says in which order things may happen. It does not say that a check was felt rightly or that an electrode
lies where it should: that is a person's judgement, asked for and recorded.

"""

INTERLOCKS = """\
# Interlocks

This page is drawn from the table in `rfctl/kernel/limits.py` by `make docs`; a test holds that the two agree.

Every row is judged in every sample, with RF off and in simulation too, in the phases that it names. Nothing in the
product switches a row off, and configuration can only narrow a limit. Not-a-number is beyond every limit. The first
row that acts names the cause; on the same channel nothing is said of rows behind it in the same sample.

- **warn**: noted once a phase, the procedure goes on.
- **void**: off, and what the checks found no longer permits a lesion; the channel goes to *stimulation check required*.
- **refuse**: off, and the procedure ends before any heat at that site, exit code {stopped}.
- **trip**: off in the same decision, and the procedure ends. Exit code {stopped} where the cause lies in the
  process, {device} where it lies in the generator or its link.

A stop by a person ends with exit code {stopped}. Whatever the cause, a procedure whose outputs were not measured
off at its end says OFF NOT CONFIRMED and ends with exit code {device}. The limits are this project's own choice,
not a standard's, and a simulator is no proof that they suit a given generator, electrode or tissue.

In a test load, which has neither thermocouple nor dispersive electrode, these rows are not in force:
{not_in_load}.

A limit that is relative is written with what it is relative to. A window of *one sample* acts at once; *for 0.5 s*
means in every sample for so long.

"""


def procedure_page() -> str:
    """docs/procedure.md."""
    rows = ((row.phase, row.trigger, condition(row), row.to, row.act.__name__.replace("_", " ")) for row in TRANSITIONS)
    table = _table(("phase", "trigger", "condition", "next phase", "does"), rows)
    return f"{PROCEDURE}## Diagram\n\n```mermaid\n{diagram()}```\n\n## Table\n\n{table}"


ALARMS_TEXT = """\
# Alarms

This page is drawn from `rfctl/kernel/alarms.py` by `make docs`; a test holds that the two agree, and that every verdict
has an alarm.

An alarm stands while its cause does; that of a trip stands to the end of the procedure. Whoever controls acknowledges:
in the terminal with the key `k`, at the control socket with `acknowledge`. That silences what stands for the time
below, is recorded with the name, and resets nothing; a new alarm sounds at once. The terminal shows the most urgent one
in its colour, and its bell keeps the rhythm of the burst. MQTT events carry `priority`, the record says what was
decided with code and numbers.

The bursts are this project's own choice, made in the manner of alarm signals that clinicians know; nothing claims to
meet a standard, and a terminal's bell is not an alarm system.

"""


PRIORITIES_TEXT = """\
A verdict has the priority of its hazard, which `interlocks.md` names beside its code; a row that only warns is one step
lower, because there is time. What warns and is no verdict is low.

"""


def alarms_page() -> str:
    """docs/alarms.md."""
    shown = (
        (
            priority,
            each.colour,
            f"{each.flashing_hz:g} Hz" if each.flashing_hz else "steady",
            ", ".join(f"{pulse / 1000:g}" for pulse in each.pulses),
            f"{each.pulse_ms / 1000:g} s, {each.pitch_hz} Hz",
            f"{each.repeated_s:g} s" if each.repeated_s else "not",
            f"{each.silenced_s:g} s",
        )
        for priority, each in PRESENTATIONS.items()
    )
    header = ("priority", "colour", "flashing", "pulses begin at s", "pulse", "repeated after", "silenced for")
    of_hazard = ((priority, ", ".join(h for h, p in OF_HAZARD.items() if p is priority)) for priority in PRESENTATIONS)
    return (
        f"{ALARMS_TEXT}## How they are shown and heard\n\n{_table(header, shown)}\n## Priorities\n\n{PRIORITIES_TEXT}"
        f"{_table(('priority', 'hazards'), of_hazard)}"
    )


def interlocks_page() -> str:
    """docs/interlocks.md."""
    header = (
        "code", "hazard", "in force", "quantity", "limit", "window", "action", "exit code", "text", "governed by",
    )  # fmt: skip
    rows = (
        (
            f"`{row.code}`",
            row.hazard,
            _phases(row.phases),
            f"`{row.quantity}`",
            _limit(row),
            _window(row.window),
            row.action,
            _exit_code(row),
            row.text,
            row.setting,
        )
        for row in ROWS
    )
    sets = ((name, _members(phases)) for name, phases in NAMED_PHASES.items())
    later = (
        (row.mode, f"`{row.code}`", row.hazard, f"{row.limit:g} {UNITS.get(row.unit, row.unit)}", row.rule, row.action)
        for row in LATER
    )
    not_in_load = ", ".join(f"`{row.code}`" for row in ROWS if not row.holds_in(Medium.LOAD))
    introduction = INTERLOCKS.format(stopped=EXIT_STOPPED, device=EXIT_DEVICE, not_in_load=not_in_load)
    return (
        f"{introduction}## The table\n\n{_table(header, rows)}\n## The phases meant by *in force*\n\n"
        f"{_table(('in force', 'phases'), sets)}\n{budget_text()}{LATER_TEXT}{_table(LATER_HEADER, later)}"
    )


BUDGET_TEXT = """\
## What the time budget refuses

Should the control fail near the set temperature, the tip goes on warming from the reading that trips until RF is off:
for {total:g} s by the station's usual numbers (poll {poll:g} s, one sample of filter {filter:g} s, thermocouple
{lag:g} s, decision {decision:g} s, off {off:g} s). The power limit is lowered so far that the tissue stays below 100
degC; what that leaves must be 1.8 x the power that is expected to hold, else the row `time_budget` refuses, and `rfctl
plan check` says so before. Computed from the electrode table, in whole degC, without series resistance and fluid;
every electrode that is not listed is accepted up to 90 degC from either.

"""


def budget_text() -> str:
    """The electrodes that it bears upon, with the highest set temperature of each."""
    shown = []
    for electrode in electrode_table().values():
        highest = [_highest_c(electrode, start_c) for start_c in (37.0, 22.0)]
        if min(highest) < SET_TEMPERATURE_MAX_C:
            shown.append((electrode.name, *(f"{each:g} degC" for each in highest)))
    text = BUDGET_TEXT.format(
        total=round(USUAL.total_s, 3),
        poll=USUAL.poll_s,
        filter=USUAL.filter_s,
        lag=USUAL.lag_s,
        decision=USUAL.decision_s,
        off=USUAL.off_s,
    )
    return f"{text}{_table(('electrode', 'at most, from 37 degC', 'at most, from 22 degC'), shown)}\n"


def _highest_c(electrode: Electrode, start_c: float) -> float:
    """The highest set temperature in whole degC that the budget allows."""
    set_c = SET_TEMPERATURE_MAX_C
    while True:
        left_w, needed_w = time_budget_w(electrode, set_c, start_c)
        if left_w >= needed_w:
            return set_c
        set_c -= 1.0


LATER_TEXT = """\
## Modes that are refused

A plan with one of these modes is refused, and the refusal names the rows: nothing judges them in this version.

"""
LATER_HEADER = ("mode", "code", "hazard", "limit", "rule", "action")


NAMED_PHASES: dict[str, frozenset[Phase]] = {
    "always": ALL,
    "an output on": ENERGISED,
    "RF on": LESION,
    "heating": HEATING,
    "stimulation": STIMULATION,
    "heating or stimulation": HEATING | STIMULATION,
    "RF not commanded": WITHOUT_RF,
    "electrode in use": ON_SITE,
    "off being verified, ended": OFF_VERIFYING | {Phase.ENDED},
}
"""The sets of phases that rows share, as words."""


UNITS = {"Cel": "degC", "Ohm": "ohm", "1": ""}
"""UCUM codes that a sentence writes otherwise."""


def _phases(phases: frozenset[Phase]) -> str:
    for name, named in NAMED_PHASES.items():
        if named == phases:
            return name
    return _names(phases)


def _names(phases: frozenset[Phase]) -> str:
    return ", ".join(f"*{phase}*" for phase in Phase if phase in phases)


def _members(phases: frozenset[Phase]) -> str:
    """The phases by name, or those that are missing where they are fewer."""
    others = ALL - phases
    if not others:
        return "all"
    return f"all but {_names(others)}" if len(others) < len(phases) else _names(phases)


def _limit(row: Row) -> str:
    side = "above" if row.side is Side.ABOVE else "below"
    if row.basis is Basis.ABSOLUTE:
        return f"{side} {row.offset:g} {UNITS.get(row.unit, row.unit)}".rstrip()
    factor = "" if row.factor == 1 else f"{row.factor:g} x "
    offset_unit = "K" if row.unit == "Cel" else row.unit
    offset = f" + {row.offset:g} {offset_unit}" if row.offset else ""
    return f"{side} {factor}{row.basis}{offset}"


def _window(window: Window) -> str:
    if window.ns:
        return f"for {window.ns / 1e9:g} s"
    return "one sample" if window.of_last == 1 else f"{window.needed} of {window.of_last} samples"


def _exit_code(row: Row) -> int:
    if row.action in {Action.WARN, Action.PAUSE}:
        return EXIT_DONE
    return EXIT_DEVICE if row.action is Action.TRIP and row.origin is Origin.DEVICE else EXIT_STOPPED


def _table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


EXPLORATION = """\
# Exploration

This page is drawn from `exploration.json`, which `docs/exploration.py` wrote from a run of the exploration; tests hold
that the page agrees with it, and that no later kernel is explored less.

`rfctl safety explore` takes the kernel's real `step`, and the guard's, through short procedures, breadth first: every
answer to every question, every wait to just before, at and just after each deadline, every command done or failed, and
in each state every single deviation: a signal below, at or above the limit of each row in force, two signals at once
while a channel heats, not-a-number, a missed or late sample, a stop, a guard that lets go, a record that fails. After
the end anything may go on to deviate. On every decision it checks the invariants of `rfctl/safety/invariants.py`:

- **I1** RF is on only in a lesion, armed, with a fresh sample, a durable intent, a lease, and no stimulation.
- **I2** A trip is off in the same decision.
- **I3** What is latched leads to no arming but by its reset, and then by a new word.
- **I4** Stimulation and RF are never on together.
- **I5** Off is followed by its verification, or by words that it is not confirmed; meanwhile off is sent again.
- **I6** What is unknown or not a number enables nothing.
- **I7** What is permitted and written lies within the durable intent, and a limit only falls.
- **I8** The first act is off.

**What it is not.** States are told apart by where times and values stand between deadlines and limits, not by the
values themselves, and one deviation follows no other before the end, but as a run of equal samples. What needs more
is for the campaigns of faults and of seeds.

"""


def exploration_page() -> str:
    """docs/exploration.md."""
    counts = json.loads((FOLDER / "exploration.json").read_text(encoding="utf-8"))
    full, part = counts["full"], counts["part"]
    sums = (
        ("whole", f"{full['states']:,}", f"{full['edges']:,}", str(len(full["violations"]))),
        ("part, in every test run", f"{part['states']:,}", f"{part['edges']:,}", "0"),
    )
    goals = "".join(f"- {name}\n" for name, reached in full["sometimes"].items() if reached)
    excluded = _table(("goal", "why no short procedure reaches it"), full["excluded"].items())
    bound = "" if full["whole"] else "A bound on the number of decisions was met before everything was explored.\n\n"
    return (
        f"{EXPLORATION}{_table(('exploration', 'states', 'decisions', 'violations'), sums)}\n{bound}"
        f"## Not reached here\n\n{excluded}\n## Reached\n\n{goals}"
    )


PAGES: dict[str, Callable[[], str]] = {
    "exploration.md": exploration_page,
    "procedure.md": procedure_page,
    "interlocks.md": interlocks_page,
    "alarms.md": alarms_page,
}

if __name__ == "__main__":
    for name, draw in PAGES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
