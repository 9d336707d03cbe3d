"""One lesion as a drawing in millimetres: temperature, power and impedance over one time axis, with words on it.

Everything is laid out here, so that the template only draws and a test can measure. The origin is the upper left
corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rfctl.kernel.interlocks import limit_of
from rfctl.kernel.phase import Phase
from rfctl.kernel.row import Action, Quantity, Row, Side, Window
from rfctl.kernel.state import ChannelState
from rfctl.report.evidence import BEFORE_RF_NS, Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfctl.kernel.state import Setup
    from rfctl.report.evidence import Evidence, Lesion, Moment, Point

WIDTH_MM = 174.0
LEFT_MM = 11.0
RIGHT_MM = 133.0
STRIP_MM = 5.0
MARKERS_MM = 6.5
TITLE_MM = 4.2
GAP_MM = 2.2
OVERVIEW_MM = 36.0
LONG_NS = 180_000_000_000
MARKER_GAP_MM = 4.6
LABEL_GAP_MM = 3.0
LETTER_MM = 1.25
"""Widest a letter of a label comes out, on the mean: what decides whether a word fits."""
SECTIONS = 700
"""Stretches of the time axis of which at most four points are kept: finer than print."""
BREAK_NS = 300_000_000
"""A longer time without a sample is a gap in the curve."""

CHANNEL_STYLES = ("thick", "thin", "dashed", "dotted")

PHASE_NAMES = {
    Phase.FIRING: "ramp",
    Phase.HOLD: "hold",
    Phase.LESION_OFF: "",
    Phase.COOLING: "cooling",
    Phase.ENDED: "off",
    Phase.DONE: "",
}


@dataclass(slots=True)
class Drawing:
    """Lines, words and markers, ready for the template.

    Attributes:
        width_mm: Its width.
        height_mm: Its height.
        lines: ``[x1, y1, x2, y2, style]``.
        curves: ``[[[x, y], ...], style]``.
        words: ``[x, y, anchor, style, text]``; the anchor is the side of the words that is at x, y their middle.
        boxes: ``[x, y, width, height, style]``.
        markers: ``[x, y, number, weight]``.
        legend: ``[number, time, weight, text]``.
    """

    width_mm: float = WIDTH_MM
    height_mm: float = 0.0
    lines: list[list[Any]] = field(default_factory=list)
    curves: list[list[Any]] = field(default_factory=list)
    words: list[list[Any]] = field(default_factory=list)
    boxes: list[list[Any]] = field(default_factory=list)
    markers: list[list[Any]] = field(default_factory=list)
    legend: list[list[Any]] = field(default_factory=list)


class Curve(NamedTuple):
    """One curve of a panel: where its value is in a point, and how it is drawn."""

    value: Callable[[Point], float]
    style: str


class Mark(NamedTuple):
    """A horizontal line of a panel, with its words in the right margin."""

    value: float
    style: str
    text: str


class Panel(NamedTuple):
    """One quantity over time.

    Attributes:
        title: What it is, with its unit and which line is which.
        height_mm: Height of the field.
        lowest: The scale reaches at least down to here.
        highest: And at least up to here.
        curves: What is drawn.
        marks: Set point and limits.
        far: Marks beyond this value do not stretch the scale; their words say so.
    """

    title: str
    height_mm: float
    lowest: float
    highest: float
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...]
    far: float


def lesion_drawing(lesion: Lesion, setup: Setup, moments: Sequence[Moment]) -> Drawing:
    """Draw one lesion. ``moments`` are those of the whole procedure."""
    drawing = Drawing()
    start_ns = lesion.points[0].t_ns if lesion.points else lesion.rf_on_ns
    end_ns = max(lesion.points[-1].t_ns if lesion.points else 0, lesion.rf_on_ns + 1_000_000_000)
    low_s = max(start_ns - lesion.rf_on_ns, -BEFORE_RF_NS) / 1e9
    high_s = (end_ns - lesion.rf_on_ns) / 1e9
    time = _Scale(low_s, high_s + 0.03 * (high_s - low_s), LEFT_MM, RIGHT_MM)
    _strip(drawing, time, lesion)
    fields: list[tuple[float, float]] = []
    bottom = STRIP_MM + MARKERS_MM - GAP_MM
    for panel in _panels(lesion, setup):
        top = bottom + GAP_MM + TITLE_MM
        bottom = top + panel.height_mm
        _panel(drawing, panel, time, lesion, top)
        fields.append((top, bottom))
    for tick in ticks(time.low, time.high, 12):
        x = time.at(tick)
        drawing.lines.append([x, bottom, x, bottom + 1.0, "axis"])
        drawing.words.append([x, bottom + 2.8, "centre", "tick", f"{tick:g}"])
    drawing.words.append([WIDTH_MM - 1, bottom + 2.8, "right", "tick", "time since RF on was commanded, s"])
    drawing.height_mm = bottom + 5.0
    _markers(drawing, time, lesion, moments, fields)
    return drawing


def procedure_drawing(evidence: Evidence) -> Drawing:
    """The tips' temperatures over the whole procedure, with the time of each lesion and of every stop and trip.

    Channels differ in the line's style, see ``CHANNEL_STYLES``.
    """
    drawing = Drawing()
    first_ns, last_ns = evidence.temperatures[0][0], evidence.temperatures[-1][0]
    time = _Scale(0.0, max((last_ns - first_ns) / 1e9, 1.0), LEFT_MM, WIDTH_MM - 1.0)
    top, bottom = STRIP_MM + 1.0, STRIP_MM + 1.0 + OVERVIEW_MM
    scale = _Scale(20.0, 100.0, bottom, top)
    drawing.boxes.append([LEFT_MM, top, WIDTH_MM - 1.0 - LEFT_MM, OVERVIEW_MM, "field"])
    for lesion in evidence.lesions.values():
        edges = [lesion.rf_on_ns, *(point.t_ns for point in lesion.points if point.rf_on)]
        left, right = (time.at((t_ns - first_ns) / 1e9) for t_ns in (edges[0], edges[-1]))
        drawing.boxes.append([left, 0.0, max(right - left, 0.4), STRIP_MM, "heat"])
        name = f"RF on, channel {lesion.channel}"
        if len(name) * LETTER_MM + 1.0 <= right - left:
            drawing.words.append([(left + right) / 2, STRIP_MM / 2, "centre", "phase", name])
    for tick in ticks(20.0, 100.0, 4):
        y = scale.at(tick)
        drawing.lines.append([LEFT_MM, y, WIDTH_MM - 1.0, y, "grid"])
        drawing.words.append([LEFT_MM - 1.2, y, "right", "tick", f"{tick:g}"])
    unit_s = overview_unit_s(evidence)
    for tick in ticks(0.0, time.high / unit_s, 10):
        x = time.at(tick * unit_s)
        drawing.lines.append([x, bottom, x, bottom + 1.0, "axis"])
        drawing.words.append([x, bottom + 2.8, "centre", "tick", f"{tick:g}"])
    for moment in evidence.moments:
        if moment.weight in {Weight.STOP, Weight.TRIP}:
            x = time.at(min(max((moment.t_ns - first_ns) / 1e9, 0.0), time.high))
            drawing.lines.append([x, 0.0, x, bottom, "alarm"])
    for channel in range(len(evidence.temperatures[0][1])):
        for stretch in stretches([(t_ns, values[channel]) for t_ns, values in evidence.temperatures]):
            drawn = [
                [time.at((t_ns - first_ns) / 1e9), scale.at(min(max(value, 20.0), 100.0))] for t_ns, value in stretch
            ]
            if len(drawn) > 1:
                drawing.curves.append([drawn, CHANNEL_STYLES[channel % len(CHANNEL_STYLES)]])
    drawing.height_mm = bottom + 4.5
    return drawing


def overview_unit_s(evidence: Evidence) -> float:
    """The time axis of the whole procedure counts minutes, or seconds where it is short: 60 or 1 s."""
    return 60.0 if evidence.temperatures[-1][0] - evidence.temperatures[0][0] > LONG_NS else 1.0


class _Scale:
    """Values onto a stretch of the paper; ``low`` is at ``start_mm``."""

    def __init__(self, low: float, high: float, start_mm: float, end_mm: float) -> None:
        self.low, self.high = low, high
        self._start_mm, self._per_unit = start_mm, (end_mm - start_mm) / (high - low)

    def at(self, value: float) -> float:
        """Millimetres, to a hundredth."""
        return round(self._start_mm + (value - self.low) * self._per_unit, 2)


def _panels(lesion: Lesion, setup: Setup) -> tuple[Panel, ...]:
    set_c = setup.plan.sites[lesion.site].lesions[lesion.index].set_temperature_c
    return (
        Panel(
            "temperature of the tip, degC", 46.0, 20.0, 100.0,
            (Curve(lambda point: point.temperature_c, "thick"),),
            (Mark(set_c, "set", f"set temperature {set_c:g}"), *_limits(Quantity.TEMPERATURE, lesion, setup)),
            110.0,
        ),
        Panel(
            "power, W: in the tissue (thick), at the generator's terminals (thin)", 30.0, 0.0, 10.0,
            (Curve(lambda point: point.power_w, "thin"), Curve(lambda point: point.power_tissue_w, "thick")),
            (
                Mark(lesion.power_limit_w, "set", f"terminals: limit {lesion.power_limit_w:.1f}"),
                *_limits(Quantity.POWER_TISSUE, lesion, setup),
            ),
            60.0,
        ),
        Panel(
            "impedance, ohm: tip to dispersive electrode (thick), less R_series (thin)", 30.0, 0.0, 200.0,
            (
                Curve(lambda point: point.impedance_tissue_ohm, "thin"),
                Curve(lambda point: point.impedance_ohm, "thick"),
            ),
            tuple(_limits(Quantity.IMPEDANCE, lesion, setup)),
            500.0,
        ),
    )  # fmt: skip


def _limits(quantity: Quantity, lesion: Lesion, setup: Setup) -> list[Mark]:
    """The trips on this quantity while heating, as the interlock table has them."""
    channel = ChannelState(site=lesion.site, lesion=lesion.index, duration_s=lesion.duration_s)
    in_force = [ready.row for ready in setup.channel_rows[Phase.HOLD]]
    rows = [row for row in in_force if row.quantity is quantity and row.action is Action.TRIP]
    return [_limit(row, limit_of(row, setup, channel)) for row in rows]


def _limit(row: Row, limit: float) -> Mark:
    side = "above" if row.side is Side.ABOVE else "below"
    of = "tissue: " if row.quantity is Quantity.POWER_TISSUE else ""
    return Mark(limit, "limit", f"{of}trip {side} {limit:.4g}{_window(row.window)}")


def _window(window: Window) -> str:
    if window.ns:
        return f" for {window.ns / 1e9:g} s"
    return f" in {window.needed} of {window.of_last}" if window.of_last > 1 else ""


def _strip(drawing: Drawing, time: _Scale, lesion: Lesion) -> None:
    """The phases as a strip with words where they fit."""
    changes = [
        ((t_ns - lesion.rf_on_ns) / 1e9, PHASE_NAMES[phase]) for t_ns, phase in lesion.phases if phase in PHASE_NAMES
    ]
    changes = [(time.low, "before RF"), *changes, (time.high, "")]
    for (start, name), (end, _) in pairwise(changes):
        left, right = time.at(start), time.at(min(end, time.high))
        drawing.boxes.append(
            [left, 0.0, max(right - left, 0.0), STRIP_MM, "heat" if name in {"ramp", "hold"} else "calm"]
        )
        if len(name) * LETTER_MM + 1.0 <= right - left:
            drawing.words.append([(left + right) / 2, STRIP_MM / 2, "centre", "phase", name])


def _panel(drawing: Drawing, panel: Panel, time: _Scale, lesion: Lesion, top: float) -> None:
    """Draw one panel whose field begins at ``top``; its title stands above."""
    drawing.words.append([LEFT_MM, top - TITLE_MM / 2, "left", "title", panel.title])
    bottom = top + panel.height_mm
    values = [
        value
        for curve in panel.curves
        for value in map(curve.value, lesion.points)
        if math.isfinite(value)
    ]  # fmt: skip
    marks = [mark for mark in panel.marks if math.isfinite(mark.value)]
    near = [mark.value for mark in marks if mark.value <= panel.far]
    low = min([panel.lowest, *values])
    high = max([panel.highest, *values, *near])
    if high > panel.highest:
        high += 0.04 * (high - low)
    scale = _Scale(low, high, bottom, top)
    drawing.boxes.append([LEFT_MM, top, RIGHT_MM - LEFT_MM, panel.height_mm, "field"])
    for tick in ticks(low, high, max(3, round(panel.height_mm / 9))):
        y = scale.at(tick)
        drawing.lines.append([LEFT_MM, y, RIGHT_MM, y, "grid"])
        drawing.words.append([LEFT_MM - 1.2, y, "right", "tick", f"{tick:g}"])
    shown = [mark for mark in marks if low <= mark.value <= high]
    hidden = [mark for mark in marks if mark not in shown]
    for mark in shown:
        y = scale.at(mark.value)
        drawing.lines.append([LEFT_MM, y, RIGHT_MM, y, mark.style])
    wanted = [scale.at(mark.value) for mark in shown] + [top if mark.value > high else bottom for mark in hidden]
    texts = [mark.text for mark in shown] + [f"{mark.text}, off scale" for mark in hidden]
    for y, text, at in zip(spread(wanted, LABEL_GAP_MM, top, bottom), texts, wanted, strict=True):
        if "off scale" not in text:
            drawing.lines.append([RIGHT_MM, at, RIGHT_MM + 2.0, y, "leader"])
        drawing.words.append([RIGHT_MM + 2.6, y, "left", "label", text])
    for curve in panel.curves:
        for stretch in stretches([(point.t_ns, curve.value(point)) for point in lesion.points]):
            drawn = [
                [time.at((t_ns - lesion.rf_on_ns) / 1e9), scale.at(value)]
                for t_ns, value in stretch
                if (t_ns - lesion.rf_on_ns) / 1e9 >= time.low
            ]
            if len(drawn) > 1:
                drawing.curves.append([drawn, curve.style])


def _markers(
    drawing: Drawing, time: _Scale, lesion: Lesion, moments: Sequence[Moment], fields: Sequence[tuple[float, float]]
) -> None:
    """Numbered markers for what happened on this channel or the whole generator, and the words of each number."""
    low_ns, high_ns = (lesion.rf_on_ns + round(edge * 1e9) for edge in (time.low, time.high))
    inside = [
        moment
        for moment in moments
        if moment.channel in {0, lesion.channel}
        and (lesion.rf_on_ns if moment.weight is Weight.INFO else low_ns) <= moment.t_ns <= high_ns
        and moment.weight is not Weight.DETAIL
    ]
    seconds = [(moment.t_ns - lesion.rf_on_ns) / 1e9 for moment in inside]
    wanted = [time.at(second) for second in seconds]
    y, first = STRIP_MM + MARKERS_MM / 2, fields[0][0]
    placed = spread(wanted, MARKER_GAP_MM, LEFT_MM + MARKER_GAP_MM / 2, RIGHT_MM)
    for number, (moment, second, x, at) in enumerate(zip(inside, seconds, placed, wanted, strict=True), start=1):
        style = "event" if moment.weight is Weight.INFO else "alarm"
        drawing.lines.append([x, y, at, first, "leader"])
        drawing.lines += [[at, top, at, bottom, style] for top, bottom in fields]
        drawing.markers.append([x, y, number, str(moment.weight)])
        drawing.legend.append([number, f"{second:.1f} s", str(moment.weight), moment.text])


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from low to high, at most about ``most`` of them."""
    rough = (high - low) / most
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1.0, 2.0, 5.0, 10.0) if factor * magnitude >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as can be, each at least ``gap`` from the next, within low and high.

    Where there are too many for that, the gap shrinks.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    if len(order) > 1:
        gap = min(gap, (high - low) / (len(order) - 1))
    places = [0.0] * len(wanted)
    edge = low
    for index in order:
        places[index] = max(wanted[index], edge)
        edge = places[index] + gap
    edge = high
    for index in reversed(order):
        places[index] = min(places[index], edge)
        edge = places[index] - gap
    return [round(place, 2) for place in places]


def stretches(samples: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """The curve of (time in ns, value) without its gaps, thinned: of each section first, lowest, highest and last are
    kept, so that no peak is lost.
    """
    if not samples:
        return []
    section_ns = max((samples[-1][0] - samples[0][0]) // SECTIONS, 1)
    whole: list[list[tuple[int, float]]] = []
    section: list[tuple[int, float]] = []
    before_ns = None
    for sample in samples:
        t_ns, value = sample
        if not math.isfinite(value):
            before_ns = None
            continue
        if before_ns is None or t_ns - before_ns > BREAK_NS:
            _close(whole, section)
            whole.append([])
        elif section and t_ns - section[0][0] >= section_ns:
            _close(whole, section)
        section.append(sample)
        before_ns = t_ns
    _close(whole, section)
    return whole


def _close(whole: list[list[tuple[int, float]]], section: list[tuple[int, float]]) -> None:
    if section:
        low, high = min(section, key=lambda item: item[1]), max(section, key=lambda item: item[1])
        whole[-1] += sorted({section[0], low, high, section[-1]})
        section.clear()
