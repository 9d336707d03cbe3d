"""The identity of this boot of the machine: monotonic times compare only within one boot."""

from __future__ import annotations

from pathlib import Path

from rfctl.errors import RecordError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's random name of this boot.

    Raises:
        RecordError: The kernel does not tell.
    """
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError as problem:
        raise RecordError(
            f"the boot identity cannot be read: {problem}", where=str(BOOT_ID), remedy="Mount /proc."
        ) from None
