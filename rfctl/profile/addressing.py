"""From the numbers of a generator's document to addresses on the wire, and back for whoever reads the document."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from rfctl.errors import ConfigError
from rfctl.link.registers import Space


class Numbering(StrEnum):
    """How a document numbers registers and coils."""

    WIRE = "wire"
    """As they are on the wire, from 0."""
    DOCUMENT = "document"
    """From 1 in each of the four tables."""
    NUMBERED = "numbered"
    """From 1, with the table in front: 00001 a coil, 10001 a discrete input, 30001 an input, 40001 a holding register;
    or with six digits, 300001."""


HIGHEST = 465_536
_DIGIT = {0: Space.COIL, 1: Space.DISCRETE, 3: Space.INPUT, 4: Space.HOLDING}
_FIRST = {space: digit for digit, space in _DIGIT.items()}


def place(number: int, space: Space | None, numbering: Numbering) -> tuple[Space, int]:
    """Table and wire address of a number in a document.

    Args:
        number: As the document has it.
        space: The table, where the profile names one.
        numbering: How the document numbers.

    Raises:
        ValueError: No such number; or the table is missing, or another one than the number says.
    """
    address = number
    if numbering is Numbering.NUMBERED:
        width = 100_000 if number >= 100_000 else 10_000
        digit, address = divmod(number, width)
        said = _DIGIT.get(digit)
        if said is None:
            raise ValueError(f"{number} is in none of the tables 0xxxx, 1xxxx, 3xxxx and 4xxxx")
        if space is not None and space is not said:
            raise ValueError(f"{number} is in the table {said.value!r}, not {space.value!r}")
        space = said
    if space is None:
        raise ValueError("no table: say input, holding, coil or discrete")
    if numbering is not Numbering.WIRE:
        if not address:
            raise ValueError(f"{number}: a document counts from 1")
        address -= 1
    if address > 0xFFFF:
        raise ValueError(f"{number} is above the last register")
    return space, address


def shown(space: Space, address: int, numbering: Numbering) -> str:
    """How the document names an address on the wire."""
    if numbering is Numbering.WIRE:
        return str(address)
    if numbering is Numbering.DOCUMENT:
        return str(address + 1)
    return f"{_FIRST[space]}{address + 1:04d}" if address < 9999 else f"{_FIRST[space]}{address + 1:05d}"


def to_wire(data: dict[str, Any], numbering: Numbering, where: str) -> dict[str, Any]:
    """The content of a profile with every ``address`` as on the wire and its ``table`` beside it.

    A table is inherited from the enclosing tables of the file; of [write] it is ``holding`` where nothing is said.

    Raises:
        ConfigError: A number that is none; the message names file and dotted path.
    """
    tables: dict[str, Any] = {}
    for name, value in data.items():
        default = Space.HOLDING if name == "write" and numbering is not Numbering.NUMBERED else None
        tables[name] = _walked(value, default, name, numbering, where)
    return tables


def _walked(value: Any, space: Space | None, path: str, numbering: Numbering, where: str) -> Any:
    if isinstance(value, list):
        return [_walked(each, space, f"{path}[{at}]", numbering, where) for at, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    stated = Space(value["table"]) if "table" in value else None
    result = dict(value)
    inherited = stated or space
    if "address" in value:
        try:
            # In a numbered document a number says its table, whatever the tables around it say.
            known = stated if numbering is Numbering.NUMBERED else inherited
            inherited, result["address"] = place(value["address"], known, numbering)
        except ValueError as problem:
            raise ConfigError(f"{path}.address: {problem}", where=where, remedy="Correct number or table.") from None
        result["table"] = inherited.value
    for key, each in value.items():
        if isinstance(each, dict | list):
            result[key] = _walked(each, inherited, f"{path}.{key}", numbering, where)
    return result
