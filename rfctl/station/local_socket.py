"""Local sockets in a station's state folder: one end that listens, one that connects, and who is there.

The path of a local socket is limited to about 100 bytes, a state folder's is not; both ends go by way of a descriptor
of the folder.
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Socket = socket.socket
OWNER_ONLY = 0o600
ANYONE = 0o666
_CREDENTIALS = struct.Struct("3i")


class Peer(NamedTuple):
    """Who connected, by the operating system's word."""

    pid: int
    uid: int


def listen(folder: Path, name: str, *, mode: int) -> Socket:
    """Listen, non-blocking, in a folder that this process owns; a file that an earlier process left is replaced.

    Args:
        folder: The state folder.
        name: Of the socket's file.
        mode: Permissions of the file: ``OWNER_ONLY`` or ``ANYONE`` who reaches the folder.

    Raises:
        OSError: The folder cannot be used.
    """
    with suppress(FileNotFoundError):
        (folder / name).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(listener.fileno(), OWNER_ONLY)  # before the file is there, so that nobody is early
        with _by_descriptor(folder) as place:
            listener.bind(f"{place}/{name}")
        (folder / name).chmod(mode)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def accept(listener: Socket) -> Socket | None:
    """The next who connects, non-blocking; None while there is nobody."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return None
    os.set_blocking(connection.fileno(), False)
    return connection


def connect(folder: Path, name: str, *, timeout_s: float) -> Socket:
    """Connect; every later wait on the socket ends after ``timeout_s``.

    Raises:
        FileNotFoundError: There is no such socket.
        ConnectionRefusedError: Nobody listens any more.
        OSError: Not allowed.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with _by_descriptor(folder) as place:
            connection.connect(f"{place}/{name}")
    except BaseException:
        connection.close()
        raise
    return connection


def peer_of(connection: Socket) -> Peer:
    """The process at the other end."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return Peer(pid, uid)


def may_control(peer: Peer) -> bool:
    """Only the user that runs the station, and root."""
    return peer.uid in {os.geteuid(), 0}


def send_datagram(address: str, data: bytes) -> None:
    """One datagram to a local socket; a leading ``@`` names one without a file. What cannot be sent at once is lost."""
    place = "\0" + address[1:] if address.startswith("@") else address
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.sendto(data, place)


@contextmanager
def _by_descriptor(folder: Path) -> Iterator[str]:
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
