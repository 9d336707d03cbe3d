"""A password from the keyboard, or from a file where there is none; never from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

PASSWORD_FILE = click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where a password is needed: the first line of this file, mode 0600; else it is asked for.",
)


def read_password(file: Path | None, asked: str, *, twice: bool = False, option: str = "--password-file") -> str:
    """Read one.

    Args:
        file: Its first line is the password; None: it is typed.
        asked: What is typed, ``Password of anna``.
        twice: It is a new one, and typed again.
        option: By which a file can be given.

    Raises:
        ConfigError: The file cannot be used, or there is neither a file nor a terminal.
    """
    from rfctl.accounts import passwords
    from rfctl.errors import ConfigError

    if file is not None:
        return passwords.from_file(file)
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{asked} is asked for, and there is no terminal",
            remedy=f"Give {option} FILE; its first line is what would be typed. It is never an argument.",
        )
    return str(click.prompt(asked, hide_input=True, confirmation_prompt=twice, err=True))
