"""Opens what is to be verified: regular files only, never through a link, never more of one than was asked for."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Unreadable(Exception):
    """A path that was given cannot be read, or is not what it has to be. No verdict follows from that.

    Attributes:
        path: Which.
        reason: Why.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


@contextmanager
def opened(path: Path, *, through_links: bool = True) -> Iterator[IO[bytes]]:
    """A regular file, to be read.

    Args:
        path: Where it is.
        through_links: Whether it may be a symbolic link; inside a log it may not.

    Raises:
        Unreadable: It is anything else or cannot be read.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if through_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as problem:
        raise Unreadable(path, _reason(problem)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(path, "is no regular file")
    with os.fdopen(descriptor, "rb", buffering=1 << 16) as file:
        try:
            yield file
        except OSError as problem:
            raise Unreadable(path, _reason(problem)) from None


def read_whole(path: Path, at_most: int) -> bytes:
    """The content of a small file.

    Raises:
        Unreadable: As ``opened``, or it is longer.
    """
    with opened(path) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise Unreadable(path, f"has more than {at_most} bytes")
    return content


def _reason(problem: OSError | ValueError) -> str:
    words = problem.strerror if isinstance(problem, OSError) else str(problem)
    return f"cannot be read: {words}"
