"""The dispersive electrode, and what a generator that monitors it makes of its contact."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

# Between the two halves of a pad that lies well, and above which it counts as no contact, ohm.
PAD_HIGH_OHM = 135.0
PAD_OPEN_OHM = 1000.0


class PadStatus(IntEnum):
    """By its number on the wire."""

    NOT_MONITORED = 0
    GOOD = 1
    HIGH = 2
    OPEN = 3


@dataclass(slots=True)
class Pad:
    """The pad of one generator.

    Attributes:
        monitored: The generator measures the contact.
        contact_ohm: Contact, ohm.
        unseen: The generator's own safety does not look at it, so that a host's is measured.
    """

    monitored: bool = False
    contact_ohm: float = 30.0
    unseen: bool = False

    @property
    def bad(self) -> bool:
        """The generator's own safety sees too little contact."""
        return self.monitored and not self.unseen and self.contact_ohm > PAD_HIGH_OHM

    @property
    def status(self) -> PadStatus:
        """As the generator judges it."""
        if not self.monitored:
            return PadStatus.NOT_MONITORED
        if self.contact_ohm > PAD_OPEN_OHM:
            return PadStatus.OPEN
        return PadStatus.HIGH if self.contact_ohm > PAD_HIGH_OHM else PadStatus.GOOD
