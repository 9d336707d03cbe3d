"""The exact bytes of record format 0: how a line opens, what the seal looks like and what its signature covers."""

from __future__ import annotations

import re

from rfctl.errors import ConfigError

FORMAT = "rfctl-record-0"
GENESIS = "0" * 64
"""``prev`` of the first line: there is nothing before it."""
MAX_LINE_BYTES = 1 << 20
"""Longest line, its newline included. A reader needs no more memory than this, whatever it is given."""
RESERVED_MEMBERS = frozenset({"seq", "prev", "kind", "t", "signature"})
"""Members of the line itself; a payload cannot use their names."""

KIND = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
ORIGIN = re.compile(r"rfctl/[!-~]{1,120}", re.ASCII)
"""Visible ASCII only: a newline in an origin could forge a line of the message that the seal signs."""

LINE_OPENING = re.compile(rb'\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","kind":"([a-z][a-z0-9_]{0,31})","t":')
KIND_AND_TIME = re.compile(rb'([a-z][a-z0-9_]{0,31})","t":(?:0|-?[1-9][0-9]{0,18})[,}]')
SEAL_LINE = re.compile(
    rb'\{"seq":(0|[1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})","kind":"seal","t":(0|-?[1-9][0-9]{0,18})'
    rb',"records":(0|[1-9][0-9]{0,18}),"head":"([0-9a-f]{64})","signature":"([0-9a-f]{128})"\}\n'
)
SEAL_MEMBERS = re.compile(rb',"head":"[^"]*","signature":"[^"]*"\}\n\Z')
"""How only a seal ends. A line of another kind that ends so was a seal before its kind was changed."""


def origin_of(station: str) -> str:
    """The name that the seal binds a record to: ``rfctl/`` and the station's name.

    Raises:
        ConfigError: The name is empty, longer than 120 characters, or has a space or a character outside ASCII.
    """
    origin = f"rfctl/{station}"
    if ORIGIN.fullmatch(origin) is None:
        raise ConfigError(
            f"station name {station!r} cannot be in a record",
            remedy="Use 1 to 120 visible ASCII characters, no spaces.",
        )
    return origin


def line_opening(seq: int, head: str) -> bytes:
    """How the line numbered ``seq`` opens, up to its kind, after a line with the hash ``head``."""
    return f'{{"seq":{seq},"prev":"{head}","kind":"'.encode("ascii")


def line_bytes(seq: int, head: str, kind: str, t_ns: int, members: str) -> bytes:
    """One line as it is stored.

    Args:
        seq: Number of the line, from 0.
        head: Hex SHA-256 of the line before it, ``GENESIS`` for the first.
        kind: What the line says, see ``KIND``.
        t_ns: Monotonic time, ns.
        members: The payload as JSON text, each member led by a comma; may be empty.
    """
    return f'{{"seq":{seq},"prev":"{head}","kind":"{kind}","t":{t_ns:d}{members}}}\n'.encode("ascii")


def seal_message(origin: str, records: int, t_ns: int, head: str) -> bytes:
    """What the seal's signature covers; the first line keeps it apart from anything else the key may sign."""
    return f"{FORMAT}\n{origin}\n{records}\n{t_ns}\n{head}\n".encode("ascii")


def seal_line(records: int, t_ns: int, head: str, signature: bytes) -> bytes:
    """The last line: it follows ``records`` lines of which the last has the hash ``head``."""
    members = f',"records":{records},"head":"{head}","signature":"{signature.hex()}"'
    return line_bytes(records, head, "seal", t_ns, members)
