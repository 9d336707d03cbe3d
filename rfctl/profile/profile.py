"""A loaded profile: the register map of one kind of generator, checked and ready to compile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from rfctl.errors import ConfigError
from rfctl.link.write_table import MAX_READ, Writable, WriteTable
from rfctl.model.shipped import find
from rfctl.model.strict_toml import Strict, read
from rfctl.profile.schema import Expect, Measured, ProfileFile, Real, Text, Write
from rfctl.profile.status import StatusDecoder
from rfctl.profile.writes import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.model.permit import Intent


class MapRow(NamedTuple):
    """One line of the register map, for a table that a person reads.

    Attributes:
        quantity: Name, with its table in front.
        address: First register; of channel 1 where there are several.
        stride: Registers from channel to channel; None when it concerns the whole generator.
        type: How it lies in the registers.
        intent: What reading or writing it does, by value where that matters.
        limit: What bounds it; empty for nothing.
    """

    quantity: str
    address: int
    stride: int | None
    type: str
    intent: str
    limit: str


@dataclass(frozen=True)
class Profile:
    """A register map.

    Attributes:
        path: The file.
        sha256: Digest of the file's bytes, hexadecimal.
        file: Its content.
    """

    path: Path
    sha256: str
    file: ProfileFile

    @property
    def name(self) -> str:
        """Name of the profile."""
        return self.file.profile.name

    @property
    def driver(self) -> str:
        """Entry point of the driver that speaks it."""
        return self.file.profile.driver

    @property
    def unit(self) -> int:
        """Unit identifier of the generator."""
        return self.file.profile.unit

    def write_table(self) -> WriteTable:
        """The gate's table."""
        return self._table

    def status_decoder(self, channels: int) -> StatusDecoder:
        """The decoder of the status answer of a generator with so many channels."""
        return StatusDecoder(self.file.status, self.file.profile.word_order, channels)

    def writable(self, quantity: str, channel: int | None = None) -> Writable:
        """Where a quantity is written.

        Raises:
            ConfigError: The profile has no such quantity, or the generator no such channel.
        """
        try:
            return self._writables[quantity, channel]
        except KeyError:
            raise ConfigError(
                f"write.{quantity}: missing, or not there for channel {channel}",
                where=str(self.path),
                remedy=f"Add it; channels go from 1 to {self.file.profile.channels}.",
            ) from None

    def value_of(self, quantity: str, name: str) -> int:
        """The number behind a named value: ``value_of("command", "arm")``.

        Raises:
            ConfigError: The profile has no such name.
        """
        write = self.file.write.get(quantity)
        values = (write.values or {}) if write is not None else {}
        if name not in values:
            raise ConfigError(
                f"write.{quantity}.values: {name!r} is missing", where=str(self.path), remedy="Add that value."
            )
        return values[name]

    def describe(self) -> tuple[MapRow, ...]:
        """The whole map, row by row: identity, traits, status, writes."""
        file = self.file
        rows = [
            MapRow(f"identity.{name}", place.address, None, f"{place.type}", "read", _expected(place))
            for name, place in file.identity.places.items()
        ]
        traits, status = file.traits, file.status
        rows += _measured_rows("traits", traits, traits.address, traits.stride)
        rows += _measured_rows("status", status, status.address, None)
        rows += _measured_rows("status.channel", status.channel, status.address + status.head, status.stride)
        rows.append(MapRow("refusals", file.refusals.address, None, "u16", "read", ""))
        rows += [
            MapRow(f"write.{name}", write.address, write.stride, f"{write.type}", _intent(write), _limit(write))
            for name, write in file.write.items()
        ]
        return tuple(rows)

    @cached_property
    def _table(self) -> WriteTable:
        return write_table(self.file, str(self.path))

    @cached_property
    def _writables(self) -> dict[tuple[str, int | None], Writable]:
        return {(writable.quantity, writable.channel): writable for writable in self._table.writables}


def load(name_or_path: str, *, relative_to: Path | None = None) -> Profile:
    """Read and check a profile.

    Args:
        name_or_path: Name of a shipped one, or a path that ends in ``.toml``.
        relative_to: Folder that a relative path starts from; the working folder by default.

    Raises:
        ConfigError: No such file, or one that cannot be accepted; the message names file and dotted path.
    """
    path = find("generators", name_or_path, relative_to=relative_to)
    file = read(path, ProfileFile)
    profile = Profile(path, hashlib.sha256(path.read_bytes()).hexdigest(), file)
    profile.write_table()
    _check_identity(file, str(path))
    _check_blocks(profile)
    return profile


def _check_identity(file: ProfileFile, where: str) -> None:
    identity = file.identity
    for name, place in identity.places.items():
        last = place.address + place.registers - 1
        if place.address < identity.address or last >= identity.address + identity.count:
            _refuse(
                where,
                f"identity.{name}",
                f"registers {place.address} to {last} are not in the block of {identity.count} from {identity.address}",
                "Correct its address, or address and count of the block.",
            )


def _check_blocks(profile: Profile) -> None:
    file, where = profile.file, str(profile.path)
    channels, traits = file.profile.channels, file.traits
    for path, count in (
        ("status", file.status.head + file.status.stride * channels),
        ("traits", traits.stride * channels),
    ):
        if count > MAX_READ:
            _refuse(
                where, path, f"{count} registers for {channels} channels; one request reads {MAX_READ}", "Shorten it."
            )
    for name, field in traits.fields.items():
        if field.offset + field.type.registers > traits.stride:
            _refuse(where, f"traits.{name}", f"lies outside the {traits.stride} registers of a channel", "Correct it.")
    try:
        profile.status_decoder(channels)
    except ValueError as problem:
        raise ConfigError(str(problem), where=where, remedy="Correct offset, type or stride.") from None


def _measured_rows(table: str, fields: Strict, start: int, stride: int | None) -> list[MapRow]:
    rows = []
    for name, field in fields:
        if isinstance(field, Measured):
            kind = field.type.value if field.bit is None else f"{field.type.value} bit {field.bit}"
            rows.append(MapRow(f"{table}.{name}", start + field.offset, stride, kind, "read", ""))
    return rows


def _expected(place: Real | Text) -> str:
    return f"only {place.value:.15g} ({place.name})" if isinstance(place, Expect) else ""


def _intent(write: Write) -> str:
    if write.intents is not None:
        return ", ".join(f"{name}: {_with_permit(write, name, intent)}" for name, intent in write.intents.items())
    return _with_permit(write, "", write.intent)


def _with_permit(write: Write, name: str, intent: Intent | None) -> str:
    permit = (write.permits or {}).get(name, write.permit)
    shown = intent.value if intent is not None else ""
    return f"{shown} ({permit.value})" if permit is not None else shown


def _limit(write: Write) -> str:
    parts = [f"permit's {write.limit.value}"] if write.limit is not None else []
    if write.maximum is not None:
        parts.append(f"at most {write.maximum:g}")
    if write.value is not None:
        parts.append(f"only {write.value}")
    if write.values is not None:
        parts.append("only " + ", ".join(f"{value} {name}" for name, value in write.values.items()))
    return "; ".join(parts)


def _refuse(where: str, path: str, what: str, remedy: str) -> NoReturn:
    raise ConfigError(f"{path}: {what}", where=where, remedy=remedy)
