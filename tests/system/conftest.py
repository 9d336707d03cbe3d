"""What several system tests share: the distributions, built once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.system.fresh import run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel of rfctl."""
    (path,) = built.glob("*.whl")
    return path
