"""What differs from make to make: whose writes are obeyed, how each is judged, and why one is refused.

The firmware is one; a make brings its own memory (rfctl_sim.control) and its own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from rfctl_sim.control import ChannelControl, Control


class ExceptionCode(IntEnum):
    """Modbus exceptions that this map uses."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    NOT_POSSIBLE = 4
    NOT_THE_OWNER = 6


class Reason(IntEnum):
    """Last refusal, as in input register 38."""

    NO_SUCH_ADDRESS = 1
    OUT_OF_RANGE = 2
    ABOVE_THE_RATING = 3
    NOT_A_NUMBER = 4
    LEASE_EXPIRED = 5
    NOT_ARMED = 6
    WRONG_TOKEN = 7
    OUTPUT_IS_ON = 8
    MODE_NOT_SET = 9
    SET_POINTS_INCOMPLETE = 10
    FAULT_PRESENT = 11
    NO_LEASE = 12
    ELECTRODE_ABSENT = 13
    NOT_IN_THIS_MODE = 14
    INTERRUPTED = 15
    NOT_THE_OWNER = 20
    PANEL_HAS_CONTROL = 21


EXCEPTION_OF = {
    Reason.NO_SUCH_ADDRESS: ExceptionCode.ILLEGAL_ADDRESS,
    Reason.OUT_OF_RANGE: ExceptionCode.ILLEGAL_VALUE,
    Reason.ABOVE_THE_RATING: ExceptionCode.ILLEGAL_VALUE,
    Reason.NOT_A_NUMBER: ExceptionCode.ILLEGAL_VALUE,
    Reason.NOT_THE_OWNER: ExceptionCode.NOT_THE_OWNER,
    Reason.PANEL_HAS_CONTROL: ExceptionCode.NOT_THE_OWNER,
}


class Refusal(Exception):
    """A request that is answered with a Modbus exception and changes nothing.

    Args:
        reason: For input register 38; it decides the exception code.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        self.code = EXCEPTION_OF.get(reason, ExceptionCode.NOT_POSSIBLE)
        super().__init__(f"exception {self.code}, reason {reason}")


class WrongToken(Refusal):
    """A fire with what is not the channel's token, or code: the one refusal that changes something, it disarms."""

    def __init__(self, reason: Reason = Reason.WRONG_TOKEN) -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rule needs beside the firmware's own memory.

    Attributes:
        now_ns: The instant at which the write arrived.
        connection: The connection that it came from.
        rated_power_w: Highest power limit.
        new_token: Draws an arm token.
        causes: Fault bits whose cause is present now, of a channel by its number, of the generator by 0.
    """

    now_ns: int
    connection: int
    rated_power_w: float
    new_token: Callable[[], int]
    causes: Callable[[int], int]


class Write(NamedTuple):
    """One written value.

    Attributes:
        name: What is written, as the rules call it.
        channel: Number from 1; 0 for the whole generator.
        value: As decoded, in the unit of its name.
    """

    name: str
    channel: int
    value: float


GeneratorRule = Callable[[Control, float, Circumstances], None]
ChannelRule = Callable[[Control, ChannelControl, float, Circumstances], None]


def _nothing(control: Control, name: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Conventions:
    """The rules of one make.

    Attributes:
        rated_power_w: Of one channel, W.
        new_control: A memory for so many channels, as after power-up.
        ranges: Smallest and largest value by name; what depends on more than the value is in the rules.
        generator_rules: What a write that concerns the whole generator does, by name.
        channel_rules: What a write to a channel does, by name. A rule refuses before it changes anything.
        is_off: A write that turns off: accepted from anyone, in any state.
        admit: Raises Refusal when this connection's write of that name and value is not heard at all.
        keys: What a person can do at the machine, by the names of rfctl_sim.panel.
        watches_pad: Its own safety looks at the dispersive electrode, where that is monitored.
        accepted: Told of each write that was accepted.
    """

    rated_power_w: float
    new_control: Callable[[int], Control]
    ranges: Mapping[str, tuple[float, float]]
    generator_rules: Mapping[str, GeneratorRule]
    channel_rules: Mapping[str, ChannelRule]
    is_off: Callable[[str, float], bool]
    admit: Callable[[Control, str, float, Circumstances], None]
    keys: frozenset[str]
    watches_pad: bool = False
    accepted: Callable[[Control, str], None] = _nothing

    def carry_out(self, control: Control, write: Write, at: Circumstances) -> None:
        """Apply one written value.

        Args:
            control: Changed in place; unchanged when refused.
            write: What is written.
            at: When, from whom, and how things are.

        Raises:
            Refusal: Not accepted.
        """
        name, channel, value = write
        if not self.is_off(name, value):
            self.admit(control, name, value, at)
        if value != value:
            raise Refusal(Reason.NOT_A_NUMBER)
        if name in self.ranges:
            low, high = self.ranges[name]
            if not low <= value <= high:
                raise Refusal(Reason.OUT_OF_RANGE)
        if channel:
            self.channel_rules[name](control, control.channels[channel - 1], value, at)
        else:
            self.generator_rules[name](control, value, at)
        self.accepted(control, name)
