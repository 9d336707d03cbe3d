"""The public key that a record is verified against, of a log or of format 0, in the service's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_verify.files import Unreadable
from rfctl_verify.public_key import PublicKey, read_public_key

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PublicKey", "load_public_key"]


def load_public_key(path: Path) -> PublicKey:
    """Read a ``.pub`` file.

    Raises:
        ConfigError: Unreadable, or not the one line of a public key.
    """
    try:
        return read_public_key(path)
    except Unreadable as problem:
        raise ConfigError(problem.reason, where=str(path), remedy="Give the .pub file beside the record.") from None
