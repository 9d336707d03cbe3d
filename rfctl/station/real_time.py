"""The real-time option: the loop's thread runs before other programs, and its memory stays in memory."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

PRIORITY = 10
"""Of 1 to 99: before every ordinary program, behind the kernel's own interrupt threads at 50."""
CAP_IPC_LOCK = 14
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # sys/mman.h; locked when first touched, not when reserved


@contextmanager
def real_time(*, wanted: bool, station: str) -> Iterator[None]:
    """Run this thread in real time while entered, if the station wants it. Threads and programs it starts do not. Warns
    in the log where its memory cannot be locked.

    Args:
        wanted: station.real_time.
        station: Whose, for messages.

    Raises:
        ConfigError: Wanted, and not permitted here.
    """
    if not wanted:
        yield
        return
    before = _run_first(station)
    try:
        why_not = _lock_memory()
        if why_not:
            _log.warning("station.real_time: memory is not locked, so a page on disk may stop the loop: %s", why_not)
        yield
    finally:
        _call("munlockall")
        os.sched_setscheduler(0, before[0] | os.SCHED_RESET_ON_FORK, before[1])  # the flag stays, see sched(7)


def scheduling() -> str:
    """How the kernel schedules this thread, as a record states it: ``SCHED_OTHER``, ``SCHED_FIFO 10``."""
    if not hasattr(os, "SCHED_RESET_ON_FORK"):
        return "unknown"
    policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
    names = {getattr(os, name): name for name in ("SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE", "SCHED_FIFO", "SCHED_RR")}
    priority = os.sched_getparam(0).sched_priority
    return names.get(policy, str(policy)) + (f" {priority}" if priority else "")


def _run_first(station: str) -> tuple[int, os.sched_param]:
    """Returns: policy and priority until now."""
    if not hasattr(os, "SCHED_RESET_ON_FORK"):
        raise ConfigError(
            f"station.real_time: {sys.platform} has no SCHED_FIFO", where=station, remedy="Leave station.real_time out."
        )
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError as problem:
        raise ConfigError(
            f"station.real_time: SCHED_FIFO with priority {PRIORITY} is not permitted: {problem.strerror}",
            where=station,
            remedy=f"Permit it (LimitRTPRIO={PRIORITY} in a systemd unit, rtprio {PRIORITY} in limits.conf), or leave "
            "station.real_time out.",
        ) from None
    return before


def _lock_memory() -> str:
    """Lock what this process has and will have in memory. Returns: why that cannot be; empty when it is done."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if limit != resource.RLIM_INFINITY and not _may_lock_all():
        # It could succeed now and then fail whatever allocates memory later.
        return f"at most {limit // 1024} KiB may be. Permit it: LimitMEMLOCK=infinity, or memlock unlimited."
    return _call("mlockall", MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)


def _may_lock_all() -> bool:
    """This process has CAP_IPC_LOCK; see capabilities(7)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_IPC_LOCK & 1)
    return False


def _call(name: str, *args: int) -> str:
    """A function of the C library that returns 0. Returns: what went wrong; empty when nothing did."""
    import ctypes

    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        return f"the C library has no {name}"
    return f"{name}: {os.strerror(ctypes.get_errno())}" if function(*args) else ""
