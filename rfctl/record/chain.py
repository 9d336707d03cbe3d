"""Makes the records of a session: bytes, chained, stamped and signed, readings gathered in chunks. No disk here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from rfctl import __version__
from rfctl.clock import NS_PER_S
from rfctl.errors import RecordError
from rfctl.record import body, chunk
from rfctl.record.notes import encode64
from rfctl.record.stamps import wall_ns_of
from rfctl.record.store import Append, Begin
from rfctl.record.tree import Tree, leaf_hash
from rfctl.record.values import members_text, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.events import Sampled
    from rfctl.record.epochs import Epoch
    from rfctl.record.stamps import Stamps
    from rfctl.record.standing import Standing

MAX_PENDING_BYTES: Final = 16 << 20
"""Bytes kept while the disk does not answer: more than ten minutes of four channels at 20 Hz. Beyond it the record has
failed; the interlock on the backlog ended the procedure long before."""
CHUNK_NS: Final = NS_PER_S
STATION: Final = "station"
"""The actor of whatever no person did."""


class Chain:
    """The records of one session, from where the log stood.

    Attributes:
        origin: Of the log.
        tree: Over all records, those of earlier sessions counted.
        appended: Records and readings added.
        oldest_ns: When the oldest record was added that was not taken to be stored; None when there is none.
        checkpoint_note: The newest checkpoint, a signed note.
        checkpoint_ns: When it was made.
        chunk_due_ns: When readings have to be covered by a record.
        segment_bytes: Of the segment that is being filled, chunks counted.
    """

    def __init__(self, where: str, clock: Clock, epoch: Epoch, standing: Standing, stamps: Stamps) -> None:
        self.origin = epoch.certificate.origin
        self.tree = Tree(standing.tree.size, standing.tree.nodes)
        self.appended = 0
        self.oldest_ns: int | None = None
        self.checkpoint_note = b""
        self.chunk_due_ns = self.checkpoint_ns = 0
        self.segment_bytes = 0
        self._where = where
        self._clock = clock
        self._epoch = epoch
        self._number = epoch.certificate.epoch
        self._stamps = stamps
        self._prev = standing.prev
        self._index = standing.index
        self._chunk_offset = 0
        self._frames: list[bytes] = []
        self._records: list[bytes] = []
        self._chunks: list[bytes] = []
        self._steps: list[Append | Begin] = []
        self._pending_bytes = 0
        self._beginning = False

    @property
    def waits(self) -> bool:
        """There is something to be stored."""
        return bool(self._records or self._steps)

    @property
    def covered(self) -> int:
        """How many of ``appended`` are records, or readings that a record covers."""
        return self.appended - len(self._frames)

    def drop(self) -> None:
        """What waits will never be stored."""
        self._records, self._chunks, self._steps, self._frames = [], [], [], []
        self._pending_bytes = 0

    def begin_session(self, header: Mapping[str, object], standing: Standing, error: str) -> None:
        """Add what a session begins with: its segment and epoch, what was recovered, what runs, and a checkpoint.

        Raises:
            RecordError: The header sets what is not its own, or has no JSON form.
        """
        about = dict(standing.about)
        if error:
            about |= {"after_error": error, "last_verified": {"size": standing.tree.size, "root": self._root_hex()}}
        self._begin_segment(about)
        self.record("epoch", f'{{"certificate":"{encode64(self._epoch.note)}"}}')
        if standing.recovered is not None:
            self.record("recovered", text_of({**standing.recovered, "error": error}))
        utc, now_ns = self._clock.utc(), self._clock.monotonic_ns()
        session = {
            "time_scale": self._clock.scale,
            "software": f"rfctl {__version__}",
            "utc": utc.isoformat(),
            "wall_offset_ns": wall_ns_of(utc) - now_ns,
            "frames": chunk.OWN.members(),
        }
        taken = sorted(header.keys() & (session.keys() | {"t_ns"}))
        if taken:
            raise RecordError(f"the header cannot set {', '.join(taken)}", where=self._where, remedy="Rename them.")
        try:
            members = members_text({**session, **header})
            self.record("session", f'{{"t_ns":"{now_ns}"{members}}}')
        except (TypeError, ValueError, RecursionError) as problem:
            raise RecordError(f"the header has no JSON form: {problem}", where=self._where) from None
        for note in standing.countersigned:
            self.record("countersigned", f'{{"certificate":"{encode64(note)}"}}')
        self.sign("session_open")

    def _begin_segment(self, about: Mapping[str, object]) -> None:
        """What is appended from here on stands in a new file."""
        self._put_aside()
        self._beginning = True
        self.segment_bytes = self._chunk_offset = 0
        self.record(
            "segment",
            f'{{"format":"{body.FORMAT}","origin":"{self.origin}","index":{self._index},"size":{self.tree.size}'
            f',"root":"{self._root_hex()}","about":{text_of(about)}}}',
        )

    def close_segment(self, why: str) -> None:
        """Say that the segment ends, and sign that."""
        self.cut_chunk()
        self.record("segment_close", f'{{"size":{self.tree.size},"root":"{self._root_hex()}"}}')
        self.sign(why)

    def rotate(self) -> None:
        """End the segment, and begin another one."""
        self.close_segment("segment_close")
        self._index += 1
        self._begin_segment({})
        self.sign("segment_open")

    def record(self, kind: str, payload: str, actor: str = STATION) -> None:
        """Add a record, and before it one of a clock that stepped.

        Raises:
            ValueError: It is too long, or the disk has not answered for too long.
        """
        stamp, stepped = self._stamps.now()
        if stepped is not None and kind != "segment":
            self._add(body.opening(self.tree.size, self._number, stamp, "clock", STATION) + text_of(stepped))
        spoken = STATION if actor == STATION else _spoken(actor)
        self._add(body.opening(self.tree.size, self._number, stamp, kind, spoken) + payload)

    def _add(self, begun: str) -> None:
        """One more record, given up to the end of its payload.

        Raises:
            ValueError: It is too long, or the disk has not answered for too long.
        """
        record = (begun + body.ending(self._prev)).encode("ascii")
        if len(record) > body.MAX_BODY_BYTES:
            raise ValueError(f"it has {len(record)} bytes, the most is {body.MAX_BODY_BYTES}")
        self._room(len(record))
        leaf = leaf_hash(record)
        self.tree.append(leaf)
        self._prev = leaf.hex()
        if self.oldest_ns is None:
            self.oldest_ns = self._clock.monotonic_ns()
        self._records.append(body.framed(record))
        self.appended += 1
        self.segment_bytes += len(record)

    def reading(self, number: int, event: Sampled, effects: tuple[Effect, ...]) -> bool:
        """Add a reading to the chunk.

        Returns:
            Whether nothing more is to be recorded of it.

        Raises:
            TypeError, ValueError, struct.error: A value has no form, or the disk has not answered for too long.
        """
        frame, routine = chunk.pack(number, event, effects)
        self._room(len(frame))
        self._frames.append(frame)
        self.appended += 1
        return routine

    def cut_chunk(self) -> None:
        """Have a record cover the readings since the last one did."""
        self.chunk_due_ns = self._clock.monotonic_ns() + CHUNK_NS
        if not self._frames:
            return
        data = b"".join(self._frames)
        frames = len(self._frames)
        self._frames = []
        self._chunks.append(data)
        self.record(
            "chunk",
            f'{{"offset":{self._chunk_offset},"bytes":{len(data)},"frames":{frames}'
            f',"sha256":"{hashlib.sha256(data).hexdigest()}"}}',
        )
        self._chunk_offset += len(data)
        self.segment_bytes += len(data)

    def sign(self, why: str) -> None:
        """Add a checkpoint."""
        stamp, stepped = self._stamps.now()
        if stepped is not None:
            self._add(body.opening(self.tree.size, self._number, stamp, "clock", STATION) + text_of(stepped))
        begun = body.opening(self.tree.size, self._number, stamp, "checkpoint", STATION) + f'{{"why":"{why}","note":"'
        covered = encode64(hashlib.sha256(begun.encode("ascii")).digest())
        text = f"{self.origin}\n{self.tree.size}\n{encode64(self.tree.root())}\n{covered}\n"
        self.checkpoint_note = self._epoch.sign(text.encode("ascii"))
        self._add(f'{begun}{encode64(self.checkpoint_note)}"}}')
        self.checkpoint_ns = self._clock.monotonic_ns()

    def _root_hex(self) -> str:
        return self.tree.root().hex()

    def _room(self, more: int) -> None:
        if self._pending_bytes + more > MAX_PENDING_BYTES:
            raise ValueError(f"{self._pending_bytes} bytes wait for a disk that does not answer")
        self._pending_bytes += more

    def _put_aside(self) -> None:
        """End the pending step: what follows is another one."""
        if self._records or self._chunks:
            records, chunks = b"".join(self._records), b"".join(self._chunks)
            self._steps.append(Begin(self._index, records) if self._beginning else Append(records, chunks))
            self._records, self._chunks, self._beginning = [], [], False

    def taken(self) -> list[Append | Begin]:
        """Everything that waits, readings without a chunk record excepted; nothing waits then."""
        self._put_aside()
        steps, self._steps = self._steps, []
        self._pending_bytes = sum(map(len, self._frames))
        self.oldest_ns = None
        return steps


def _spoken(actor: str) -> str:
    """A name as it can stand between two quotes, as much of it as fits: never half of an escape."""
    actor = actor[: body.LONGEST_ACTOR]
    while len(text := text_of(actor)[1:-1]) > body.LONGEST_ACTOR:
        actor = actor[:-1]
    return text
