"""A loaded profile: the register map of one kind of generator, checked and ready to compile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.link.registers import Space
from rfctl.model.shipped import find
from rfctl.model.strict_toml import parse, validate
from rfctl.profile import calibration, identity, needs, sequences
from rfctl.profile.addressing import to_wire
from rfctl.profile.blocks import Image, Layout, Place, Read
from rfctl.profile.describe import MapRow, map_rows, sequence_lines
from rfctl.profile.schema import ProfileFile
from rfctl.profile.status import StatusDecoder
from rfctl.profile.writes import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.link.write_table import Writable, WriteTable
    from rfctl.profile.known import Known


CANNOT_TELL = "cannot tell"
"""The interlock row has nothing to judge by."""


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
    def known(self) -> tuple[Known, ...]:
        """The models and firmware that it was tried on."""
        return self.file.known

    @property
    def unit(self) -> int:
        """Unit identifier of the generator."""
        return self.file.profile.unit

    def write_table(self) -> WriteTable:
        """The gate's table."""
        return self._table

    @property
    def channels(self) -> int:
        """Most channels that a generator of it has."""
        return self.file.profile.channels

    @property
    def multiplexed(self) -> bool:
        """Its outputs take turns."""
        return self.file.profile.multiplexed

    @property
    def frozen_in_hold(self) -> str:
        """Whether a reading that stands still there is noticed, in words: it must move by noise of a step or more."""
        noise, step = self.file.traits.temperature_noise_k, self.file.traits.temperature_resolution_k
        if noise is None:
            return f"{CANNOT_TELL} (the profile has no traits.temperature_noise_k)"
        stated, step_k = noise.stated, step.stated
        if not isinstance(stated, int | float) or not isinstance(step_k, int | float):
            return "noticed where the generator states noise of at least one step of its resolution; else cannot tell"
        if stated < step_k:
            return f"{CANNOT_TELL} (noise of {stated:g} K is less than one step of {step_k:g} K)"
        return f"noticed by noise of {stated:g} K in steps of {step_k:g} K"

    def measures(self, quantity: str) -> bool:
        """The generator tells this quantity of a channel."""
        return getattr(self.file.status.channel, quantity) is not None

    @property
    def layout(self) -> Layout:
        """How its addresses are meant."""
        return Layout(self.file.profile, str(self.path))

    def status_decoder(self, channels: int) -> StatusDecoder:
        """A decoder for one connection to a generator with so many channels."""
        return StatusDecoder(self.file.status, self.layout, channels)

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

    @cached_property
    def identity(self) -> Image:
        """The requests that read the identity, and where it lies in the answers."""
        return identity.image(self.file, self.layout)

    @cached_property
    def identity_places(self) -> dict[str, Place]:
        """Where each item of the identity lies; nothing for one that is stated."""
        return identity.places(self.file, self.layout)

    def traits(self, channels: int) -> Image:
        """The requests that read the traits of so many channels."""
        return identity.trait_image(self.file, self.layout, channels)

    def trait_places(self, channels: int) -> list[dict[str, Place]]:
        """Where each trait lies, channel by channel; nothing for one that is stated."""
        return identity.trait_places(self.file, self.layout, channels)

    @cached_property
    def calibration(self) -> Image:
        """The requests that read the dates of the calibration; none where the generator does not tell them."""
        return calibration.image(self.file, self.layout)

    @cached_property
    def calibration_places(self) -> dict[str, Place]:
        """Where ``done`` and ``due`` lie, as far as they are told."""
        return calibration.places(self.file, self.layout)

    @property
    def refusals(self) -> Read:
        """The request that reads the reason of the last refusal, of a map that has one."""
        refusals = self.file.refusals
        if refusals is None or refusals.table is None:
            raise ConfigError("refusals: missing", where=str(self.path), remedy="Add it.")
        return Read(Space(refusals.table), refusals.address, 1)

    def readable(self, quantity: str, channel: int | None = None) -> Place | None:
        """Where a quantity of [read] lies; None where there is none of that name."""
        item = self.file.read.get(quantity)
        if item is None:
            return None
        shift = ((channel or 1) - 1) * (item.stride or 0)
        return self.layout.place(f"read.{quantity}", item, shift=shift)

    def read_back(self, writable: Writable) -> Place | None:
        """Where the value in force of a writable quantity is read, if not where it is written."""
        item = self.file.write[writable.quantity].read_back
        if item is None:
            return None
        shift = ((writable.channel or 1) - 1) * (item.stride or self.file.write[writable.quantity].stride or 0)
        return self.layout.place(f"write.{writable.quantity}.read_back", item, shift=shift)

    def span(self, writables: list[Writable]) -> Read:
        """The request that reads quantities back which lie side by side."""
        return Read(writables[0].space, writables[0].address, sum(each.type.registers for each in writables))

    def has(self, quantity: str) -> bool:
        """Whether a quantity can be written."""
        return quantity in self.file.write

    def describe(self) -> tuple[MapRow, ...]:
        """The whole map, row by row."""
        return map_rows(self.file, self.layout)

    def describe_sequences(self) -> tuple[str, ...]:
        """Each sequence in a line."""
        return sequence_lines(self.file)

    @cached_property
    def status_reads(self) -> tuple[Read, ...]:
        """The requests that read one sample of a generator with all its channels."""
        return self.status_decoder(self.file.profile.channels).reads

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
    where = str(path)
    data = parse(path)
    head = validate(data, ProfileFile, where=where).profile  # with the numbers of the document
    file = validate(to_wire(data, head.addresses, where), ProfileFile, where=where)
    profile = Profile(path, hashlib.sha256(path.read_bytes()).hexdigest(), file)
    sequences.check(file, profile.write_table(), where)
    identity.check(file, profile.layout)
    calibration.check(file, profile.layout)
    profile.status_decoder(file.profile.channels)
    needs.check(file, where)
    return profile
