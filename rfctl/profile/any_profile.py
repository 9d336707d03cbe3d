"""A profile as the station takes it: a register map, or only the name of a driver that knows the map itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from rfctl.model.reading import ChannelReading
from rfctl.model.shipped import find
from rfctl.model.strict_toml import Strict, parse, validate
from rfctl.profile import profile
from rfctl.profile.describe import MapRow, known_rows
from rfctl.profile.known import Known, Tried
from rfctl.profile.profile import Profile
from rfctl.profile.write_schema import Lease

if TYPE_CHECKING:
    from pathlib import Path


class DeclaredHead(Strict):
    """``[profile]`` of a generator whose driver knows the map itself."""

    name: str
    driver: str
    description: str
    map: Literal["driver"]
    channels: Annotated[int, Field(ge=1, le=16)] = 4  # the most that a generator of this driver has
    multiplexed: bool = False  # as in a profile with a map


class DeclaredFile(Strict):
    """The whole file."""

    profile: DeclaredHead
    known: Tried
    lease: Lease


@dataclass(frozen=True)
class DeclaredProfile:
    """A profile without a map: the driver declares what may be written.

    Attributes:
        path: The file.
        sha256: Digest of the file's bytes, hexadecimal.
        file: Its content.
    """

    path: Path
    sha256: str
    file: DeclaredFile

    @property
    def name(self) -> str:
        """Name of the profile."""
        return self.file.profile.name

    @property
    def driver(self) -> str:
        """Entry point of the driver."""
        return self.file.profile.driver

    @property
    def known(self) -> tuple[Known, ...]:
        """The models and firmware that it was tried on."""
        return self.file.known

    @property
    def channels(self) -> int:
        """Most channels that a generator of it has."""
        return self.file.profile.channels

    @property
    def multiplexed(self) -> bool:
        """Its outputs take turns."""
        return self.file.profile.multiplexed

    def measures(self, quantity: str) -> bool:
        """A driver with a map of its own tells everything of a channel."""
        return quantity in ChannelReading._fields

    def describe(self) -> tuple[MapRow, ...]:
        """What it was tried on; the map is the driver's."""
        return known_rows(self.known)


AnyProfile = Profile | DeclaredProfile


def load(name_or_path: str, *, relative_to: Path | None = None) -> AnyProfile:
    """Read and check a profile of either kind.

    Args:
        name_or_path: Name of a shipped one, or a path that ends in ``.toml``.
        relative_to: Folder that a relative path starts from; the working folder by default.

    Raises:
        ConfigError: No such file, or one that cannot be accepted; the message names file and dotted path.
    """
    path = find("generators", name_or_path, relative_to=relative_to)
    data = parse(path)
    head = data.get("profile")
    if not isinstance(head, dict) or "map" not in head:
        return profile.load(name_or_path, relative_to=relative_to)
    file = validate(data, DeclaredFile, where=str(path))
    return DeclaredProfile(path, hashlib.sha256(path.read_bytes()).hexdigest(), file)
