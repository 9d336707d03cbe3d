"""What injected faults do, as the parts they are injected into see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ChannelEffects:
    """Faults in force on one channel.

    Attributes:
        thermocouple_open: The reading is not-a-number.
        temperature_offset_k: Added to the reading, K.
        load_ohm: What the output sees instead of tissue and path, ohm.
        overpower_w: What the output delivers into the tissue while RF is on, whatever it is told, W.
        stuck_on: RF that is on stays on.
        self_on_w: RF is on by itself, with this power into the tissue, W.
        pulse_width_ratio: Pulses are so many times as wide as they are told to be.
        unseen_bits: Channel fault bits that the firmware's own safety does not look for, so that a host's is measured.
    """

    thermocouple_open: bool = False
    temperature_offset_k: float = 0.0
    load_ohm: float | None = None
    overpower_w: float | None = None
    stuck_on: bool = False
    self_on_w: float | None = None
    pulse_width_ratio: float = 1.0
    unseen_bits: int = 0

    def any(self) -> bool:
        """Something is in force."""
        return self != NOTHING

    def reset(self) -> None:
        """Nothing is in force any more."""
        for name in self.__slots__:
            setattr(self, name, getattr(NOTHING, name))


NOTHING = ChannelEffects()


@dataclass(slots=True)
class WireEffects:
    """Faults in force on what a client sees.

    Attributes:
        frozen_ns: Since when what the first request then shows is answered for ever; None for no such fault.
        dead: Requests are neither obeyed nor answered.
        wrong_map_id: The identity block carries another map id.
        refused_register: Name of the register whose writes are answered with exception 04.
        silent_until_ns: Requests before this instant are neither obeyed nor answered.
        booting_until_ns: The same, because the machine is off or has just been switched on.
    """

    frozen_ns: int | None = None
    dead: bool = False
    wrong_map_id: bool = False
    refused_register: str | None = None
    silent_until_ns: int = 0
    booting_until_ns: int = 0

    def silent(self, now_ns: int) -> bool:
        """Nothing is heard now."""
        return self.dead or now_ns < self.silent_until_ns or now_ns < self.booting_until_ns
