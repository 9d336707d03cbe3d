"""Lines as a generator reads and writes them: the codec of the line protocol, a second time.

Written from docs/protocols/line.md and from nothing else, so that a mistake on either side shows.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from typing import NamedTuple

MOST_BYTES = 1024
CRC_START = 0xFFFF  # CRC-16/IBM-3740

SOUND = re.compile(rb">([0-9A-F]{4}) ([\x20\x22-)+-;=?-~]+)\*([0-9A-F]{4})\r\n", re.DOTALL)
"""A request: marker, number, body without markers and asterisk, check sum. The body's range leaves out ! * < >."""
BARE = re.compile(r"OFF|IDENT|FIELDS|STATUS( [0-9])?|(TRAITS|GET) [0-9]")
"""What a person may type without marker, number and check sum."""


class Request(NamedTuple):
    """A line that was heard.

    Attributes:
        number: That its reply must carry; 0 for a bare line and for what is none.
        body: Its words; None for what is no line.
    """

    number: int
    body: str | None


class Lines:
    """Cuts what arrives on one connection into requests."""

    def __init__(self) -> None:
        self._received = b""

    def forget(self) -> None:
        """What had half arrived is gone."""
        self._received = b""

    def heard(self, data: bytes) -> list[tuple[bytes, Request]]:
        """The requests that are complete with these bytes, each with its line."""
        *lines, self._received = (self._received + data).split(b"\n")
        if len(self._received) > MOST_BYTES:
            self._received = self._received[-MOST_BYTES:]  # its line is too long whatever follows
        requests = []
        for line in lines:
            line += b"\n"
            request = _request(line)
            if request is not None:
                requests.append((line, request))
        return requests


def _request(line: bytes) -> Request | None:
    """What a line asks; None for one that is not for a generator."""
    begins = max(line.rfind(marker) for marker in (b">", b"<", b"!"))
    if begins < 0:
        text = line.decode("ascii", errors="replace")
        if text.endswith("\r\n") and BARE.fullmatch(text[:-2]):
            return Request(0, text[:-2])
        return Request(0, None)
    if line[begins : begins + 1] != b">":
        return None  # a reply or an event, of another generator
    text_bytes = line[begins:]
    found = SOUND.fullmatch(text_bytes)
    if found is None or len(text_bytes) > MOST_BYTES:
        return Request(0, None)
    number, body, check_sum = found.groups()
    if int(number, 16) == 0 or int(check_sum, 16) != crc_hqx(b">" + number + b" " + body, CRC_START):
        return Request(0, None)
    return Request(int(number, 16), body.decode("ascii"))


def said(marker: str, number: int, body: str) -> bytes:
    """A line on its way out."""
    text = f"{marker}{number:04X} {body}".encode("ascii")
    return text + f"*{crc_hqx(text, CRC_START):04X}\r\n".encode("ascii")


def measured(value: float, digits: int) -> str:
    """A measurement with so many digits after the point; ``nan`` for not-a-number."""
    return f"{value:.{digits}f}"


def held(value: float | None) -> str:
    """A setting as it was written; ``nan`` for one that is not set."""
    if value is None:
        return "nan"
    return f"{value:.6f}".rstrip("0").rstrip(".")
