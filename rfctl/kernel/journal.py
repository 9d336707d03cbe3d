"""Events and effects as plain lists, the form in which the record keeps them and replay compares them."""

from __future__ import annotations

from dataclasses import astuple, fields, is_dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from rfctl.errors import RecordError
from rfctl.kernel.effects import Effect, Grant, Renew, SetOutput
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Guarded,
    Missed,
    Notice,
    Noticed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.model.permit import Envelope
from rfctl.model.reading import ChannelReading, Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_HEAD = len(Reading._fields) - 1


def reading_values(reading: Reading) -> list[object]:
    """The reading as one flat head followed by one list a channel."""
    return [*reading[:_HEAD], *reading.channels]


def reading_from(values: Sequence[Any]) -> Reading:
    """The reading back, every number as it was."""
    channels = tuple(ChannelReading(*(_number(item) for item in channel)) for channel in values[_HEAD:])
    head = [_number(item) for item in values[:_HEAD]]
    return Reading._make([*head, channels])


def _number(item: Any) -> Any:
    return _NOT_FINITE[item] if isinstance(item, str) else item


envelope_values = attrgetter(*[field.name for field in fields(Envelope)])
"""The numbers of an envelope, in their order."""


def routine_values(effects: tuple[Effect, ...]) -> list[object] | None:
    """The effects of an uneventful sample as numbers: permits, whether the lease is renewed, and, only where there are
    any, the set points of channels. None for any other.
    """
    grants: list[object] = []
    outputs: list[object] = []
    renewed = False
    for effect in effects:
        if type(effect) is Grant:
            permit = effect.permit
            grants.append([permit.channel, permit.expires_ns, *envelope_values(permit.envelope)])
        elif type(effect) is Renew:
            renewed = True
        elif type(effect) is SetOutput:
            outputs.append([effect.channel, effect.value])
        else:
            return None
    return [grants, renewed, outputs] if outputs else [grants, renewed]


def effect_values(effect: Effect) -> list[object]:
    """Any effect: its name and its fields."""
    return [type(effect).__name__, *(_plain(item) for item in effect)]


def event_values(event: Event) -> list[object]:
    """Any event: its name and its fields without the time."""
    if isinstance(event, Sampled):
        return ["Sampled", reading_values(event.reading)]
    return [type(event).__name__, *event[1:]]


def event_from(now_ns: int, values: Sequence[Any]) -> Event:
    """The event that ``event_values`` wrote.

    Raises:
        RecordError: Not an event of this version.
    """
    try:
        name, *fields = values
        match name:
            case "Sampled":
                return Sampled(now_ns, reading_from(fields[0]))
            case "Missed":
                return Missed(now_ns, Cause(fields[0]), fields[1])
            case "Noticed":
                return Noticed(now_ns, Notice(fields[0]), _number(fields[1]))
            case "Answered":
                return Answered(now_ns, Question(fields[0]), Choice(fields[1]), *fields[2:])
            case "Stopped":
                return Stopped(now_ns, *fields)
            case "Durable":
                return Durable(now_ns, *fields)
            case "Guarded":
                return Guarded(now_ns, *fields)
            case "RecordFailed":
                return RecordFailed(now_ns, *fields)
            case "Completed":
                return Completed(now_ns, Command(fields[0]), *fields[1:])
            case "Failed":
                return Failed(now_ns, Command(fields[0]), fields[1], Cause(fields[2]), fields[3])
    except (TypeError, ValueError, IndexError, KeyError) as problem:
        raise RecordError(f"an event cannot be read: {problem}", where=str(values)[:120]) from None
    raise RecordError("not an event that this version knows", where=str(values)[:120])


def _plain(item: object) -> object:
    if is_dataclass(item) and not isinstance(item, type):
        return [_plain(part) for part in astuple(item)]
    if isinstance(item, tuple):
        return [_plain(part) for part in item]
    return item
