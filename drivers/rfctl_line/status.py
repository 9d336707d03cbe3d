"""From the values of a STATUS reply to a Reading, by the names that FIELDS gave their places."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rfctl.errors import BadReply, WrongDevice
from rfctl.model.reading import ChannelReading, Mode, Reading
from rfctl_line.table import MODES

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER, _WHOLE, _FLAG, _MODE = r"(-?\d{1,10}(?:\.\d{1,6})?|nan)", r"(\d{1,10})", "([01])", f"({'|'.join(MODES)})"
_UNKNOWN = r"[^,;]*"

# Every field that must be there, with its form, in the order of Reading and ChannelReading.
GENERATOR_FIELDS = {
    "uptime_ms": _WHOLE,
    "sample_counter": _WHOLE,
    "owner": _WHOLE,
    "lease_remaining_ms": _WHOLE,
    "fault_bits": _WHOLE,
    "pad_status": _WHOLE,
    "pad_ohm": _NUMBER,
}
CHANNEL_FIELDS = {
    "temperature_c": _NUMBER,
    "cold_junction_c": _NUMBER,
    "voltage_v_rms": _NUMBER,
    "current_ma_rms": _NUMBER,
    "rf_band_current_ma_rms": _NUMBER,
    "power_w": _NUMBER,
    "impedance_ohm": _NUMBER,
    "impedance_fresh": _FLAG,
    "thermocouple_open": _FLAG,
    "rf_on": _FLAG,
    "stimulating": _FLAG,
    "electrode_present": _FLAG,
    "mode": _MODE,
    "stimulation_width_us": _WHOLE,
    "stimulation_rate_hz": _NUMBER,
    "amplitude_v": _NUMBER,
    "amplitude_ma": _NUMBER,
    "electrode_id": _WHOLE,
    "fault_bits": _WHOLE,
    "rf_on_ms": _WHOLE,
    "arm_token": _WHOLE,
    "set_point_v_rms": _NUMBER,
    "set_point_w": _NUMBER,
}
_SHOWN = 80


class _Group:
    """The values of one group, compiled: how they look, and which of them is which field."""

    def __init__(self, name: str, told: tuple[str, ...], needed: dict[str, str], where: str) -> None:
        missing = [field for field in needed if field not in told]
        if missing or len(set(told)) < len(told):
            raise WrongDevice(
                f"FIELDS {name} has {'twice the same name' if not missing else 'no ' + ', '.join(missing)}",
                where=where,
                remedy="A generator of this protocol tells every field of docs/protocols/line.md.",
            )
        self._form = re.compile(",".join(needed.get(field, _UNKNOWN) for field in told), re.ASCII)
        captured = [field for field in told if field in needed]
        self._places = [captured.index(field) for field in needed]

    def values(self, text: str) -> list[str]:
        """The needed fields of the group, in the order in which they are needed.

        Raises:
            BadReply: A field is missing, or one too many is there, or one has not its form.
        """
        found = self._form.fullmatch(text)
        if found is None:
            raise BadReply(f"the status {text[:_SHOWN]!r} is not of the form that FIELDS tells")
        values = found.groups()
        return [values[place] for place in self._places]


class StatusDecoder:
    """Turns the values of a STATUS reply into a Reading."""

    def __init__(self, generator: tuple[str, ...], channel: tuple[str, ...], channels: int, where: str) -> None:
        """Compile.

        Args:
            generator: Names of the generator's fields, in their order.
            channel: Names of a channel's.
            channels: How many channels are told of.
            where: The generator's place, for messages.

        Raises:
            WrongDevice: A field that is needed is not told.
        """
        self._generator = _Group("generator", generator, GENERATOR_FIELDS, where)
        self._channel = _Group("channel", channel, CHANNEL_FIELDS, where)
        self._groups = 1 + channels

    def decode(self, text: str, received_ns: int) -> Reading:
        """One reading.

        Args:
            text: The values.
            received_ns: When they had arrived, on the station's monotonic clock.

        Raises:
            BadReply: Not values of the form that FIELDS told.
        """
        groups = text.split(";")
        if len(groups) != self._groups:
            raise BadReply(f"{self._groups - 1} channels asked for, {len(groups) - 1} told in {text[:_SHOWN]!r}")
        head = self._generator.values(groups[0])
        channels = tuple([_channel(self._channel.values(group)) for group in groups[1:]])
        return Reading._make((received_ns, *map(int, head[:-1]), float(head[-1]), channels))


_CONVERSION: dict[str, Callable[[str], Any]] = {
    _NUMBER: float,
    _WHOLE: int,
    _FLAG: "1".__eq__,
    _MODE: MODES.__getitem__,
}
_CONVERSIONS = tuple(_CONVERSION[form] for form in CHANNEL_FIELDS.values())
_MODE_AT, _AMPLITUDES_AT, _SET_POINTS_AT = (
    tuple(CHANNEL_FIELDS).index(name) for name in ("mode", "amplitude_v", "set_point_v_rms")
)
_OF_MODE = {
    Mode.STIMULATION_VOLTAGE: _AMPLITUDES_AT,
    Mode.STIMULATION_CURRENT: _AMPLITUDES_AT + 1,
    Mode.LESION_VOLTAGE: _SET_POINTS_AT,
    Mode.LESION_POWER: _SET_POINTS_AT + 1,
}
"""The field that holds what the station sets in a mode."""


def _channel(texts: list[str]) -> ChannelReading:
    values = [convert(text) for convert, text in zip(_CONVERSIONS, texts, strict=True)]
    place = _OF_MODE.get(values[_MODE_AT], 0)
    amplitude = values[place] if place in {_AMPLITUDES_AT, _AMPLITUDES_AT + 1} else 0.0
    set_point = values[place] if place >= _SET_POINTS_AT else 0.0
    return ChannelReading._make(
        (*values[:_AMPLITUDES_AT], amplitude, *values[_AMPLITUDES_AT + 2 : _SET_POINTS_AT], set_point)
    )
