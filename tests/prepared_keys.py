"""A root made for a test, the folder of keys that it prepares for a station, and a log that is then damaged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rfctl.record import epochs
from rfctl.record.opening import new_origin

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def root_of(folder: Path, count: int, **times: Any) -> epochs.Signer:
    """A root, and a folder of keys that it prepared."""
    root = epochs.Signer(new_origin("bench-1"), epochs.generate())
    prepare(root, folder, count=count, **times)
    epochs.write_public_key(folder / "root.pub", root.public)
    return root


def prepare(root: epochs.Signer, folder: Path, *, first: int = 1, count: int, until: datetime | None = None) -> None:
    epochs.prepare(root, folder, first=first, count=count, not_before=SINCE, not_after=until)


def private_keys(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.json"))


def damage(log: Path, number: int = 0) -> None:
    path = log / f"{number:08}.seg"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
