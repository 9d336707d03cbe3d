"""Asks the stand-alone verifier, and says in the service's words when there is nothing to verify."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError
from rfctl_verify import verify as alone
from rfctl_verify.files import Unreadable
from rfctl_verify.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rfctl_verify.public_key import Key

__all__ = ["Outcome", "Verdict", "verify", "verify_files"]


def verify(path: Path, public_key: Key) -> Verdict:
    """Verify the record at ``path`` as signed by the holder of ``public_key`` for the key's origin.

    Raises:
        ConfigError: The path is no readable record. Nothing that a record holds raises.
    """
    with _in_our_words():
        return alone.verify(path, public_key)


def verify_files(path: Path, key: Path, *, heads: Sequence[Path] = (), witnesses: Sequence[str] = ()) -> Verdict:
    """Verify the record at ``path`` with a public key file, files of heads, and verifier keys of witnesses.

    Raises:
        ConfigError: One of them is not readable or not what it has to be.
    """
    with _in_our_words():
        return alone.verify_files(path, key, heads=heads, witnesses=witnesses)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except Unreadable as problem:
        raise ConfigError(problem.reason, where=str(problem.path), remedy="Check path and permissions.") from None
