"""What the gate asks of a protocol's table: what a request does, read from its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rfctl.link.write_table import Classified, Energising, Limit
    from rfctl.model.permit import PermitKind


class Target(Protocol):
    """What one write goes to.

    Attributes:
        quantity: Its name.
        channel: Channel number from 1; None when it concerns the whole generator.
        scale: The quantity is the raw number times this.
        limit: Part of the envelope that bounds the value.
    """

    @property
    def quantity(self) -> str: ...

    @property
    def channel(self) -> int | None: ...

    @property
    def scale(self) -> float: ...

    @property
    def limit(self) -> Limit | None: ...

    @property
    def place(self) -> str:
        """How messages name it."""
        ...

    def holds(self, raw: float, most: float) -> bool:
        """Whether a raw number lies from 0 to ``most``, as exactly as the wire can hold ``most``."""
        ...


class Table(Protocol):
    """Everything that may be sent. Immutable; what is not in it is refused.

    Attributes:
        unit: Unit identifier that writes go to.
        sha256: Digest over the whole content, hexadecimal.
        channels: Channels that the table can write to.
        by_kind: What each kind of permit requires.
    """

    @property
    def unit(self) -> int: ...

    @property
    def sha256(self) -> str: ...

    @property
    def channels(self) -> AbstractSet[int]: ...

    @property
    def by_kind(self) -> Mapping[PermitKind, Energising]: ...

    def classify(self, pdu: bytes) -> Classified:
        """What a request would do, from its bytes alone.

        Raises:
            RefusedError: Not one that the table lists.
        """
        ...
