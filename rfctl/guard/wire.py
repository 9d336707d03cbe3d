"""What station and guard say to each other, one packet each: heartbeats with raw frames there, how it stands back."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, NamedTuple

from rfctl.guard.state import Heartbeat, Stage, Wanted

if TYPE_CHECKING:
    from rfctl.guard.state import State

_BEAT = struct.Struct(">cIIQ?B")
_FRAME = struct.Struct(">cH")
BEAT, BEGIN = b"H", b"B"
MOST_BYTES = 65_536
MOST_FRAMES_BYTES = 32_768
"""Of frames in one packet; the oldest are left out. A guard that misses some decodes no sample of them."""
_TX, _RX = b"t", b"r"

Frames = list[tuple[str, bytes]]
"""Direction, ``tx`` or ``rx``, and bytes."""


class Word(NamedTuple):
    """How a guard stands.

    Attributes:
        stage: In words.
        closed: The contact is held, and has been read closed.
        opened: It is open, or was seen open since it was last held.
        code: Why it has let go for good; empty while it has not.
        hazard: Of that.
        text: In words, with the numbers.
        proof: What the relay's proof measured; empty before.
    """

    stage: str = str(Stage.NEW)
    closed: bool = False
    opened: bool = True
    code: str = ""
    hazard: str = ""
    text: str = ""
    proof: str = ""


def beat(cycle: int, digest: int, sent_ns: int, wanted: bytes, frames: Frames, *, enable: bool) -> bytes:
    """A heartbeat as a packet. ``wanted`` has a byte a channel, a value of rfctl.guard.state.Wanted."""
    parts = [_BEAT.pack(BEAT, cycle & 0xFFFFFFFF, digest, sent_ns, enable, len(wanted)), wanted]
    for direction, data in _as_many_as_fit(frames):
        parts += (_FRAME.pack(_TX if direction == "tx" else _RX, len(data)), data)
    return b"".join(parts)


def _as_many_as_fit(frames: Frames) -> Frames:
    if sum(len(data) + _FRAME.size for _, data in frames) <= MOST_FRAMES_BYTES:
        return frames
    room, newest = MOST_FRAMES_BYTES, []
    for direction, data in reversed(frames):
        room -= len(data) + _FRAME.size
        if room < 0:
            break
        newest.append((direction, data))
    return newest[::-1]


def read_beat(packet: bytes, at_ns: int) -> tuple[Heartbeat, Frames] | None:
    """The heartbeat and the frames of a packet; None where it is none."""
    try:
        kind, cycle, digest, sent_ns, enable, channels = _BEAT.unpack_from(packet)
        at = _BEAT.size + channels
        wanted = tuple(map(Wanted, packet[_BEAT.size : at]))
        frames: Frames = []
        while at < len(packet):
            direction, length = _FRAME.unpack_from(packet, at)
            at += _FRAME.size
            frames.append(("tx" if direction == _TX else "rx", packet[at : at + length]))
            at += length
    except (struct.error, ValueError):
        return None
    if kind != BEAT or at != len(packet):
        return None
    return Heartbeat(at_ns, sent_ns, cycle, digest, wanted, enable), frames


def word_of(state: State, proof: str) -> Word:
    """How a guard stands now."""
    cause = state.cause
    code, hazard, text = cause if cause is not None else ("", "", "")
    return Word(str(state.stage), state.closed, state.open, code, hazard, text, proof)


def say(word: Word) -> bytes:
    """As a packet."""
    return json.dumps(word._asdict()).encode("ascii")


def hear(packet: bytes) -> Word | None:
    """From a packet; None where it is none."""
    try:
        return Word(**json.loads(packet))
    except (ValueError, TypeError):
        return None
