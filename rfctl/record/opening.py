"""Opens a log for one more session: where it stands, recovered where the session before did not close it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import uuid
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rfctl.errors import ConfigError, RecordError
from rfctl.record import standing as noted
from rfctl.record import stub
from rfctl.record.body import FRAME, HEAD, LOCK, RESERVE, chunk_name, segment_name, state_folder
from rfctl.record.certificate import Certificate
from rfctl.record.epochs import Epoch, Signer, generate
from rfctl.record.notes import ORIGIN, BadNote, VerifierKey, decode64, parse
from rfctl.record.segments import Entry, bodies, entry_of, opened, segment_numbers
from rfctl.record.standing import Standing
from rfctl.record.tree import leaf_hash

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rfctl.record.disk import Disk


class Keys(Protocol):
    """Who certifies the epochs of a log."""

    origin: str
    public: VerifierKey

    def begin(self, standing: Standing, now: datetime) -> Epoch:
        """The key of the next epoch.

        Raises:
            ConfigError: There is none, or it cannot be used.
        """
        ...

    def end(self, epoch: Epoch, *, size: int, checkpoint: bytes) -> None:
        """The epoch's session is closed, at so many records and this last checkpoint: forget its key.

        Raises:
            ConfigError, OSError: The disk refused.
        """
        ...


class Damaged(ConfigError):
    """The log is not as this station left it: it is left as it is, for ever, and another one begun."""


class ThrowAway:
    """A root that is made for one log and never stored: nobody vouches for its public key.

    Attributes:
        origin: New for every log.
        public: What verifies the log.
    """

    def __init__(self, station: str) -> None:
        """Make one.

        Raises:
            ConfigError: The station's name cannot be part of an origin.
        """
        self.origin = new_origin(station)
        self._root = Signer(self.origin, generate())
        self.public = self._root.public

    def begin(self, standing: Standing, now: datetime) -> Epoch:
        """The key of the next epoch, certified by the root."""
        return Epoch.begin(
            self._root,
            standing.epoch + 1,
            start=standing.tree.size,
            prev=standing.last_checkpoint or None,
            not_before=now,
        )

    def end(self, epoch: Epoch, *, size: int, checkpoint: bytes) -> None:
        """Forget the key."""
        del size, checkpoint
        epoch.forget()


def new_origin(station: str) -> str:
    """An origin that no log has had: ``rfctl/STATION-UUID``.

    Raises:
        ConfigError: The station's name cannot be part of an origin.
    """
    origin = f"rfctl/{station}-{uuid.uuid4()}"
    if ORIGIN.fullmatch(origin) is None:
        raise ConfigError(
            f"station name {station!r} cannot be in a record",
            remedy="Use 1 to 80 visible ASCII characters, no spaces, no plus sign.",
        )
    return origin


def open_log(log: Path, keys: Keys, disk: Disk) -> Standing:
    """Take a log for this process and say where it stands. The folder is made when it is not there.

    Of what the session before found one segment is read again, see ``standing.load``: a station that has watched for
    a year begins a session as fast as one that has for a week.

    Raises:
        ConfigError: It is in use, of another origin, or damaged below what is known to have been in it.
        OSError: The disk refused.
    """
    state = state_folder(log)
    log.mkdir(parents=True, exist_ok=True)
    state.mkdir(mode=0o700, exist_ok=True)
    lock = _locked(state / LOCK)
    try:
        disk.remove(state / RESERVE)
        disk.sync_folder(log.parent)
        known = _known_head(state)
        try:
            standing = scan(log, keys.origin, known, since=noted.load(log, keys.origin, before=known.size))
        except (RecordError, BadNote) as problem:
            what = problem.what if isinstance(problem, RecordError) else str(problem)
            raise Damaged(f"it is damaged: {what}", where=str(log), remedy="Keep it as it is, and verify it.") from None
        for path in stub.retired_files(log, standing.first):  # a retirement that was cut short
            disk.remove(path)
        if standing.tree.size < known.size:
            raise Damaged(
                f"it has {standing.tree.size} records, this station has signed {known.size}",
                where=str(log),
                remedy="It was cut or replaced by an older copy. Keep it as it is, and give the station a new log.",
            )
        if standing.recovered is not None:
            _recover(log, standing, disk)
        noted.keep(log, standing, keys.public, disk)
    except BaseException:
        os.close(lock)
        raise
    standing.lock = lock
    return standing


class Head(NamedTuple):
    """The newest checkpoint of this station: how many records, and their root."""

    size: int = 0
    root: bytes = b""


def _known_head(state: Path) -> Head:
    try:
        text = (state / HEAD).read_text(encoding="utf-8")
        if not text.strip("\0"):  # replaced without a sync, it may be found so after a power cut
            return Head()
        lines = text.split("\n")
        return Head(int(lines[1]), decode64(lines[2]))
    except FileNotFoundError:
        return Head()
    except (ValueError, IndexError):
        raise ConfigError(
            "is no checkpoint", where=str(state / HEAD), remedy="Compare the log with a head kept elsewhere."
        ) from None


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError("another process writes this log", where=str(path), remedy="Stop that process.") from None
    return descriptor


_OPENING: Final = re.compile(
    rb'\{"seq":(\d{1,15}),"epoch":(\d{1,15}),"boot_id":"[^"]*"(?:,"[a-z_]+":"[^"]*"){4},"kind":"([a-z0-9_]+)"'
)
_CHUNK: Final = re.compile(rb'"payload":\{"offset":\d{1,15},"bytes":(\d{1,15}),')
_READ: Final = frozenset({b"epoch", b"countersigned", b"checkpoint", b"segment_close"})
"""Kinds that say where a log stands. All others are only hashed: the head that this station signed vouches for them."""


class _Scan:
    """What the records of one segment add to where the log stands."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.closing = 0
        self.torn_at = 0
        self.chunk_bytes = 0

    @property
    def closed(self) -> bool:
        return self.closing == 2

    def take(self, body: bytes, where: str, index: int) -> None:
        standing = self.standing
        opening, prev = _OPENING.match(body), body[-66:-2].decode("ascii", "replace")
        if opening is None or int(opening[1]) != standing.tree.size or prev != standing.prev:
            raise Damaged(
                f"record {standing.tree.size} does not continue the one before it",
                where=where,
                remedy="Keep the log as it is, verify it, and give the station a new one.",
            )
        leaf = leaf_hash(body)
        standing.tree.append(leaf)
        standing.prev = leaf.hex()
        standing.epoch = int(opening[2])
        self.torn_at += FRAME.size + len(body)
        if opening[3] == b"chunk":
            length = _CHUNK.search(body)
            self.chunk_bytes += int(length[1]) if length is not None else 0
        elif opening[3] in _READ:
            self._read(entry_of(body, index, where))

    def _read(self, entry: Entry) -> None:
        standing = self.standing
        if entry.kind == "epoch":
            standing.certificates[entry.epoch] = note = _note(entry.members.get("certificate"))
            Certificate.parse(parse(note).text)
        elif entry.kind == "countersigned":
            standing.confirmed.add(Certificate.parse(parse(_note(entry.members.get("certificate"))).text).epoch)
        elif entry.kind == "checkpoint":
            standing.last_checkpoint = hashlib.sha256(_note(entry.members.get("note"))).digest()
            self.closing += self.closing == 1
        elif entry.kind == "segment_close":
            self.closing = 1


def _note(encoded: object) -> bytes:
    try:
        return decode64(str(encoded))
    except BadNote as problem:
        raise Damaged(f"a record holds no note: {problem}", remedy="Verify the log.") from None


def scan(
    log: Path, origin: str, known: Head | None = None, *, before: int | None = None, since: Standing | None = None
) -> Standing:
    """Where the log stands, or stood before its segment number ``before``. Nothing is changed.

    Args:
        log: The folder.
        origin: That it has to be of.
        known: A head that it has to have.
        before: Look no further.
        since: Where it stood before one of its segments; what is before that is not read.

    Raises:
        ConfigError: It is of another origin or damaged, or has not the known head.
    """
    known = known if known is not None else Head()
    standing = since if since is not None else _begun(log)
    from_index = standing.index
    numbers = [number for number in segment_numbers(log) if number >= standing.first]
    if (numbers or standing.first) and numbers != list(range(standing.first, max(numbers, default=0) + 1)):
        raise Damaged("a segment is missing", where=str(log), remedy="Keep the log as it is, and verify it.")
    found = _Scan(standing)
    for index in numbers:
        if index == before:
            return standing
        if index < from_index:
            continue
        found = _Scan(standing)
        last = index == numbers[-1]
        where = str(log / segment_name(index))
        for number, body in enumerate(bodies(log, index, last=last)):
            if number == 0 and f'"origin":"{origin}"'.encode("ascii") not in body:
                raise ConfigError(
                    f"the log is not of {origin}", where=where, remedy="Give the public key of this log's root."
                )
            found.take(body, where, index)
            if standing.tree.size == known.size and standing.tree.root() != known.root:
                raise Damaged(
                    f"its first {known.size} records are not those that this station has signed",
                    where=str(log),
                    remedy="Another history was put in its place. Keep it as it is, and give the station a new log.",
                )
        standing.index = index + 1
    if numbers and not found.closed:
        standing.recovered = {"segment": numbers[-1], "kept": found.torn_at, "kept_chunk": found.chunk_bytes}
    return standing


def _begun(log: Path) -> Standing:
    """Before the first segment that is there."""
    retired = stub.read(log)
    if retired is None:
        return Standing()
    return Standing(
        index=retired.segments,
        first=retired.segments,
        tree=retired.tree,
        prev=retired.last_leaf,
        epoch=retired.epoch,
        last_checkpoint=bytes.fromhex(retired.last_checkpoint),
    )


def _recover(log: Path, standing: Standing, disk: Disk) -> None:
    """Put the good part of the open segment in its place, written anew, and what was behind it beside it.

    Written anew, because after an fsync that failed the pages that can be read need not be those on the disk.
    """
    found = standing.recovered
    assert found is not None  # noqa: S101 - the caller looked
    index = found["segment"]
    assert isinstance(index, int)  # noqa: S101 - it was put there by the scan
    members: dict[str, object] = {"segment": index}
    for name, kept, label in (
        (segment_name(index), found["kept"], "torn"),
        (chunk_name(index), found["kept_chunk"], "torn_chunk"),
    ):
        torn = _cut(log, name, int(str(kept)), disk)
        members[f"{label}_bytes"] = len(torn)
        members[f"{label}_sha256"] = hashlib.sha256(torn).hexdigest()
    standing.recovered = members


def _cut(log: Path, name: str, kept: int, disk: Disk) -> bytes:
    path = log / name
    if not path.exists():
        if kept:
            raise Damaged("is missing", where=str(path), remedy="Keep the log as it is, and verify it.")
        return b""
    with opened(path) as file:
        good, torn = file.read(kept), file.read()
    if len(good) < kept:
        raise Damaged(
            f"it has {len(good)} bytes, its records cover {kept}",
            where=str(path),
            remedy="Keep the log as it is, and verify it.",
        )
    state = state_folder(log)
    beside = log / f"{name}.torn"
    if torn:
        put_in_place(state / f"{name}.torn.new", beside, torn, disk)
    elif beside.exists():  # a recovery that was itself cut short, before its record said what it cut off
        with opened(beside) as file:
            torn = file.read()
    put_in_place(state / f"{name}.new", path, good, disk)
    disk.freeze(path)
    return torn


def put_in_place(unfinished: Path, path: Path, data: bytes, disk: Disk) -> None:
    """A file that is either there as a whole, on the disk, or as it was before."""
    disk.remove(unfinished)
    descriptor = disk.create(unfinished)
    try:
        disk.write(descriptor, data)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(unfinished, path)
