"""Begins a new log where an old record cannot be gone on with: format 0, or a log that is damaged. It points to it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError, RfctlError
from rfctl.record.body import FORMAT
from rfctl.record.layout import FORMAT as FORMAT_0
from rfctl.record.reader import read_entries
from rfctl.record.segments import entries, opened
from rfctl.record.verify import verify
from rfctl.record.writer import REQUIRED_HEADER, RecordWriter

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.record.opening import Keys
    from rfctl_verify.public_key import Key


def pointer_to(old: Path, key: Key) -> dict[str, object]:
    """What a new log says of the record before it, whatever state that is in.

    Returns:
        ``name``, ``format``, ``verdict``, ``records``, ``origin`` and ``public_key`` (hex) of the key for that, and
        ``sha256``: of the file, or of what ``sha256sum *`` says in the folder.

    Raises:
        ConfigError: It cannot be read.
    """
    verdict = verify(old, key)
    if old.is_dir():
        listed = "".join(f"{_sha256(path)}  {path.name}\n" for path in sorted(old.iterdir()))
        digest = hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()
    else:
        digest = _sha256(old)
    return {
        "name": old.name,
        "format": FORMAT if old.is_dir() else FORMAT_0,
        "origin": key.origin,
        "public_key": key.raw.hex(),
        "verdict": str(verdict.verdict),
        "records": verdict.records,
        "sha256": digest,
    }


async def continue_in(new: Path, old: Path, key: Key, *, keys: Keys, clock: Clock) -> dict[str, object]:
    """Write a new log of one session that says what was before it, and close it. The old record stays as it is.

    Args:
        new: Folder of the log; it must not have begun.
        old: A record of format 0, or a log.
        key: What verifies the old one.
        keys: Of the new log.
        clock: Of the running loop.

    Returns:
        What the new log says of the old record, see ``pointer_to``.

    Raises:
        ConfigError: The old record cannot be read or does not say what it is of, or the new log has begun.
        RecordError: The disk refused.
    """
    before = pointer_to(old, key)
    record = await RecordWriter.open(new, clock=clock, keys=keys, header=header_of(old), continues=before)
    await record.seal()
    return before


def header_of(old: Path) -> dict[str, str]:
    """Station, backend and medium of a record, as it states them.

    Raises:
        ConfigError: It cannot be read, or does not state them.
    """
    try:
        for entry in entries(old) if old.is_dir() else read_entries(old):
            if entry.kind in {"open", "session"}:
                return {name: str(entry.members[name]) for name in REQUIRED_HEADER}
    except ConfigError:
        raise
    except (RfctlError, KeyError):
        pass  # damaged before it said so
    raise ConfigError("does not say what it is a record of", where=str(old), remedy="Begin a new log without it.")


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with opened(path) as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
