"""The inputs of a generator that people and an interlock relay act on, and how long it takes to boot."""

from __future__ import annotations

from dataclasses import dataclass

BOOT_MS = 2000

EVERY_KEY = frozenset({"emergency_stop", "enable_loop", "footswitch", "knob", "power", "remote", "start", "stop"})
"""What a person can do at a machine; which of it a make has, its conventions say."""


@dataclass(slots=True)
class Inputs:
    """Contacts, as the hardware sees them.

    Attributes:
        footswitch: Pressed.
        emergency_stop: Pressed, and latched until it is released.
        enable_open: The enable loop is open.
        powered: The mains are there.
        stop_unwired: The emergency stop is connected to nothing.
    """

    footswitch: bool = False
    emergency_stop: bool = False
    enable_open: bool = False
    powered: bool = True
    stop_unwired: bool = False

    @property
    def stopped(self) -> bool:
        """The emergency stop as the hardware sees it."""
        return self.emergency_stop and not self.stop_unwired

    @property
    def interrupted(self) -> bool:
        """The output stage delivers nothing, whatever it is told."""
        return self.stopped or self.enable_open or not self.powered

    @property
    def word(self) -> int:
        """As the status shows them."""
        return self.footswitch | self.stopped << 1 | self.enable_open << 2
