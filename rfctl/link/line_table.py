"""What may be sent over the line protocol, and what each line does: the table from which the gate classifies it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rfctl.errors import RefusedError
from rfctl.link.write_table import READING, Act, Action, Classified, Energising, Limit

if TYPE_CHECKING:
    from rfctl.model.permit import PermitKind

NUMBER = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,6})?")
WHOLE = re.compile(r"[0-9]{1,10}")
_REMEDY = "Only what the driver declares can be sent, in exactly that form."
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class LineTarget:
    """What one write of a line goes to.

    Attributes:
        quantity: Its name.
        channel: Channel number from 1; None when it concerns the whole generator.
        limit: Part of the envelope that bounds the value.
    """

    quantity: str
    channel: int | None
    limit: Limit | None

    @property
    def scale(self) -> float:
        """A number on the line is in the quantity's unit."""
        return 1.0

    @property
    def place(self) -> str:
        """How messages name it: ``set_temperature_c of channel 2``."""
        return self.quantity if self.channel is None else f"{self.quantity} of channel {self.channel}"

    def holds(self, raw: float, most: float) -> bool:
        """Whether a number lies from 0 to ``most``: a line holds what it says."""
        return 0.0 <= raw <= most


@dataclass(frozen=True, slots=True)
class LineWrite:
    """One thing that may be written.

    Attributes:
        request: The words that a request begins with, ``SET``.
        quantity: What it writes; several requests may write the same.
        act: What it does.
        channel: The number of a channel follows.
        name: The value stands behind this name and ``=``; several such values may follow each other in one request.
        number: A number follows.
        whole: It has no point.
        words: One of these words follows, with the number and the act's name that each stands for.
        limit: Part of the envelope that bounds the value.
        maximum: Highest value that may be sent at all.
    """

    request: str
    quantity: str
    act: Act
    channel: bool = False
    name: str = ""
    number: bool = False
    whole: bool = False
    words: tuple[tuple[str, int, str], ...] = ()
    limit: Limit | None = None
    maximum: float | None = None

    @property
    def plain(self) -> bool:
        """Nothing follows but the channel."""
        return not (self.name or self.number or self.words)


@dataclass(frozen=True)
class LineTable:
    """Every request that may be sent. Immutable; what is not in it cannot be sent.

    Attributes:
        reads: Requests that read, with the most numbers that may follow each.
        writes: Requests that write.
        energising: One entry for each kind of permit.
        most_channels: Channels go from 1 to this.
        unit: A line has one generator on it; the number is that of every request.
    """

    reads: tuple[tuple[str, int], ...]
    writes: tuple[LineWrite, ...]
    energising: tuple[Energising, ...]
    most_channels: int
    unit: int = 1

    @cached_property
    def sha256(self) -> str:
        """Digest over the whole content, hexadecimal."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def channels(self) -> frozenset[int]:
        """Channels that can be written to."""
        return frozenset(range(1, self.most_channels + 1))

    @cached_property
    def by_kind(self) -> dict[PermitKind, Energising]:
        """What each kind of permit requires."""
        return {rule.kind: rule for rule in self.energising}

    @cached_property
    def _reads(self) -> frozenset[bytes]:
        """Every reading request, in bytes."""
        lines = [verb for verb, _ in self.reads]
        lines += [f"{verb} {number}" for verb, most in self.reads if most for number in range(self.most_channels + 1)]
        return frozenset(line.encode("ascii") for line in lines)

    @cached_property
    def _writes(self) -> dict[str, list[LineWrite]]:
        by_request: dict[str, list[LineWrite]] = {}
        for write in self.writes:
            by_request.setdefault(write.request, []).append(write)
        return by_request

    def classify(self, pdu: bytes) -> Classified:
        """What a request would do, from its bytes alone.

        Args:
            pdu: The body of its line.

        Raises:
            RefusedError: Not a request of the table in exactly its form, or a value above the most that may be sent.
        """
        if pdu in self._reads:
            return READING
        words = _words(pdu)
        for length in (2, 1):  # the longer beginning first
            actions = self._actions(self._writes.get(" ".join(words[:length]), []), words[length:])
            if actions:
                return Classified(actions[0].act.intent, tuple(actions))
        raise RefusedError(f"{_shown(pdu)} is not a request that the gate knows", remedy=_REMEDY)

    def _actions(self, writes: list[LineWrite], words: list[str]) -> list[Action]:
        """What the words after the request's own do; nothing when no form fits them."""
        for write in writes:
            channel, rest = self._channel(words) if write.channel else (None, words)
            if write.channel and channel is None:
                continue
            if write.plain and not rest:
                return [_action(write, channel, 1.0)]
            if write.number and len(rest) == 1 and _fits(write, rest[0]):
                return [_action(write, channel, float(rest[0]))]
            for word, number, name in write.words:
                if rest == [word]:
                    act = Act(write.act.intent, write.act.permit, name)
                    return [Action(LineTarget(write.quantity, channel, write.limit), float(number), act)]
        named = {write.name: write for write in writes if write.name}
        channel, rest = self._channel(words)
        pairs = [word.partition("=") for word in rest]
        names = [name for name, _, _ in pairs]
        if (
            channel is None
            or not all(name in named and _fits(named[name], text) for name, _, text in pairs)
            or len({named[name].quantity for name in names}) < len(names)
        ):
            return []
        return [_action(named[name], channel, float(text)) for name, _, text in pairs]

    def _channel(self, words: list[str]) -> tuple[int | None, list[str]]:
        """The channel that the first word names, and the rest."""
        for channel in self.channels:
            if words and words[0] == str(channel):
                return channel, words[1:]
        return None, words


def _words(pdu: bytes) -> list[str]:
    try:
        return pdu.decode("ascii").split(" ")
    except UnicodeDecodeError:
        return []


def _fits(write: LineWrite, text: str) -> bool:
    return (WHOLE if write.whole else NUMBER).fullmatch(text) is not None


def _action(write: LineWrite, channel: int | None, value: float) -> Action:
    target = LineTarget(write.quantity, channel, write.limit)
    if write.maximum is not None and not target.holds(value, write.maximum):
        raise RefusedError(
            f"{target.place} = {value:.9g} is not from 0 to {write.maximum:g}, the most that is allowed",
            remedy="Write a lower value.",
        )
    return Action(target, value, write.act)


def _shown(pdu: bytes) -> str:
    return repr(pdu[:_SHOWN].decode("ascii", errors="replace"))
