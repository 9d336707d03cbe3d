"""From the places of a profile to requests: which registers one reads, and where each value lies in the answers.

The answers to all requests of one reading, one behind the other, are its image.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from rfctl.errors import ConfigError
from rfctl.link.registers import RegisterType, Space, WordOrder
from rfctl.link.write_table import MAX_READ_BITS
from rfctl.profile.addressing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.profile.item import Item
    from rfctl.profile.schema import Head


class Read(NamedTuple):
    """One request.

    Attributes:
        space: Address space.
        address: First register or bit.
        length: How many.
        counter: Address of the sample counter that stands in it; None where none does.
    """

    space: Space
    address: int
    length: int
    counter: int | None = None


class Place(NamedTuple):
    """Where one item of a profile lies.

    Attributes:
        path: Dotted path in the file.
        item: How it is coded.
        space: Address space.
        address: First register or bit.
        order: Word order in force.
    """

    path: str
    item: Item
    space: Space
    address: int
    order: WordOrder

    @property
    def end(self) -> int:
        """The address behind its last."""
        return self.address + self.item.registers


class Image:
    """Where places lie in the answers to a list of requests, in bytes; a bit takes as many as a register."""

    def __init__(self, reads: tuple[Read, ...]) -> None:
        self.reads = reads
        self.starts = tuple(2 * sum(read.length for read in reads[:at]) for at in range(len(reads)))
        self.size = 2 * sum(read.length for read in reads)

    def offset(self, space: Space, address: int, end: int) -> int | None:
        """The byte at which ``address`` begins; None where no one request reads all of it."""
        for read, start in zip(self.reads, self.starts, strict=True):
            if read.space is space and read.address <= address and end <= read.address + read.length:
                return start + 2 * (address - read.address)
        return None

    def data(self, place: Place, image: bytes) -> bytes:
        """The bytes of a place."""
        at = self.offset(place.space, place.address, place.end)
        return b"" if at is None else image[at : at + 2 * place.item.registers]


class Layout:
    """A profile's way of addressing, and its complaints about it."""

    def __init__(self, head: Head, where: str) -> None:
        self.head = head
        self.where = where

    def place(self, path: str, item: Item, *, base: int = 0, table: str | None = None, shift: int = 0) -> Place:
        """Where an item lies.

        Args:
            path: Its dotted path.
            item: It has an address, or an offset from ``base`` in ``table``.
            base: Wire address of its block.
            table: Address space of its block.
            shift: Registers to the present channel.
        """
        table = item.table or table
        if table is None:
            raise self.refuse(path, "no table: say input, holding, coil or discrete", "Add table.")
        space = Space(table)
        if not item.type.startswith("text:") and space.of_bits != (item.kind is RegisterType.BIT):
            raise self.refuse(f"{path}.type", f"a {item.type} in the table {table}", "Bits are of type bit.")
        address = (base + (item.offset or 0) if item.address is None else item.address) + shift
        place = Place(path, item, space, address, item.order or self.head.word_order)
        if place.end > 0x10000:
            raise self.refuse(path, f"register {place.end - 1} is above 65535", "Correct it.")
        return place

    def planned(self, places: Iterable[Place]) -> tuple[Read, ...]:
        """As few requests as read all places, without one that is not asked for."""
        reads: list[Read] = []
        for place in sorted(places, key=lambda place: (place.space, place.address)):
            last = reads[-1] if reads else None
            if last is not None and last.space is place.space and place.address <= last.address + last.length:
                length = max(last.length, place.end - last.address)
                if length <= self.longest(place.space):
                    reads[-1] = last._replace(length=length)
                    continue
            reads.append(Read(place.space, place.address, place.item.registers))
        return tuple(reads)

    def longest(self, space: Space) -> int:
        """Registers or bits of the longest request."""
        return self.head.longest_read if not space.of_bits or self.head.longest_read < 125 else MAX_READ_BITS

    def check(self, reads: tuple[Read, ...], path: str) -> None:
        """Refuse a request that is too long, and two that read the same."""
        for read in reads:
            if read.length > self.longest(read.space):
                raise self.refuse(
                    path,
                    f"{read.length} registers from {self.number(read.space, read.address)}; one request reads "
                    f"{self.longest(read.space)}",
                    "Shorten it.",
                )
            if read.address + read.length > 0x10000:
                raise self.refuse(path, f"register {read.address + read.length - 1} is above 65535", "Correct it.")
        for one, other in pairwise(sorted(reads)):
            if one.space is other.space and other.address < one.address + one.length:
                raise self.refuse(
                    path,
                    f"the blocks from {self.number(one.space, one.address)} and from "
                    f"{self.number(other.space, other.address)} overlap",
                    "Correct address, count or stride.",
                )

    def require_readable(self, places: Iterable[Place], image: Image) -> None:
        """Refuse a place that no one request reads, and one that overlaps another."""
        ordered = sorted(places, key=lambda place: (place.space, place.address, place.end))
        for place in ordered:
            if image.offset(place.space, place.address, place.end) is None:
                reads = [read for read in image.reads if read.space is place.space]
                parts = [r for r in reads if r.address < place.end and place.address < r.address + r.length]
                blocks = ", ".join(f"{read.length} from {self.number(read.space, read.address)}" for read in reads)
                what = "its halves lie in two requests" if len(parts) > 1 else "in no block"
                raise self.refuse(
                    place.path,
                    f"registers {self.span(place)} are {what}; blocks: {blocks or 'none'}"
                    if len(parts) < 2
                    else f"registers {self.span(place)}: {what}; blocks: {blocks}",
                    "Correct its address, or the blocks.",
                )
        for one, other in pairwise(ordered):
            if one.space is other.space and other.address < one.end and not _shared(one, other):
                raise self.refuse(
                    other.path,
                    f"registers {self.span(other)} overlap those of {one.path}, {self.span(one)}",
                    "Correct address, offset, type or stride.",
                )

    def number(self, space: Space, address: int) -> str:
        """An address as the generator's document has it."""
        return shown(space, address, self.head.addresses)

    def span(self, place: Place) -> str:
        """First and last register of a place."""
        return f"{self.number(place.space, place.address)} to {self.number(place.space, place.end - 1)}"

    def refuse(self, path: str, what: str, remedy: str) -> ConfigError:
        """The error for a key of the file."""
        return ConfigError(f"{path}: {what}", where=self.where, remedy=remedy)


def _shared(one: Place, other: Place) -> bool:
    """Both look at the same number, or one at its bits."""
    return (one.address, one.item.type, one.order) == (other.address, other.item.type, other.order)
