"""Taking keys out of service: unused epoch keys are deleted, and the root signs which ones, when and why."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl.record.epochs import Epoch, prepared_numbers
from rfctl.record.notes import encode64, sign

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from rfctl.record.epochs import Signer
    from rfctl.record.notes import VerifierKey

OPENING = "rfctl-retired-v1"
LONGEST_REASON = 200
_REASON = re.compile(r"[ -~]{1,200}")


def unused(folder: Path, root: VerifierKey, first: int) -> list[Epoch]:
    """The prepared epochs of a log from ``first`` on that were never used.

    Raises:
        ConfigError: There is none, or a file there is not one of this log.
    """
    numbers = [number for number in prepared_numbers(folder) if number >= first]
    if not numbers:
        raise ConfigError(
            f"no prepared epoch from {first} on", where=str(folder), remedy="rfctl keys export FOLDER lists them."
        )
    return [Epoch.load(folder / f"epoch-{number:08d}.json", root) for number in numbers]


def destroy(epochs: Sequence[Epoch]) -> None:
    """Overwrite and delete their private keys: best effort, for flash storage may keep what was overwritten.

    Raises:
        ConfigError: A file cannot be written.
    """
    for epoch in epochs:
        path = epoch.kept_in
        if path is None:
            continue
        try:
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
        except OSError as problem:
            raise ConfigError(
                f"cannot be overwritten: {problem.strerror}", where=str(path), remedy="Check permissions."
            ) from None
        epoch.forget()


def statement(root: Signer, epochs: Sequence[Epoch], at: datetime, reason: str) -> bytes:
    """A note by which the root says that these epochs sign nothing any more.

    Args:
        root: Of the log.
        epochs: Which.
        at: When, UTC.
        reason: Why, in printable ASCII.

    Raises:
        ConfigError: The reason is empty, too long or not printable ASCII.
    """
    if _REASON.fullmatch(reason) is None or not reason.strip():
        raise ConfigError(
            f"a reason is 1 to {LONGEST_REASON} printable ASCII characters", remedy="Say why in other words."
        )
    lines = [OPENING, root.origin, f"at {at:%Y-%m-%dT%H:%M:%SZ}", f"reason {reason}"]
    lines += [f"epoch {each.certificate.epoch} {encode64(each.certificate.key)}" for each in epochs]
    return sign("".join(f"{line}\n" for line in lines).encode("ascii"), root.origin, root.private)
