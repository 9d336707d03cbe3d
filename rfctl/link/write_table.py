"""What may be written to a generator, and what each write does: the table from which the gate classifies a frame."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import RefusedError
from rfctl.link.registers import RegisterType, Space, WordOrder, decode
from rfctl.model.permit import Intent, PermitKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from rfctl.link.table import Target
    from rfctl.model.reading import Mode

READ_BITS = frozenset({1, 2})
READ_FUNCTIONS = READ_BITS | {3, 4}
WRITE_COIL = 5
WRITE_ONE = 6
WRITE_COILS = 15
WRITE_SEVERAL = 16
WRITE_FUNCTIONS = frozenset({WRITE_COIL, WRITE_ONE, WRITE_COILS, WRITE_SEVERAL})
MAX_READ = 125  # registers in one request, by the Modbus specification
MAX_READ_BITS = 2000
MAX_WRITE = 123
MAX_WRITE_COILS = 1968

MODE = "mode"  # the quantity that says which output the set points of a channel belong to

_COIL_VALUES = {b"\xff\x00": b"\0\1", b"\0\0": b"\0\0"}  # of function 05, as a register that holds 0 or 1
_ASK = struct.Struct(">BHH")
_SEVERAL = struct.Struct(">BHHB")
_REMEDY = "Only what the profile's [write] tables list can be sent."


class Limit(StrEnum):
    """The part of a permit's envelope that bounds a written value."""

    TEMPERATURE_C = "temperature_c"
    POWER_W = "power_w"
    DURATION_S = "duration_s"
    STIMULATION = "stimulation"  # V or mA, by the mode
    STIMULATION_V = "stimulation_v"
    STIMULATION_MA = "stimulation_ma"
    VOLTAGE_V_RMS = "voltage_v_rms"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a write can do.

    Attributes:
        intent: What it does.
        permit: The permit it needs; None unless it energises.
        name: Name of the value, ``arm`` of a command; empty where any value means the same.
    """

    intent: Intent
    permit: PermitKind | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Writable:
    """One quantity that may be written.

    Attributes:
        quantity: Its name in the profile.
        channel: Channel number from 1; None when it concerns the whole generator.
        address: First register, as on the wire.
        type: How the number lies in the registers.
        order: Word order of a number in several registers.
        acts: What a write does, by raw value; the key None stands for every value.
        scale: The quantity is the raw number times this.
        maximum: Highest value that may be sent at all, in the quantity's unit, and nothing below 0; None for no limit.
        limit: Part of the envelope that bounds the value.
        space: Holding registers or coils.
        minimum: Lowest value that may be sent; None for no limit of its own.
        shift: Is added to the number in the registers; the sum is the raw number.
    """

    quantity: str
    channel: int | None
    address: int
    type: RegisterType
    order: WordOrder
    acts: tuple[tuple[int | None, Act], ...]
    scale: float = 1.0
    maximum: float | None = None
    limit: Limit | None = None
    space: Space = Space.HOLDING
    shift: float = 0.0
    minimum: float | None = None

    @property
    def place(self) -> str:
        """How messages name it: ``set_temperature_c of channel 2``."""
        return self.quantity if self.channel is None else f"{self.quantity} of channel {self.channel}"

    def holds(self, raw: float, most: float) -> bool:
        """Whether a raw number lies from 0 to ``most``, as exactly as its type can hold ``most``.

        The nearest f32 to 3.7 is 3.7000000477; it counts as 3.7, the next one above does not.
        """
        rounding = 2.0**-24 if self.type is RegisterType.F32 else 2.0**-40
        return 0.0 <= raw * self.scale <= most * (1.0 + rounding)


@dataclass(frozen=True, slots=True)
class Energising:
    """What must have been written since the last off before a kind of output may be energised.

    Attributes:
        kind: The kind of permit.
        requires: Quantities of the channel; each must lie inside the permit's envelope.
        modes: The mode written must be one of these.
        also: What a mode requires beside that.
        moded: The mode must have been written as well; False where the generator has none to set.
    """

    kind: PermitKind
    requires: tuple[str, ...]
    modes: tuple[Mode, ...]
    also: tuple[tuple[Mode, tuple[str, ...]], ...] = ()
    moded: bool = True

    def required(self, mode: Mode) -> tuple[str, ...]:
        """What must have been written in this mode."""
        return (*self.requires, *(name for each, names in self.also if each is mode for name in names))


class Action(NamedTuple):
    """What one write inside a frame would do.

    Attributes:
        target: The quantity.
        raw: The number on the wire.
        act: What the value does.
    """

    target: Target
    raw: float
    act: Act

    @property
    def value(self) -> float:
        """The value in the quantity's unit."""
        return self.raw * self.target.scale

    @property
    def shown(self) -> str:
        """How messages name it: ``mode of channel 1 = lesion_temperature``."""
        return f"{self.target.place} = {self.act.name or format(self.value, '.9g')}"


class Classified(NamedTuple):
    """What a frame does.

    Attributes:
        intent: The most dangerous intent of its actions.
        actions: Its writes, in the order of their addresses; empty for a read.
    """

    intent: Intent
    actions: tuple[Action, ...]


READING = Classified(Intent.READ, ())
_DANGER = (Intent.READ, Intent.OFF, Intent.CONFIG, Intent.RENEW, Intent.ENERGISE)


@dataclass(frozen=True)
class WriteTable:
    """Every register that may be written. Immutable; what is not in it cannot be sent.

    Attributes:
        unit: Unit identifier that writes go to; another one is another machine.
        writables: The quantities. Their registers do not overlap.
        energising: One entry for each kind of permit.
    """

    unit: int
    writables: tuple[Writable, ...]
    energising: tuple[Energising, ...]

    @cached_property
    def sha256(self) -> str:
        """Digest over the whole content, hexadecimal."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def channels(self) -> frozenset[int]:
        """Channels that the table can write to."""
        return frozenset(writable.channel for writable in self.writables if writable.channel is not None)

    @cached_property
    def by_address(self) -> dict[tuple[Space, int], Writable]:
        """The quantity that starts at an address."""
        return {(writable.space, writable.address): writable for writable in self.writables}

    @cached_property
    def by_kind(self) -> dict[PermitKind, Energising]:
        """What each kind of permit requires."""
        return {rule.kind: rule for rule in self.energising}

    def classify(self, pdu: bytes) -> Classified:
        """What a request would do, from its bytes alone.

        Raises:
            RefusedError: A function other than 01 to 06, 15 and 16, a wrong length, a register, coil or value that is
                not listed, half of a value, a number that is not finite, or an off or a mode together with something
                else.
        """
        function = pdu[0] if pdu else 0
        if function in READ_FUNCTIONS:
            return _read(pdu)
        if function == WRITE_ONE:
            space, start, data = Space.HOLDING, *_write_one(pdu)
        elif function == WRITE_SEVERAL:
            space, start, data = Space.HOLDING, *_write_several(pdu)
        elif function == WRITE_COIL:
            space, start, data = Space.COIL, *_write_coil(pdu)
        elif function == WRITE_COILS:
            space, start, data = Space.COIL, *_write_coils(pdu)
        else:
            raise RefusedError(f"function {function} is not one that the gate can judge: {_shown(pdu)}", remedy=_REMEDY)
        actions = tuple(self._actions(space, start, data))
        intent = max((action.act.intent for action in actions), key=_DANGER.index)
        if len(actions) > 1 and any(_stands_alone(action) for action in actions):
            raise RefusedError(
                f"an off or a mode must be alone in its frame: {', '.join(action.shown for action in actions)}",
                remedy="Send it by itself.",
            )
        return Classified(intent, actions)

    def _actions(self, space: Space, start: int, data: bytes) -> list[Action]:
        actions = []
        at = 0
        while at < len(data):
            address = start + at // 2
            writable = self.by_address.get((space, address))
            if writable is None:
                unit = "coil" if space is Space.COIL else "register"
                raise RefusedError(f"{unit} {address} is not one that may be written", remedy=_REMEDY)
            raw = data[at : at + 2 * writable.type.registers]
            if len(raw) < 2 * writable.type.registers:
                raise RefusedError(
                    f"half of {writable.place}: it takes registers {address} and {address + 1}",
                    remedy="Write both registers in one request.",
                )
            actions.append(_action(writable, raw))
            at += len(raw)
        return actions


READ_ONLY = WriteTable(unit=0, writables=(), energising=())


def turns_all_off(actions: Iterable[Action], channels: AbstractSet[int]) -> bool:
    """Whether these writes are an off of every one of the ``channels`` that can be written to."""
    concerned = {action.target.channel for action in actions if action.act.intent is Intent.OFF}
    return None in concerned or (bool(concerned) and concerned >= channels)


def _stands_alone(action: Action) -> bool:
    """Nothing may share a frame with an off, nor with a mode, on which the meaning of the set points depends."""
    return action.act.intent is Intent.OFF or action.target.quantity == MODE


def _action(writable: Writable, data: bytes) -> Action:
    raw = decode(data, writable.type, writable.order) + writable.shift
    if not math.isfinite(raw):
        raise RefusedError(f"{writable.place} = {raw} is not a number", remedy="Write a finite value.")
    if writable.maximum is not None and not writable.holds(raw, writable.maximum):
        raise RefusedError(
            f"{writable.place} = {raw * writable.scale:.9g} is above {writable.maximum:g}, the most the profile allows",
            remedy="Write a lower value.",
        )
    if writable.minimum is not None and raw * writable.scale < writable.minimum * (1.0 - 2.0**-24):
        raise RefusedError(
            f"{writable.place} = {raw * writable.scale:.9g} is below {writable.minimum:g}, the least that the profile "
            "allows",
            remedy="Write a higher value.",
        )
    for meant, act in writable.acts:
        if meant is None or meant == raw:
            return Action(writable, raw, act)
    valid = ", ".join(f"{meant} ({act.name})" if act.name else str(meant) for meant, act in writable.acts)
    raise RefusedError(f"{writable.place} = {raw:g} is not a listed value", remedy=f"Listed: {valid}.")


def _read(pdu: bytes) -> Classified:
    if len(pdu) != _ASK.size:
        raise RefusedError(f"malformed read: {_shown(pdu)}", remedy=_REMEDY)
    _, address, count = _ASK.unpack(pdu)
    unit, most = ("bits", MAX_READ_BITS) if pdu[0] in READ_BITS else ("registers", MAX_READ)
    if not 1 <= count <= most or address + count > 0x10000:
        raise RefusedError(f"a read of {count} {unit} from {address}", remedy=f"Read 1 to {most} {unit}.")
    return READING


def _write_one(pdu: bytes) -> tuple[int, bytes]:
    if len(pdu) != _ASK.size:
        raise RefusedError(f"malformed write: {_shown(pdu)}", remedy=_REMEDY)
    return int.from_bytes(pdu[1:3], "big"), pdu[3:5]


def _write_several(pdu: bytes) -> tuple[int, bytes]:
    if len(pdu) < _SEVERAL.size:
        raise RefusedError(f"malformed write: {_shown(pdu)}", remedy=_REMEDY)
    _, address, count, size = _SEVERAL.unpack_from(pdu)
    data = pdu[_SEVERAL.size :]
    if not 1 <= count <= MAX_WRITE or size != 2 * count or len(data) != size:
        raise RefusedError(
            f"malformed write: {count} registers, {size} bytes stated, {len(data)} there: {_shown(pdu)}", remedy=_REMEDY
        )
    return address, data


def _write_coil(pdu: bytes) -> tuple[int, bytes]:
    if len(pdu) != _ASK.size or pdu[3:5] not in _COIL_VALUES:
        raise RefusedError(f"malformed write of a coil: {_shown(pdu)}", remedy=_REMEDY)
    return int.from_bytes(pdu[1:3], "big"), _COIL_VALUES[pdu[3:5]]


def _write_coils(pdu: bytes) -> tuple[int, bytes]:
    if len(pdu) < _SEVERAL.size:
        raise RefusedError(f"malformed write of coils: {_shown(pdu)}", remedy=_REMEDY)
    _, address, count, size = _SEVERAL.unpack_from(pdu)
    data = pdu[_SEVERAL.size :]
    if not 1 <= count <= MAX_WRITE_COILS or size != (count + 7) // 8 or len(data) != size:
        raise RefusedError(
            f"malformed write: {count} coils, {size} bytes stated, {len(data)} there: {_shown(pdu)}", remedy=_REMEDY
        )
    return address, b"".join(bytes((0, data[at // 8] >> at % 8 & 1)) for at in range(count))


def data_bytes(request: bytes) -> int:
    """Bytes of data in the reply to a read."""
    count = request[3] << 8 | request[4]
    return (count + 7) // 8 if request[0] in READ_BITS else 2 * count


def _shown(pdu: bytes) -> str:
    return pdu[:32].hex() or "no bytes"
