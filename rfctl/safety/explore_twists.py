"""How a reading may differ from the usual one: for each row in force, its signal below, at and above the limit.

A row's quantity is derived from fields of the reading; here are, for each quantity, values of those fields that bring
it to both sides of its limit, and what is not a number.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan, sqrt
from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.interlocks import limit_of
from rfctl.kernel.phase import HEATING, Phase
from rfctl.kernel.row import Quantity, Row, Side
from rfctl.kernel.thermal import predicted_rise_k
from rfctl.model.reading import Mode, PadStatus
from rfctl.safety.explore_world import BODY_C, ELECTRODE, SET_C

if TYPE_CHECKING:
    from rfctl.kernel.state import ChannelState, KernelState
    from rfctl.model.reading import Reading

Value = object | Callable[["KernelState", int, object], object]
"""What a field reads, or a function of (kernel, channel number, usual value)."""


class Twist(NamedTuple):
    """One field that does not read as usual.

    Attributes:
        channel: Whose, 0 for a field of the whole reading.
        field: Of ChannelReading or Reading.
        value: What it reads.
    """

    channel: int
    field: str
    value: Value


Twists = tuple[Twist, ...]
USUAL: Twists = ()


def twisted(kernel: KernelState, reading: Reading, twists: Twists) -> Reading:
    """The reading with these fields as they are twisted."""
    for number, field, value in twists:
        if number == 0:
            new = value(kernel, 0, getattr(reading, field)) if callable(value) else value
            reading = reading._replace(**{field: new})  # type: ignore[arg-type]
            continue
        channels = reading.channels
        measured = channels[number - 1]
        new = value(kernel, number, getattr(measured, field)) if callable(value) else value
        measured = measured._replace(**{field: new})  # type: ignore[arg-type]
        reading = reading._replace(channels=(*channels[: number - 1], measured, *channels[number:]))
    return reading


def times(factor: float) -> Value:
    """So many times what it usually reads."""
    return lambda _kernel, _number, usual: usual * factor  # type: ignore[operator]


def more(by: float) -> Value:
    """So much more than it usually reads."""
    return lambda _kernel, _number, usual: usual + by  # type: ignore[operator]


def from_start(by: float) -> Value:
    """So much from the temperature at which RF went on."""
    return lambda kernel, number, usual: _start_c(kernel.channels[number - 1]) + by if usual else usual


def share_of_prediction(share: float) -> Value:
    """The tip warms by this share of what the model predicts."""

    def value(kernel: KernelState, number: int, _usual: object) -> float:
        thermal = kernel.channels[number - 1].thermal
        base_c = thermal.base_c if thermal.base_c == thermal.base_c else BODY_C
        return base_c + share * predicted_rise_k(thermal)

    return value


def _start_c(channel: ChannelState) -> float:
    return channel.figures.start_c if channel.figures else BODY_C


def _around(row: Row, limit: float, step: float) -> list[float]:
    beyond = limit + step if row.side is Side.ABOVE else limit - step
    return [limit, beyond] if -inf < limit < inf else []


def _current_for(world_kernel: KernelState, number: int, power_w: float) -> float:
    """mA rms with which so much power flows in the tissue, by the impedance of the last sample."""
    channel = world_kernel.channels[number - 1]
    tissue_ohm = channel.history[-1].impedance_tissue_ohm if channel.history else ELECTRODE.impedance_ohm
    return sqrt(power_w / tissue_ohm) * 1e3 if tissue_ohm > 0.0 and power_w >= 0.0 else nan


_OPEN = ((("thermocouple_open", True),), (("temperature_c", nan),))
_ON = ((("rf_on", True),), (("rf_band_current_ma_rms", nan), ("power_w", nan)), (("stimulating", True),))
_FIXED: dict[Quantity, tuple[tuple[tuple[str, Value], ...], ...]] = {
    Quantity.THERMOCOUPLE_OPEN: _OPEN,
    Quantity.TEMPERATURE_STEP: ((("temperature_c", more(15.0)),), (("temperature_c", more(30.1)),)),
    Quantity.IMPEDANCE_SLOPE: ((("impedance_ohm", times(1.5)),), (("impedance_ohm", times(0.6)),)),
    Quantity.IMPEDANCE_RISE: ((("impedance_ohm", times(1.08)),), (("impedance_ohm", times(1.15)),)),
    Quantity.UNCOMMANDED_RF: (
        *_ON[:2],
        (("rf_band_current_ma_rms", 20.0), ("power_w", 0.6)),
        (("rf_band_current_ma_rms", 20.1), ("power_w", 0.6)),
    ),
    Quantity.OUTPUT_AFTER_OFF: _ON,
    Quantity.STIMULATION_WITH_RF: ((("stimulating", True), ("rf_on", True)),),
    Quantity.UNCOMMANDED_STIMULATION: ((("stimulating", True),),),
    Quantity.FAULT_BITS: ((("fault_bits", 1),),),
    Quantity.SET_POINT_ERROR: ((("set_point", more(0.1)),), (("set_point", more(9.0)),), (("set_point", nan),)),
    Quantity.RF_MISSING: ((("rf_on", False), ("power_w", 0.0), ("current_ma_rms", 0.0)),),
    Quantity.STIMULATION_MISSING: ((("stimulating", False),),),
    Quantity.FALLEN: ((("temperature_c", from_start(-1.0)),), (("temperature_c", from_start(-1.2)),)),
    Quantity.PICK_UP: ((("temperature_c", more(1.4)),), (("temperature_c", more(2.5)),)),
    Quantity.FROM_COLD_JUNCTION: ((("cold_junction_c", 36.0),), (("cold_junction_c", 36.1),)),
    Quantity.STIMULATION_MODE: ((("mode", Mode.STIMULATION_CURRENT),), (("mode", None),)),
    Quantity.STIMULATION_RATE: ((("stimulation_rate_hz", more(0.05)),), (("stimulation_rate_hz", more(0.2)),)),
    Quantity.STIMULATION_WIDTH: ((("stimulation_width_us", more(5)),), (("stimulation_width_us", more(6)),)),
    Quantity.STIMULATION_EXCESS: (
        (("stimulation_amplitude", more(0.14)),),
        (("stimulation_amplitude", more(0.3)),),
        (("stimulation_amplitude", nan),),
    ),
    Quantity.ELECTRODE_CHANGED: ((("electrode_present", False),), (("electrode_id", 1),)),
    Quantity.IMPEDANCE_HIGH: ((("impedance_ohm", times(1.14)),), (("impedance_ohm", times(1.3)),)),
    Quantity.TISSUE_HIGH: ((("impedance_ohm", times(1.08)),), (("impedance_ohm", times(1.13)),)),
    Quantity.IMPEDANCE_LOW: ((("impedance_ohm", times(0.9)),), (("impedance_ohm", times(0.7)),)),
    Quantity.INJECTION_CHANGE: ((("impedance_ohm", times(1.3)),), (("impedance_ohm", times(0.35)),)),
    Quantity.CURRENT: (
        (("current_ma_rms", 16_000.0),),
        (("current_ma_rms", 20_000.0),),
        (("current_ma_rms", times(4.0)),),
        (("current_ma_rms", nan),),
    ),
    Quantity.POWER_DIFFERENCE: ((("voltage_v_rms", times(1.3)),), (("voltage_v_rms", times(9.0)),)),
    Quantity.MODE_WRONG: ((("mode", Mode.NONE),), (("mode", None),)),
}
"""Fields and values that do not follow from the row's limit."""

WHOLE: tuple[tuple[str, Value], ...] = (
    ("owner", 0),
    ("lease_remaining_ms", 0),
    ("fault_bits", 1),
    ("pad_status", PadStatus.OPEN),
    ("pad_status", PadStatus.NOT_MONITORED),
    ("pad_ohm", 12.0),
    ("pad_ohm", 12.1),
    ("pad_ohm", nan),
    ("sample_counter", more(-1)),
    ("uptime_ms", more(60_000)),
)
"""Of the whole reading."""


def of_row(kernel: KernelState, number: int, row: Row) -> list[Twists]:
    """Readings of channel ``number`` that bring the row's signal to both sides of its limit."""
    fixed = _FIXED.get(row.quantity)
    if fixed is not None:
        return [tuple([Twist(number, field, value) for field, value in fields]) for fields in fixed]
    channel = kernel.channels[number - 1]
    if row.quantity is Quantity.NEIGHBOUR_RISE:
        others = [n for n, other in enumerate(kernel.channels, start=1) if n != number and other.site >= 0]
        return [(Twist(n, "temperature_c", value),) for n in others for value in (BODY_C + 2.0, BODY_C + 14.0)]
    if not channel.history or channel.site < 0:
        return []
    limit = limit_of(row, kernel.setup, channel)
    values: list[tuple[str, Value]] = []
    if row.quantity in {Quantity.TEMPERATURE, Quantity.TEMPERATURE_AT_REST}:
        values = [("temperature_c", value) for value in _around(row, limit, 0.1)]
    elif row.quantity in {Quantity.IMPEDANCE, Quantity.IMPEDANCE_MEAN}:
        values = [("impedance_ohm", value) for value in (*_around(row, limit, 1.0), nan)]
    elif row.quantity is Quantity.ELECTRODE_OPEN:
        values = [("impedance_ohm", 1200.0), ("impedance_ohm", 1201.0)]
    elif row.quantity is Quantity.POWER_TISSUE:
        values = [("current_ma_rms", _current_for(kernel, number, share * limit)) for share in (0.99, 1.01)]
    return [(Twist(number, field, value),) for field, value in values]


def of_phase(phase: Phase, number: int) -> list[Twists]:
    """Readings by which channels move, beside those of the rows: tip and output at the thresholds of transitions."""
    values: list[tuple[str, Value]] = [("temperature_c", nan)]
    if phase in HEATING:
        values += [("temperature_c", value) for value in (BODY_C, SET_C - 1.1, SET_C - 1.0)]
    elif phase in {Phase.COOLING, Phase.LESION_READY, Phase.QUEUED}:
        values += [("temperature_c", value) for value in (29.9, 40.1, 44.9, 45.0, 45.1)]
    elif phase in {Phase.SENSORY, Phase.MOTOR}:
        values += [("stimulation_amplitude", 0.0), ("stimulation_amplitude", times(0.5))]
    return [(Twist(number, field, value),) for field, value in values]


def in_pairs(kernel: KernelState, number: int) -> list[Twists]:
    """Two signals of a channel that heats at a time: tip and power, tip and impedance."""
    if kernel.channels[number - 1].phase not in HEATING:
        return []
    temperatures: tuple[Value, ...] = (nan, BODY_C, SET_C + 8.1)
    others: tuple[tuple[str, Value], ...] = (
        ("current_ma_rms", nan), ("current_ma_rms", times(1.8)), ("impedance_ohm", nan), ("impedance_ohm", times(1.5)),
        ("rf_on", False), ("stimulating", True),
    )  # fmt: skip
    return [
        (Twist(number, "temperature_c", temperature), Twist(number, field, value))
        for temperature in temperatures
        for field, value in others
    ]
