"""The exact bytes of a record of format 1: its members in their order, its frame, and the names of a log's files."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

FORMAT: Final = "rfctl-record-1"
MAX_BODY_BYTES: Final = 1 << 20
MAX_CHUNK_BYTES: Final = 16 << 20
HEAD: Final = "head"
LOCK: Final = "writer.lock"
RESERVE: Final = "reserve"
"""What lies in the folder beside a log."""
NO_LEAF: Final = "0" * 64
"""``prev`` of record 0: there is nothing before it."""
KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
LONGEST_ACTOR: Final = 400
FRAME: Final = struct.Struct(">II")
"""Length and CRC-32 of the body that follows."""

_NUMBER = rb"(0|[1-9][0-9]{0,14})"
_NS = rb'"(0|[1-9][0-9]{0,17})"'
BODY: Final = re.compile(
    rb'\{"seq":' + _NUMBER + rb',"epoch":([1-9][0-9]{0,14}),"boot_id":"([0-9a-f-]{36})"'
    rb',"mono_ns":' + _NS + rb',"boottime_ns":' + _NS + rb',"wall":"([0-9T:.Z-]{27})","wall_sync_state":"([a-z]{1,16})"'
    rb',"kind":"([a-z][a-z0-9_]{0,31})","actor":"((?:[^"\\]|\\.){0,400})","backend":"(simulated|device)"'
    rb',"payload":(\{.*\}),"prev":"([0-9a-f]{64})"\}'
)


class Stamp(NamedTuple):
    """What a record says of when and by whom, as text that can stand in it.

    Attributes:
        boot_id: This boot of the machine.
        mono_ns: Monotonic time, ns.
        boottime_ns: The same, counting on while the machine is suspended, ns.
        wall: ``YYYY-MM-DDThh:mm:ss.ffffffZ``.
        wall_sync_state: Whether somebody sets the wall clock.
        backend: ``simulated`` or ``device``.
    """

    boot_id: str
    mono_ns: int
    boottime_ns: int
    wall: str
    wall_sync_state: str
    backend: str


def opening(seq: int, epoch: int, stamp: Stamp, kind: str, actor: str) -> str:
    """A body up to its payload. ``actor`` is a JSON string without its quotes."""
    return (
        f'{{"seq":{seq},"epoch":{epoch},"boot_id":"{stamp.boot_id}","mono_ns":"{stamp.mono_ns}"'
        f',"boottime_ns":"{stamp.boottime_ns}","wall":"{stamp.wall}","wall_sync_state":"{stamp.wall_sync_state}"'
        f',"kind":"{kind}","actor":"{actor}","backend":"{stamp.backend}","payload":'
    )


def ending(prev: str) -> str:
    """A body from the end of its payload on."""
    return f',"prev":"{prev}"}}'


def framed(body: bytes) -> bytes:
    """A body as it stands in a segment."""
    return FRAME.pack(len(body), zlib.crc32(body)) + body


def segment_name(index: int) -> str:
    """File of a segment."""
    return f"{index:08d}.seg"


def chunk_name(index: int) -> str:
    """File of a segment's readings."""
    return f"{index:08d}.chunk"


def state_folder(log: Path) -> Path:
    """The folder beside a log for what is no evidence: lock, head, reserve, unfinished files, keys."""
    return log.with_name(f"{log.name}.state")
