"""The report that a session leaves in its folder, made when everything is off and over."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from rfctl.errors import RfctlError


def add_report(document: dict[str, Any]) -> None:
    """Write the report of the session and put its path into the session's document.

    Whatever goes wrong here is said on standard error and changes neither outcome nor exit code: ``report`` stays null.
    """
    try:
        from rfctl.report.report import write

        key_file = Path(document["public_key"])
        written = write(Path(document["record"]), key_file, key_file.with_name("report.pdf"), str(document["session"]))
    except RfctlError as problem:
        _say(f"there is no report: {problem}")
    except (Exception, KeyboardInterrupt) as problem:
        _say(f"there is no report, internal error: {problem!r}; please report it")
    else:
        document["report"] = str(written.path)
        for doubt in written.evidence.doubts:
            _say(f"the report says: {doubt}")


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal was closed
        click.echo(f"rfctl: {text}", err=True)
