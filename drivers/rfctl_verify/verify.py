"""One question for every format: is this record as it was written, and by whose word?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl_verify import format0

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl_verify.public_key import Key
    from rfctl_verify.verdict import Verdict


def verify(path: Path, key: Key) -> Verdict:
    """Verify a record as signed by the holder of ``key`` for the key's origin, whatever its format.

    Raises:
        Unreadable: The path cannot be read. Nothing that a record holds raises.
    """
    return format0.verify(path, key)
