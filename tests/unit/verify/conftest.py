"""A log to be verified, and a memory for signatures: thousands of logs that differ in a byte share nearly all."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from rfctl_verify import public_key
from tests.log_forge import Forge, golden

if TYPE_CHECKING:
    from collections.abc import Iterator


class Remembering:
    """A public key that checks each signature once."""

    def __init__(self, raw: bytes) -> None:
        self.verify = lru_cache(maxsize=None)(public_key.Ed25519PublicKey.from_public_bytes(raw).verify)


@pytest.fixture
def signatures_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Good signatures are remembered; bad ones raise and are checked again."""
    monkeypatch.setattr(public_key, "_key", lru_cache(maxsize=None)(Remembering))
    yield
    public_key._key.cache_clear()


@pytest.fixture
def log() -> Forge:
    """Two sessions, see ``golden``."""
    return golden()
