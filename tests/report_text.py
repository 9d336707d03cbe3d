"""What a person can read in a PDF, by poppler's pdftotext: no code of this project looks at its own output here."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def pages(pdf: Path) -> list[str]:
    """The words of each page, in reading order, with single spaces."""
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: install the package poppler-utils; `make test` does it", pytrace=False)
    done = subprocess.run(["pdftotext", "-enc", "UTF-8", str(pdf), "-"], capture_output=True, check=True)
    text = done.stdout.decode("utf-8")
    return [" ".join(page.split()) for page in text.removesuffix("\f").split("\f")]


def words(pdf: Path) -> str:
    """The words of the whole document."""
    return " ".join(pages(pdf))
