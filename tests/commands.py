"""The installed ``rfctl`` command, run to its end as a user or a script would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

RFCTL = Path(sys.executable).with_name("rfctl")


class Done(NamedTuple):
    """A command that has ended."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as its one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def rfctl(*arguments: str | Path, cwd: Path) -> Done:
    """Run a command; whatever its exit code is, it has ended."""
    done = subprocess.run([RFCTL, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)
