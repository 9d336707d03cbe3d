"""One thing that a profile reads: where it lies, how it is coded, and which values are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rfctl.link.registers import RegisterType, WordOrder
from rfctl.link.write_table import MAX_READ
from rfctl.model.strict_toml import Strict
from rfctl.profile.addressing import HIGHEST

Address = Annotated[int, Field(ge=0, le=HIGHEST)]
Count = Annotated[int, Field(ge=1, le=MAX_READ)]
Table = Literal["input", "holding", "coil", "discrete"]
Bit = Annotated[int, Field(ge=0, le=31)]
Factor = Annotated[float, Field(gt=0.0)]

TEXT = "text:"
LONGEST_TEXT = 64


def _known_type(name: str) -> str:
    if name.startswith(TEXT) and name[len(TEXT) :].isdecimal() and 0 < int(name[len(TEXT) :]) <= LONGEST_TEXT:
        return name
    if name not in set(RegisterType):
        raise ValueError(f"unknown type; valid: {', '.join(RegisterType)}, text:1 to text:{LONGEST_TEXT}")
    return name


class Item(Strict):
    """A number or text: at an address, at an offset of its block, or stated in the profile because no register has it.

    Attributes:
        stated: The value itself; then nothing else.
        table: Address space; that of the table around it where none is given.
        address: First register, or bit.
        offset: In place of an address, registers from the start of its block.
        stride: Registers from channel to channel, where it is another one than that of the table.
        type: How it lies in the registers.
        order: Word order, where it is another one than the profile's.
        bcd: The digits of a whole number are decimal, four bits each.
        invert: Every bit is the opposite of what it means (active low).
        mask: The bits that count; the others are ignored.
        bit: It is true when this bit is set.
        span: It is the number in the bits from the first to the last of these two.
        invalid: Raw numbers that stand for "no value"; as they are in the register, before anything else is done.
        values: Names of the numbers, where they differ from this project's.
        scale: The value is the number times this,
        add: and plus this.
    """

    stated: bool | int | float | str | None = None
    table: Table | None = None
    address: Address | None = None
    offset: Annotated[int, Field(ge=0, le=MAX_READ)] | None = None
    stride: Count | None = None
    type: Annotated[str, AfterValidator(_known_type)] = RegisterType.U16.value
    order: WordOrder | None = None
    bcd: bool = False
    invert: bool = False
    mask: Annotated[int, Field(ge=1, le=0xFFFFFFFF)] | None = None
    bit: Bit | None = None
    span: tuple[Bit, Bit] | None = None
    invalid: tuple[float, ...] = ()
    values: dict[str, int | tuple[int, ...]] | None = None
    scale: Factor = 1.0
    add: float = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Item:
        given = [name for name in ("stated", "address", "offset") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("needs exactly one of a stated value, address and offset")
        if given == ["stated"]:
            if len(self.model_fields_set - {"stated"}) and type(self) is Item:
                raise ValueError("a stated value has nothing beside it")
            return self
        if "type" not in self.model_fields_set:
            raise ValueError("type: missing. Add it")
        if self.type.startswith(TEXT):
            return self
        kind = self.kind
        width = 0 if kind.real else 1 if kind is RegisterType.BIT else 16 * kind.registers
        highest = max(-1 if self.bit is None else self.bit, *(self.span or (-1,)))
        if highest >= width:
            raise ValueError(f"a {kind.value} has no bit {highest}")
        if kind.real and (self.bcd or self.invert or self.mask is not None or self.values is not None):
            raise ValueError(f"a {kind.value} has neither bits nor names")
        if self.span is not None and self.span[0] > self.span[1]:
            raise ValueError("a span goes from the lower bit to the higher")
        if self.bit is not None and self.span is not None:
            raise ValueError("give either bit or span")
        return self

    @property
    def registers(self) -> int:
        """Registers that it takes, or bits in a table of bits."""
        if self.type.startswith(TEXT):
            return (int(self.type.removeprefix(TEXT)) + 1) // 2
        return self.kind.registers

    @property
    def kind(self) -> RegisterType:
        """The type of a number."""
        return RegisterType(self.type)

    @property
    def plain(self) -> bool:
        """The value is the number in the registers, at most one bit of it, or scaled."""
        return not (
            self.bcd
            or self.invert
            or self.mask is not None
            or self.span is not None
            or self.invalid
            or self.values is not None
            or self.add
            or (self.bit is not None and self.scale != 1.0)
        )

    def meaning(self, raw: float) -> Any:
        """What the number in the registers means: a number, a truth, or not-a-number."""
        return converter(self)(raw)


def _stated(value: object) -> object:
    return {"stated": value} if isinstance(value, bool | int | float | str) else value


Readable = Annotated[Item, BeforeValidator(_stated)]
"""An item, or its value alone where no register has it."""


def converter(item: Item, names: dict[str, int] | None = None) -> Callable[[Any], Any]:
    """The function from the number in the registers to the value.

    Args:
        item: How it is coded.
        names: This project's number for each name that ``item.values`` may use.

    Raises:
        ValueError: A name that is not one of ``names``.
    """
    kind = item.kind
    invalid = frozenset(_as_unpacked(number, kind) for number in item.invalid)
    ones = (1 << 16 * kind.registers) - 1
    shift = item.span[0] if item.span else 0
    mask = (1 << item.span[1] - shift + 1) - 1 if item.span else -1
    meanings: dict[float, int] | None = None
    if item.values is not None:
        meanings = {}
        for name, numbers in item.values.items():
            if names is not None and name not in names:
                raise ValueError(f"values: unknown name {name!r}; valid: {', '.join(names)}")
            for number in numbers if isinstance(numbers, tuple) else (numbers,):
                meanings[number] = names[name] if names is not None else number
    scale = int(item.scale) if item.scale.is_integer() else item.scale
    add = int(item.add) if item.add.is_integer() else item.add

    def value(raw: Any) -> Any:
        if raw in invalid:
            return math.nan
        if item.bcd:
            digits = f"{raw:x}"
            if not digits.isdecimal():
                return math.nan
            raw = int(digits)
        if item.invert:
            raw = ~raw & (1 if kind is RegisterType.BIT else ones)
        if item.mask is not None:
            raw &= item.mask
        if item.bit is not None:
            truth = raw >> item.bit & 1
            return truth * scale if item.scale != 1.0 else truth != 0
        if item.span is not None:
            raw = raw >> shift & mask
        if meanings is not None:
            return meanings.get(raw, raw if names is None else UNKNOWN)
        return raw * scale + add

    return value


UNKNOWN = -1
"""In place of a named number that the profile does not list: no mode, no status of this project."""


def _as_unpacked(number: float, kind: RegisterType) -> float:
    """A marker as the register shows it (0x8000) is the negative number that a signed type unpacks."""
    low, high = kind.range if not kind.real else (0, 0)
    return number - 2 ** (16 * kind.registers) if low < 0 and number > high else number
