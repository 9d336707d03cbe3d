"""Opens a serial port: locked, raw, at low latency, and with its control lines left alone."""

from __future__ import annotations

import array
import errno
import functools
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from serial import Serial, SerialException

from rfctl.errors import ConfigError, LinkClosed
from rfctl.link.holder import holder_of
from rfctl.link.port_names import path_of
from rfctl.link.ports import ROOT, latency_ms

if TYPE_CHECKING:
    from rfctl.link.serial_line import SerialLine

CONTROL_CHARACTERS = 6  # place of the control characters among the settings of a terminal
CONTROL_FLAGS = 2
IN_USE = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY})

PTY_MAJORS = range(136, 144)  # of the near ends of ptys (the kernel's list of devices)

ASYNC_LOW_LATENCY = 1 << 13  # linux/tty_flags.h
SERIAL_STRUCT_INTS = 32  # more than struct serial_struct (linux/serial.h) has
FLAGS_AT = 4  # ints into it
LEAST_MS = 1  # of an FTDI adapter's timer


class QuietSerial(Serial):
    """pyserial's port, which neither sets nor clears DTR and RTS when it is opened."""

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


def open_blocking(line: SerialLine, *, timeout_s: float, where: str = "") -> Serial:
    """Open a port for blocking calls, on Linux and on Windows.

    Args:
        line: Which port, and how it is set.
        timeout_s: Longest time that a read waits, s; 0 for none. Of a write, too.
        where: The address as somebody wrote it, for messages.

    Raises:
        ConfigError: The port is an alias that there is not.
        LinkClosed: There is no such port, or somebody else uses it.
    """
    where = where or line.address
    path = path_of(line.path, where=where)
    # Windows opens ports for one program only; pyserial knows no other lock there.
    exclusive = None if sys.platform == "win32" else True
    try:
        port = QuietSerial(
            path,
            line.baud,
            parity=line.parity,
            stopbits=line.stopbits,
            timeout=timeout_s,
            write_timeout=timeout_s,
            exclusive=exclusive,
        )
    except (SerialException, ValueError) as problem:
        raise _not_opened(path, problem, where if path == line.path else f"{where} ({path})") from None
    if sys.platform != "win32":
        try:
            _make_ours(port.fileno(), path)
        except OSError as problem:  # pulled out in this moment
            port.close()
            raise _not_opened(path, problem, where if path == line.path else f"{where} ({path})") from None
    return port


def open_descriptor(line: SerialLine, *, where: str = "") -> int:
    """Open a port as a non-blocking descriptor that the caller owns.

    Args:
        line: Which port, and how it is set.
        where: The address as somebody wrote it, for messages.

    Raises:
        ConfigError: The port is an alias that there is not, or on Windows.
        LinkClosed: There is no such port, or somebody else uses it.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "the link to a generator cannot wait for a Windows port",
            where=where or line.address,
            remedy="Run rfctl on Linux, or reach the generator over TCP.",
        )
    with open_blocking(line, timeout_s=0, where=where) as port:
        return os.dup(port.fileno())  # the lock goes with it


def _make_ours(descriptor: int, path: str) -> None:
    import fcntl
    import termios

    if not _is_pty(descriptor):
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
    try:
        settings = termios.tcgetattr(descriptor)
    except termios.error as problem:
        raise OSError(*problem.args) from None
    # pyserial lets a read of nothing return at once, which would look like the end of a port that was unplugged.
    settings[CONTROL_CHARACTERS][termios.VMIN] = 1
    settings[CONTROL_CHARACTERS][termios.VTIME] = 0
    settings[CONTROL_FLAGS] &= ~termios.HUPCL  # the lines stay up when we end: the next open is no edge
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)
    if refused := set_low_latency(descriptor, Path(os.path.realpath(path)).name):
        _warn_once(path, refused)


def _is_pty(descriptor: int) -> bool:
    return os.major(os.fstat(descriptor).st_rdev) in PTY_MAJORS


def set_low_latency(descriptor: int, name: str, root: Path = ROOT) -> str:
    """Have the driver hand bytes over at once.

    Args:
        descriptor: Of the port.
        name: Of the device, as in ``ttyUSB0``.
        root: Stands for ``/``.

    Returns:
        What stands in the way; empty when nothing does, or when the driver has nothing to set.
    """
    if sys.platform != "linux":
        return ""
    import fcntl
    import termios

    refused = ""
    settings = array.array("i", [0] * SERIAL_STRUCT_INTS)
    try:
        fcntl.ioctl(descriptor, termios.TIOCGSERIAL, settings)
        if not settings[FLAGS_AT] & ASYNC_LOW_LATENCY:
            settings[FLAGS_AT] |= ASYNC_LOW_LATENCY
            fcntl.ioctl(descriptor, termios.TIOCSSERIAL, settings)
    except OSError as problem:
        if problem.errno not in {errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP}:  # the driver has no such mode
            refused = f"low latency was refused: {os.strerror(problem.errno or 0)}"
    timer_ms = latency_ms(name, root)
    if timer_ms is not None and timer_ms > LEAST_MS:
        return f"the adapter keeps bytes for up to {timer_ms} ms (latency_timer){f'; {refused}' if refused else ''}"
    return refused


@functools.cache
def _warn_once(path: str, problem: str) -> None:
    logging.getLogger(__name__).warning("%s: %s. See the udev rule in docs/serial.md.", path, problem)


def _not_opened(path: str, problem: Exception, where: str) -> LinkClosed:
    number = getattr(problem, "errno", None)
    if number in IN_USE:
        holder = holder_of(path)
        return LinkClosed(
            f"the port is in use{f' by {holder}' if holder else ''}",
            where=where,
            remedy="End that program, or take another port." if holder else "Find its user with: fuser -v PORT.",
        )
    if number == errno.ENOENT:
        why, remedy = "there is no such port", "Check that it is plugged in; 'rfctl ports' lists the ones that are."
    elif number == errno.EACCES:
        why, remedy = "permission denied", "Add this user to the group of the port, usually dialout."
    elif number:
        why, remedy = os.strerror(number), "Check cable and adapter."
    else:
        why, remedy = str(problem), "Check that it is a serial port and takes these settings."
    return LinkClosed(f"cannot open the port: {why}", where=where, remedy=remedy)
