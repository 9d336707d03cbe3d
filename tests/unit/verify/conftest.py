"""A log to be verified, and a memory for signatures."""

from __future__ import annotations

import pytest

from tests.log_forge import Forge, golden, remember_signatures


@pytest.fixture
def signatures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of logs that differ in a byte share nearly all signatures."""
    remember_signatures(monkeypatch)


@pytest.fixture
def log() -> Forge:
    """Two sessions, see ``golden``."""
    return golden()
