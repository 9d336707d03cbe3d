"""Asks the stand-alone verifier, and says in the service's words when there is nothing to verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_verify.files import Unreadable
from rfctl_verify.verdict import Outcome, Verdict
from rfctl_verify.verify import verify as verify_alone

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.record.keys import PublicKey

__all__ = ["Outcome", "Verdict", "verify"]


def verify(path: Path, public_key: PublicKey) -> Verdict:
    """Verify the record at ``path`` as signed by the holder of ``public_key`` for the key's origin.

    Raises:
        ConfigError: The path is no readable record. Nothing that a record holds raises.
    """
    try:
        return verify_alone(path, public_key)
    except Unreadable as problem:
        raise ConfigError(
            problem.reason, where=str(problem.path), remedy="Give the record's file or folder; check permissions."
        ) from None
