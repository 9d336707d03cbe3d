"""Passwords: what may be one, and its argon2id hash.

A hash costs about 40 ms of one processor and 19 MiB, so nothing here is called in the control loop's thread.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from argon2 import PasswordHasher

MEMORY_KIB = 19_456
PASSES = 2
LANES = 1
"""OWASP's minimum for argon2id: one thread, so that a login takes one processor from a station and no more."""
SHORTEST, LONGEST = 10, 256
"""Characters. Length is all that is asked; no rule on digits makes a short one better."""
_HASH = re.compile(r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}")
_MOST_MEMORY_KIB, _MOST_PASSES, _MOST_LANES = 1_048_576, 16, 8
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$9LjyL4gpHQOoAKdJxpbvsQ$qPw1tj22tftEXhRtQm17ESGFmUG4f+AGj82PkBbaNLg"


def is_hash(text: str) -> bool:
    """An argon2id hash whose check ends soon: at most 1 GiB, 16 passes and 8 lanes, at least what is written here."""
    match = _HASH.fullmatch(text)
    if match is None:
        return False
    memory, passes, lanes = (int(part) for part in match.groups())
    return 8 * lanes <= memory <= _MOST_MEMORY_KIB and 1 <= passes <= _MOST_PASSES and 1 <= lanes <= _MOST_LANES


def hash_of(password: str) -> str:
    """The hash to keep, with a salt of its own.

    Raises:
        ConfigError: Too short, too long, or with characters that cannot be typed.
    """
    text = _normal(password)
    if not SHORTEST <= len(text) <= LONGEST:
        raise ConfigError(
            f"a password has {SHORTEST} to {LONGEST} characters, this one {len(text)}", remedy="Choose another one."
        )
    if not text.isprintable():
        raise ConfigError("a password with characters that cannot be typed", remedy="Choose another one.")
    return _hasher().hash(text)


def matches(password: str, hashed: str | None) -> bool:
    """Whether it is the password. Without an account (None) as much is computed, so that the time tells nothing."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(hashed or _NOBODY, _normal(password[: 4 * LONGEST]))
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def from_file(path: Path) -> str:
    """The first line of a file, for whoever has no keyboard.

    Raises:
        ConfigError: It cannot be read, is open to others, or its first line is empty.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(
                "can be read by others", where=str(path), remedy=f"It holds a password: chmod 600 {path}."
            )
        with path.open(encoding="utf-8") as file:
            line = file.readline(4 * LONGEST).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot be read: {problem}", where=str(path), remedy="Check the path.") from None
    if not line:
        raise ConfigError("its first line is empty", where=str(path), remedy="Write it there.")
    return line


def _normal(password: str) -> str:
    """One form for what looks the same: an accent typed on two keyboards is one password."""
    return unicodedata.normalize("NFC", password)


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
