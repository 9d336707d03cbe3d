"""Where the MQTT broker is and how the station signs in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT = 1883
EXPECTED = "a broker is mqtt://HOST or mqtt://HOST:PORT"


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker.

    Attributes:
        host: Name or address.
        port: TCP port.
        username: Name to sign in with; None for none.
        password_file: Its first line is the password; read at each connection, so that it can be replaced.
    """

    host: str
    port: int
    username: str | None = None
    password_file: Path | None = None

    @property
    def url(self) -> str:
        """``mqtt://HOST:PORT``, without name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt://{host}:{self.port}"


def split_url(url: str) -> tuple[str, int]:
    """Host and port of ``mqtt://HOST:PORT``.

    Raises:
        ValueError: Not such a URL; name and password have keys of their own.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise ValueError(f"{EXPECTED}: {problem}") from None
    if parts.scheme != "mqtt" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(EXPECTED)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{EXPECTED}; the name goes into username, the password into password_file")
    return parts.hostname, DEFAULT_PORT if port is None else port
