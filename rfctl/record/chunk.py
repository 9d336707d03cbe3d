"""Readings as packed frames of a chunk, with the routine decision that each led to; and back, bit for bit.

How a frame is packed follows from the fields of a reading and their types, and the session's first record states it: a
reading that gains a quantity changes nothing here, and what was packed before can still be read.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_type_hints

from rfctl.errors import RecordError
from rfctl.kernel.effects import Effect, Grant, Renew, SetOutput
from rfctl.kernel.journal import envelope_values, reading_from, reading_values, routine_values
from rfctl.model.permit import Envelope
from rfctl.model.reading import ChannelReading, Reading
from rfctl.record.values import numbers_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rfctl.kernel.events import Sampled

ROUTINE, RECORDED, ROUTINE_TEXT, RECORDED_TEXT = 1, 2, 3, 4
_PREFIX: Final = struct.Struct(">IBIq")
"""Length, type, input, time."""
_CODES: Final = {float: "d", int: "q", bool: "b"}
_ABSENT: Final = {"q?": -(1 << 63), "b?": -1}
"""What stands for a quantity that the generator does not have."""
_FORMS: Final = {*_CODES.values(), *_ABSENT}
_OUTPUT: Final = struct.Struct(">Bd")
_CALM: Final = (b"\x00\x00\x00", b"\x01\x00\x00")
"""A routine decision that neither permits nor sets anything, without and with a renewal of the lease."""


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


class Layout(NamedTuple):
    """How the frames of a session are packed.

    Attributes:
        reading: Name and code of each quantity of a reading, its channels left out: ``d``, ``q`` or ``b`` as in struct,
            a question mark behind it where it may be absent.
        channel: The same of a channel.
        envelope: Names of an envelope's numbers, all ``d``.
    """

    reading: tuple[tuple[str, str], ...]
    channel: tuple[tuple[str, str], ...]
    envelope: tuple[str, ...]

    def members(self) -> dict[str, object]:
        """As the session's record states it: names and codes."""
        return {"reading": dict(self.reading), "channel": dict(self.channel), "envelope": list(self.envelope)}


def layout_from(members: Any) -> Layout:
    """The layout that ``Layout.members`` stated.

    Raises:
        RecordError: It is none, or this version does not know a quantity of it, or misses one.
    """
    try:
        reading, channel = tuple(members["reading"].items()), tuple(members["channel"].items())
        layout = Layout(reading, channel, tuple(members["envelope"]))
        if unknown := {code for _, code in (*reading, *channel)} - _FORMS:
            raise ValueError(f"{unknown} are no codes")
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise RecordError(f"a session does not say how its readings are packed: {problem!r}") from None
    for names, defaults, found in (
        (Reading._fields[:-1], Reading._field_defaults, dict(reading)),
        (ChannelReading._fields, ChannelReading._field_defaults, dict(channel)),
    ):
        odd = [name for name in found if name not in names] + [
            name for name in names if name not in found and name not in defaults
        ]
        if odd:
            raise RecordError(
                f"its readings were packed by a version of rfctl that differs in {', '.join(odd)}",
                remedy="Read it with the version that its session names.",
            )
    return OWN if layout == OWN else layout


def _coded(owner: type, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    hints = get_type_hints(owner)
    return tuple([(name, _code(name, hints[name])) for name in names])


def _code(name: str, hint: Any) -> str:
    among = get_args(hint) or (hint,)
    code = "".join(_CODES.get(part, "") for part in among if part is not NoneType)
    code += "?" if NoneType in among else ""
    if code not in _FORMS:
        raise TypeError(f"{name} of a reading is {hint}: a chunk has numbers and booleans")
    return code


def _codes(named: tuple[tuple[str, str], ...]) -> str:
    return "".join(code[0] for _, code in named)


def _own_layout() -> Layout:
    *names, channels = Reading._fields
    envelope = [field.name for field in fields(Envelope)]
    if channels != "channels" or {code for _, code in _coded(Envelope, envelope)} != {"d"}:
        raise TypeError("a reading ends in its channels, and an envelope has floats only")
    return Layout(_coded(Reading, names), _coded(ChannelReading, ChannelReading._fields), tuple(envelope))


OWN: Final = _own_layout()
"""Of this version."""


@cache
def _frame(layout: Layout, channels: int) -> struct.Struct:
    return struct.Struct(_PREFIX.format + "B" + _codes(layout.reading) + _codes(layout.channel) * channels)


@cache
def _grant(layout: Layout) -> struct.Struct:
    """Channel, when it expires, envelope."""
    return struct.Struct(">Bq" + "d" * len(layout.envelope))


_GRANT: Final = _grant(OWN)
_OWN_CODES: Final = ([code for _, code in OWN.reading], [code for _, code in OWN.channel])


def pack(number: int, event: Sampled, effects: tuple[Effect, ...]) -> tuple[bytes, bool]:
    """The frame of a reading, and whether the decision is in it; where it is not, it needs a record of its own.

    Raises:
        TypeError, ValueError, struct.error: A value has no form.
    """
    decision = _decision(effects)
    kind = RECORDED if decision is None else ROUTINE
    *head, channels = event.reading
    layout = _frame(OWN, len(channels))
    tail = decision or b""
    prefix = (layout.size - 4 + len(tail), kind, number, event.now_ns, len(channels))
    flat = channels[0] if len(channels) == 1 else [value for channel in channels for value in channel]
    try:
        packed = layout.pack(*prefix, *head, *flat)
    except struct.error:
        try:
            heads, each = _OWN_CODES
            packed = layout.pack(*prefix, *map(_present, heads, head), *map(_present, each * len(channels), flat))
        except struct.error:
            return _pack_text(number, event, effects)
    return packed + tail, decision is not None


def _present(code: str, value: Any) -> Any:
    return _ABSENT.get(code) if value is None else value


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
            grants.append(_GRANT.pack(permit.channel, permit.expires_ns, *envelope_values(permit.envelope)))
        elif type(effect) is Renew:
            renewed = 1
        elif type(effect) is SetOutput:
            outputs.append(_OUTPUT.pack(effect.channel, effect.value))
        else:
            return None
    if not grants and not outputs:
        return _CALM[renewed]
    return b"".join((bytes((renewed, len(grants))), *grants, bytes((len(outputs),)), *outputs))


def frames(data: bytes, layout: Layout = OWN) -> Iterator[Frame]:
    """The readings of a chunk, in order.

    Raises:
        RecordError: The bytes are no chunk of this layout.
    """
    at = 0
    while at < len(data):
        try:
            length, kind, number, t_ns = _PREFIX.unpack_from(data, at)
            end = at + 4 + length
            if end > len(data) or length < 13:
                raise ValueError("it is cut off")
            if kind in (ROUTINE, RECORDED):
                frame = _unpacked(data[at:end], kind, number, t_ns, layout)
            elif kind in (ROUTINE_TEXT, RECORDED_TEXT):
                frame = _unpacked_text(data[at + _PREFIX.size : end], kind, number, t_ns, layout)
            else:
                raise ValueError(f"it has type {kind}")
        except (struct.error, ValueError, TypeError, KeyError, IndexError) as problem:
            raise RecordError(
                f"the frame at byte {at} of a chunk cannot be read: {problem}", remedy="Verify the log."
            ) from None
        yield frame
        at = end


def _unpacked(data: bytes, kind: int, number: int, t_ns: int, layout: Layout) -> Frame:
    form = _frame(layout, data[_PREFIX.size])
    values = form.unpack_from(data)[5:]
    size, per_channel = len(layout.reading), len(layout.channel)
    head = _typed(values[:size], layout.reading)
    channels = [_typed(values[at : at + per_channel], layout.channel) for at in range(size, len(values), per_channel)]
    reading = _named(head, channels, layout)
    decision = _unpacked_decision(data, form.size, layout) if kind == ROUTINE else None
    if kind == RECORDED and len(data) != form.size:
        raise ValueError("bytes follow the reading")
    return Frame(number, t_ns, reading, decision)


def _typed(values: Sequence[Any], named: tuple[tuple[str, str], ...]) -> list[Any]:
    typed = list(values)
    for place, code in _not_as_packed(named):
        value = typed[place]
        typed[place] = None if value == _ABSENT.get(code) else value != 0 if code[0] == "b" else value
    return typed


@cache
def _not_as_packed(named: tuple[tuple[str, str], ...]) -> list[tuple[int, str]]:
    return [(place, code) for place, (_, code) in enumerate(named) if code not in {"d", "q"}]


def _named(head: Sequence[Any], channels: Sequence[Sequence[Any]], layout: Layout) -> Reading:
    if layout is OWN:
        return Reading._make([*head, tuple(map(ChannelReading._make, channels))])
    each = tuple([ChannelReading(**_by_name(channel, layout.channel)) for channel in channels])
    return Reading(**_by_name(head, layout.reading), channels=each)


def _by_name(values: Sequence[Any], named: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    return {name: value for (name, _), value in zip(named, values, strict=True)}


def _unpacked_decision(data: bytes, at: int, layout: Layout) -> list[object]:
    renewed, granted = data[at], data[at + 1]
    at += 2
    grants: list[object] = []
    for _ in range(granted):
        grants.append(list(_grant(layout).unpack_from(data, at)))
        at += _grant(layout).size
    set_outputs = data[at]
    at += 1
    outputs: list[object] = []
    for _ in range(set_outputs):
        outputs.append(list(_OUTPUT.unpack_from(data, at)))
        at += _OUTPUT.size
    if at != len(data) or renewed > 1:
        raise ValueError("it does not end where its decision does")
    return [grants, renewed == 1, outputs] if outputs else [grants, renewed == 1]


def _unpacked_text(text: bytes, kind: int, number: int, t_ns: int, layout: Layout) -> Frame:
    values = json.loads(text)
    read, decision = (values, None) if kind == RECORDED_TEXT else values
    size = len(layout.reading)
    reading = _named(read[:size], read[size:], layout)
    return Frame(number, t_ns, reading_from(reading_values(reading)), decision)
