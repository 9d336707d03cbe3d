"""Fresh environments with wheels in them, for tests of what is shipped."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that succeeds; it finds nothing by the tests' own import path."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment_with(folder: Path, *wheels: Path) -> Path:
    """Programs of a fresh environment with these wheels.

    There is no network, so it borrows the dependencies of the environment that runs the tests: a .pth file puts that
    one's packages behind its own. The .pth file of an editable install there is not read again, so rfctl comes from
    the wheel.
    """
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    run(
        *(sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet"),
        *("--disable-pip-version-check", "--no-deps", "--no-index", *wheels),
        cwd=folder,
    )
    site = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    (Path(site.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs
