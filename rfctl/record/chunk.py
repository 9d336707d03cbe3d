"""Readings as packed frames of a chunk, with the routine decision that each led to; and back, bit for bit."""

from __future__ import annotations

import json
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rfctl.errors import RecordError
from rfctl.kernel.effects import Effect, Grant, Renew, SetOutput
from rfctl.kernel.journal import reading_from, reading_values, routine_values
from rfctl.model.reading import ChannelReading, Reading
from rfctl.record.values import numbers_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rfctl.kernel.events import Sampled

ROUTINE, RECORDED, ROUTINE_TEXT, RECORDED_TEXT = 1, 2, 3, 4
_HEAD: Final = ">IBIqBqqqqqbqd"
"""Length, type, input, time, number of channels; then the reading without its channels."""
_CHANNEL: Final = "dddddddbbbbbbiddqqqqd"
_PER_CHANNEL: Final = len(ChannelReading._fields)
_PREFIX: Final = struct.Struct(">IBIq")
_GRANT: Final = struct.Struct(">Bqdddddd")
_OUTPUT: Final = struct.Struct(">Bd")
_CALM: Final = (b"\x00\x00\x00", b"\x01\x00\x00")
"""A routine decision that neither permits nor sets anything, without and with a renewal of the lease."""
_NULLABLE: Final = frozenset({8, 10, 11, 12, 13, 18, 19})
"""Fields of a channel that a generator need not have: -1 stands for None there."""


class Frame(NamedTuple):
    """One reading of a chunk.

    Attributes:
        input: Its number among the session's inputs.
        t_ns: When the kernel heard of it, monotonic, ns.
        reading: The reading.
        decision: Its routine decision as ``journal.routine_values`` gives it; None where a record has it.
    """

    input: int
    t_ns: int
    reading: Reading
    decision: list[object] | None


@cache
def _layout(channels: int) -> struct.Struct:
    return struct.Struct(_HEAD + _CHANNEL * channels)


def pack(number: int, event: Sampled, effects: tuple[Effect, ...]) -> tuple[bytes, bool]:
    """The frame of a reading, and whether the decision is in it; where it is not, it needs a record of its own.

    Raises:
        TypeError, ValueError, struct.error: A value has no form.
    """
    decision = _decision(effects)
    kind = RECORDED if decision is None else ROUTINE
    reading = event.reading
    channels = reading[8]
    layout = _layout(len(channels))
    tail = decision or b""
    head = (layout.size - 4 + len(tail), kind, number, event.now_ns, len(channels))
    received_ns, uptime_ms, counter, owner, lease_ms, faults, pad_status, pad_ohm, _ = reading
    try:
        if len(channels) == 1:
            packed = layout.pack(
                *head, uptime_ms, counter, owner, lease_ms, faults, pad_status, received_ns, pad_ohm, *channels[0]
            )
        else:
            flat = [value for channel in channels for value in channel]
            packed = layout.pack(
                *head, uptime_ms, counter, owner, lease_ms, faults, pad_status, received_ns, pad_ohm, *flat
            )
    except struct.error:
        uptime_ms = -1 if uptime_ms is None else uptime_ms
        values: list[object] = [*head, uptime_ms, counter, owner, lease_ms, faults, pad_status, received_ns, pad_ohm]
        values += [
            -1 if value is None and place in _NULLABLE else value
            for channel in channels
            for place, value in enumerate(channel)
        ]
        try:
            packed = layout.pack(*values)
        except struct.error:
            return _pack_text(number, event, effects)
    return packed + tail, decision is not None


def _pack_text(number: int, event: Sampled, effects: tuple[Effect, ...]) -> tuple[bytes, bool]:
    decision = routine_values(effects)
    values = reading_values(event.reading)
    kind, content = (RECORDED_TEXT, values) if decision is None else (ROUTINE_TEXT, [values, decision])
    text = numbers_text(content).encode("ascii")
    return _PREFIX.pack(13 + len(text), kind, number, event.now_ns) + text, decision is not None


def _decision(effects: tuple[Effect, ...]) -> bytes | None:
    """The effects of an uneventful sample; None for any other."""
    if not effects:
        return _CALM[0]
    grants: list[bytes] = []
    outputs: list[bytes] = []
    renewed = 0
    for effect in effects:
        if type(effect) is Grant:
            permit = effect.permit
            envelope = permit.envelope
            grants.append(
                _GRANT.pack(
                    permit.channel,
                    permit.expires_ns,
                    envelope.temperature_c,
                    envelope.power_w,
                    envelope.duration_s,
                    envelope.stimulation_v,
                    envelope.stimulation_ma,
                    envelope.voltage_v_rms,
                )
            )
        elif type(effect) is Renew:
            renewed = 1
        elif type(effect) is SetOutput:
            outputs.append(_OUTPUT.pack(effect.channel, effect.value))
        else:
            return None
    if not grants and not outputs:
        return _CALM[renewed]
    return b"".join((bytes((renewed, len(grants))), *grants, bytes((len(outputs),)), *outputs))


def frames(data: bytes) -> Iterator[Frame]:
    """The readings of a chunk, in order.

    Raises:
        RecordError: The bytes are no chunk of this format.
    """
    at = 0
    while at < len(data):
        try:
            length, kind, number, t_ns = _PREFIX.unpack_from(data, at)
            end = at + 4 + length
            if end > len(data) or length < 13:
                raise ValueError("it is cut off")
            if kind in (ROUTINE, RECORDED):
                frame = _unpacked(data[at:end], kind)
            elif kind in (ROUTINE_TEXT, RECORDED_TEXT):
                frame = _unpacked_text(data[at + _PREFIX.size : end], kind, number, t_ns)
            else:
                raise ValueError(f"it has type {kind}")
        except (struct.error, ValueError, TypeError, KeyError, IndexError) as problem:
            raise RecordError(
                f"the frame at byte {at} of a chunk cannot be read: {problem}", remedy="Verify the log."
            ) from None
        yield frame
        at = end


def _unpacked(data: bytes, kind: int) -> Frame:
    channels = data[_PREFIX.size]
    layout = _layout(channels)
    values = layout.unpack_from(data)
    _, _, number, t_ns, _, uptime_ms, counter, owner, lease_ms, faults, pad_status, received_ns, pad_ohm = values[:13]
    reading = Reading(
        received_ns,
        None if uptime_ms == -1 else uptime_ms,
        counter,
        owner,
        lease_ms,
        faults,
        pad_status,
        pad_ohm,
        tuple([_channel(values[at : at + _PER_CHANNEL]) for at in range(13, len(values), _PER_CHANNEL)]),
    )
    decision = _unpacked_decision(data, layout.size) if kind == ROUTINE else None
    if kind == RECORDED and len(data) != layout.size:
        raise ValueError("bytes follow the reading")
    return Frame(number, t_ns, reading, decision)


def _channel(values: Sequence[Any]) -> ChannelReading:
    present, electrode, mode, width_us = values[8], values[11], values[12], values[13]
    stimulating, rf_on_ms, token = values[10], values[18], values[19]
    fields = [
        *values[:7],
        values[7] != 0,
        None if present == -1 else present != 0,
        values[9] != 0,
        None if stimulating == -1 else stimulating != 0,
        None if electrode == -1 else electrode != 0,
        None if mode == -1 else mode,
        None if width_us == -1 else width_us,
        *values[14:18],
        None if rf_on_ms == -1 else rf_on_ms,
        None if token == -1 else token,
        values[20],
    ]
    return ChannelReading._make(fields)


def _unpacked_decision(data: bytes, at: int) -> list[object]:
    renewed, granted = data[at], data[at + 1]
    at += 2
    grants: list[object] = []
    for _ in range(granted):
        grants.append(list(_GRANT.unpack_from(data, at)))
        at += _GRANT.size
    set_outputs = data[at]
    at += 1
    outputs: list[object] = []
    for _ in range(set_outputs):
        outputs.append(list(_OUTPUT.unpack_from(data, at)))
        at += _OUTPUT.size
    if at != len(data) or renewed > 1:
        raise ValueError("it does not end where its decision does")
    return [grants, renewed == 1, outputs] if outputs else [grants, renewed == 1]


def _unpacked_text(text: bytes, kind: int, number: int, t_ns: int) -> Frame:
    values = json.loads(text)
    if kind == RECORDED_TEXT:
        return Frame(number, t_ns, reading_from(values), None)
    reading, decision = values
    return Frame(number, t_ns, reading_from(reading), decision)
