"""One picture of a session: a snapshot as exactly so many lines of exactly so many cells."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from rfctl.cli.view.curve import plot
from rfctl.cli.view.keys import letter, words

if TYPE_CHECKING:
    from rfctl.station.snapshot import ChannelSnapshot, Progress, Snapshot

STALE_MS = 1000.0
WINDOW_S = 160.0
"""What the curves show: a whole ramp and hold, and what led to it."""
COLUMN_MIN = 38
GAP = 2
GUTTER = 9
PANEL_ROWS = 7
QUESTION_ROWS = 2
EVENT_ROWS = 3
PLOTS_MIN = 4
TEMPERATURE_LOW_C, TEMPERATURE_HIGH_C = 20.0, 100.0
LEVELS = {
    "info": ("  info    ", ""),
    "warning": ("! WARNING ", "bold yellow"),
    "trip": ("X TRIP    ", "bold red"),
    "question": ("? asked   ", "cyan"),
}
QUIET = frozenset({"phase"})
"""Events that the panel shows already."""
WRAPPER = Console(file=io.StringIO(), legacy_windows=False)
"""Text needs a console to be wrapped; nothing is ever printed on this one."""


def draw(
    snapshot: Snapshot, *, width: int, height: int, silent_ms: float, ours: bool, answers: bool, typing: str = ""
) -> list[Text]:
    """Draw a snapshot.

    Args:
        snapshot: What to draw.
        width: Cells in a line.
        height: Lines. Where they do not suffice, curves go first, then events; banner, state and numbers stay.
        silent_ms: Time since the snapshot came, by the view's own clock, ms; added to the age of its data.
        ours: The session ends with this view.
        answers: The person before it answers the questions.
        typing: Words that they are typing for an answer.

    Returns:
        ``height`` lines of ``width`` cells.
    """
    columns = max(1, (width + GAP) // (COLUMN_MIN + GAP))
    shown, hidden = _chosen(snapshot.channels, columns)
    column = (width - GAP * (len(shown) - 1)) // len(shown)
    question = _question(snapshot, width, answers=answers, typing=typing)
    lines = _header(snapshot, width, silent_ms)
    lines += _beside([_panel(channel, column) for channel in shown], column)
    lines += [Text("   ".join(_short(channel) for channel in hidden))] if hidden else []
    left = height - len(lines) - len(question) - 1
    event_rows = max(EVENT_ROWS, left // 4)
    plot_rows = left - event_rows
    if plot_rows >= PLOTS_MIN:
        lines += _beside([_plots(channel, snapshot.elapsed_s, column, plot_rows) for channel in shown], column)
    else:
        event_rows = max(left, 0)
    lines += _events(snapshot, event_rows)
    lines += question
    lines = [*lines[: height - 1], _keys(snapshot, ours=ours)]
    for line in lines:
        line.truncate(width, overflow="ellipsis", pad=True)
    return lines


def _clean(text: str) -> str:
    """Names come from files: nothing in them may move the cursor."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _spread(left: Text, right: Text, width: int) -> Text:
    """One at each edge; the right one stays whole."""
    left.truncate(max(width - right.cell_len - 1, 0), overflow="ellipsis", pad=True)
    return Text.assemble(left, " ", right)


# header


def _header(snapshot: Snapshot, width: int, silent_ms: float) -> list[Text]:
    kind = (" SIMULATED ", "bold black on yellow") if snapshot.simulated else (" DEVICE ", "bold white on blue")
    nobody = " no device, no patient " if snapshot.simulated else " "
    banner = Text.assemble(kind, f"{nobody} {_clean(snapshot.station)}, medium {snapshot.medium}")
    clock = Text(f"{_minutes(snapshot.elapsed_s)}, time {snapshot.time_scale}")
    plan = Text.assemble((_clean(snapshot.plan), "bold"), f", operator {_clean(snapshot.operator)}")
    services = Text(", ".join(f"{name} {_clean(status)}" for name, status in snapshot.services.items()))
    return [
        _spread(banner, clock, width),
        _spread(plan, services, width),
        _spread(_state(snapshot), _age(snapshot.age_ms, silent_ms), width),
        *_alarms(snapshot),
    ]


def _alarms(snapshot: Snapshot) -> list[Text]:
    """The most urgent alarm in its colour, how many others stand, and whether it is silenced."""
    if not snapshot.alarms:
        return []
    first, others = snapshot.alarms[0], len(snapshot.alarms) - 1
    more = f" and {others} more" if others else ""
    silent = f"silenced, {first.silenced_s:.0f} s left" if first.silenced_s > 0.0 else "[k] acknowledge, silences"
    text = f" ALARM, {first.priority}{more} ({silent}): {_clean(first.text)}"
    return [Text(text, style=f"bold black on {first.colour}")]


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60:d}:{int(seconds) % 60:02d}"


def _state(snapshot: Snapshot) -> Text:
    if snapshot.outcome is not None:
        off = "output measured off" if snapshot.off_verified else "off NOT verified yet"
        style = "bold green" if snapshot.outcome == "complete" else "bold red"
        return Text(f"{snapshot.outcome.upper()}: {off}. {_clean(snapshot.ending)}", style=style)
    under_work = [channel for channel in snapshot.channels if _busy(channel)]
    if snapshot.question is not None:
        asked = snapshot.question
        where = f"channel {asked.channel}" if asked.channel else "procedure"
        return Text(f"{where}: {snapshot.stage}, waiting for {_clean(snapshot.operator)}", style="bold cyan")
    if under_work:
        return Text("; ".join(f"channel {channel.number}: {channel.phase}" for channel in under_work), style="bold")
    return Text(snapshot.stage, style="bold")


def _age(age_ms: float | None, silent_ms: float) -> Text:
    if age_ms is None:
        return Text("no data yet", style="bold black on yellow")
    age_s = (age_ms + silent_ms) / 1000.0
    if age_s * 1000.0 > STALE_MS:
        return Text(f" STALE: no data for {age_s:.1f} s ", style="bold white on red")
    return Text(f"data {age_s:.1f} s old")


# channels


def _busy(channel: ChannelSnapshot) -> bool:
    return bool(channel.rf_on or channel.stimulating) or channel.phase not in {"idle", "done", "ended"}


def _chosen(channels: tuple[ChannelSnapshot, ...], columns: int) -> tuple[list[ChannelSnapshot], list[ChannelSnapshot]]:
    """Those under work first, then by number, as many as there is room for; and the others."""
    ranked = sorted(channels, key=lambda channel: (not _busy(channel), not channel.site, channel.number))
    shown = {channel.number for channel in ranked[:columns]}
    return (
        [channel for channel in channels if channel.number in shown],
        [channel for channel in channels if channel.number not in shown],
    )


def _short(channel: ChannelSnapshot) -> str:
    return f"channel {channel.number}: {channel.phase}, {_output(channel)[0]}"


def _output(channel: ChannelSnapshot) -> tuple[str, str]:
    """What the output does, by measurement: a symbol, a word, and a colour."""
    if channel.rf_on is None:
        return "? output unknown", "bold yellow"
    if channel.rf_on:
        return "● RF ON", "bold white on red"
    if channel.stimulating:
        return f"◆ STIMULATING {_number(channel.amplitude, 1)} {channel.stimulation_unit}", "bold black on cyan"
    return "○ output off", "green"


def _number(value: float | None, digits: int) -> str:
    return "--" if value is None else f"{value:.{digits}f}"


def _panel(channel: ChannelSnapshot, width: int) -> list[Text]:
    limits = channel.limits
    output, style = _output(channel)
    phase = channel.phase if channel.end_reason is None else _clean(channel.end_reason)
    temperature = Text.assemble((f"{_number(channel.temperature_c, 1)} degC", "bold yellow"))
    if channel.set_temperature_c is not None:
        temperature.append(f"  set {channel.set_temperature_c:g}")
    if limits.over_set_c is not None:
        temperature.append(f", trips at {limits.over_set_c:g}")
    temperature.append(f", max {limits.maximum_c:g}")
    power = f"{_number(channel.power_w, 1)} W"
    limit = f" of {limits.power_limit_w:.1f} W" if limits.power_limit_w is not None else ""
    electric = Text.assemble(
        (f"{_number(channel.impedance_ohm, 0)} ohm", "bold cyan"), "   ", (power, "bold magenta"), limit
    )
    checks = []
    if channel.sensory_threshold is not None:
        checks.append(f"felt at {channel.sensory_threshold:g} {channel.stimulation_unit}")
    if channel.motor_negative_to is not None:
        checks.append(f"no response to {channel.motor_negative_to:.1f} {channel.stimulation_unit}")
    delivered = []
    if channel.peak_c is not None:
        delivered.append(f"peak {channel.peak_c:.1f} degC")
    if channel.energy_j is not None:
        delivered.append(f"{channel.energy_j:.0f} J in the tissue")
    return [
        Text(f"Channel {channel.number}  {_clean(channel.site)}", style="bold underline"),
        Text.assemble((f" {output} ", style), " ", phase),
        temperature,
        electric,
        Text("; ".join(checks) or "no check done yet", style="" if checks else "dim"),
        Text(", ".join(delivered) or "nothing delivered yet", style="" if delivered else "dim"),
        _progress(channel.progress, width),
    ]


def _progress(progress: Progress | None, width: int) -> Text:
    if progress is None:
        return Text("")
    if progress.total_s is None or progress.left_s is None:
        return Text(f"{progress.what}, {progress.done_s:.0f} s")
    if progress.what == "ramp":
        text, share = f"ramp {progress.done_s:.0f} s, about {progress.left_s:.0f} s left ", progress.done_s
        share = progress.done_s / max(progress.done_s + progress.left_s, 1e-9)
    else:
        text = f"{progress.what} {progress.done_s:.0f}/{progress.total_s:.0f} s, {progress.left_s:.0f} s left "
        share = progress.done_s / max(progress.total_s, 1e-9)
    cells = max(width - len(text), 0)
    full = min(round(share * cells), cells)
    return Text.assemble(text, ("█" * full, "bold"), "░" * (cells - full))


def _beside(blocks: list[list[Text]], width: int) -> list[Text]:
    lines = []
    for row in zip(*blocks, strict=True):
        for cell in row:
            cell.truncate(width, overflow="ellipsis", pad=True)
        lines.append(Text(" " * GAP).join(row))
    return lines


# curves


def _plots(channel: ChannelSnapshot, elapsed_s: float, width: int, rows: int) -> list[Text]:
    """Temperature, impedance and power above one axis of time."""
    lesser = max(1, (rows - 1) * 2 // 7)
    curve = channel.curve
    highest_ohm = max((point.impedance_ohm or 0.0 for point in curve), default=0.0)
    highest_w = max((point.power_w or 0.0 for point in curve), default=0.0)
    lines = _curve(
        "degC", [(point.t_s, point.temperature_c) for point in curve], elapsed_s, width, rows - 1 - 2 * lesser,
        TEMPERATURE_LOW_C, TEMPERATURE_HIGH_C, "yellow", channel.set_temperature_c,
    )  # fmt: skip
    lines += _curve(
        "ohm", [(point.t_s, point.impedance_ohm) for point in curve], elapsed_s, width, lesser,
        0.0, max(200.0, min(math.ceil(highest_ohm / 100.0) * 100.0, 2000.0)), "cyan",
    )  # fmt: skip
    lines += _curve(
        "W", [(point.t_s, point.power_w) for point in curve], elapsed_s, width, lesser,
        0.0, max(10.0, math.ceil(highest_w / 5.0) * 5.0), "magenta",
    )  # fmt: skip
    axis = f"└ {WINDOW_S:g} s"
    return [*lines, Text(" " * GUTTER + axis + "now ┘".rjust(max(width - GUTTER - len(axis), 0)), style="dim")]


def _curve(
    unit: str,
    points: list[tuple[float, float | None]],
    end_s: float,
    width: int,
    rows: int,
    low: float,
    high: float,
    style: str,
    mark: float | None = None,
) -> list[Text]:
    drawn = plot(
        points, start=end_s - WINDOW_S, end=end_s, low=low, high=high,
        columns=max(width - GUTTER, 1), rows=rows, mark=mark,
    )  # fmt: skip
    gutters = [" " * GUTTER] * rows
    gutters[-1] = f"{low:>{GUTTER - 1}.0f} "
    gutters[0] = f"{unit:<4}{high:>{GUTTER - 5}.0f} "
    return [Text.assemble((gutter, "dim"), (line, style)) for gutter, line in zip(gutters, drawn, strict=True)]


# words


def _events(snapshot: Snapshot, rows: int) -> list[Text]:
    """The last events, the newest at the bottom."""
    told = [event for event in snapshot.events if event.code not in QUIET][-rows:] if rows else []
    lines = []
    for event in told:
        word, style = LEVELS.get(event.level, (f"  {event.level:<8}", ""))
        where = f"channel {event.channel}: " if event.channel and "channel" not in event.text else ""
        lines.append(
            Text.assemble((f"{_minutes(event.t_s):>5} ", "dim"), (f"{word}{where}{_clean(event.text)}", style))
        )
    return [Text("") for _ in range(rows - len(told))] + lines


def _question(snapshot: Snapshot, width: int, *, answers: bool, typing: str = "") -> list[Text]:
    question = snapshot.question
    if question is None:
        return [Text("") for _ in range(QUESTION_ROWS)]
    where = f"Channel {question.channel}: " if question.channel else ""
    wrapped = Text(f"? {where}{_clean(question.text)}", style="bold cyan").wrap(WRAPPER, width)
    if not answers:
        return [*wrapped, Text(f"  answered by {_clean(snapshot.operator)}", style="dim")]
    if typing:
        return [*wrapped, *Text(f"  {_clean(typing)}", style="bold reverse").wrap(WRAPPER, width)]
    choices = Text("  ")
    for choice in question.choices:
        choices.append(f"[{letter(choice)}]", style="bold reverse").append(f" {words(choice)}   ")
    return [*wrapped, choices]


def _keys(snapshot: Snapshot, *, ours: bool) -> Text:
    if snapshot.over:
        return Text("the procedure is over", style="bold")
    leave = "[q] STOP and leave" if ours else "[q] leave, the procedure goes on"
    return Text.assemble(("[space] STOP, everything off", "bold white on red"), f"   {leave}")
