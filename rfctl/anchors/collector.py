"""Keeps every head that stations publish over MQTT. It judges nothing: a verifier does, years later.

The broker keeps the last head of each station only, and a station could overwrite it; what is here, it cannot.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

import aiomqtt

from rfctl.anchors.heads import HeadSeries
from rfctl.errors import ConfigError
from rfctl.telemetry.classes import ANCHORS
from rfctl_verify.note import MAX_NOTE_BYTES, BadNote, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.telemetry.broker import Broker

MOST_ORIGINS = 10_000
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 30.0
CONNECT_S = 5.0


class Collector:
    """Appends what arrives.

    Attributes:
        kept: Heads appended since the start.
        refused: Messages that were no head, or too many origins.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        """Use a folder, made when it is not there.

        Args:
            folder: For the files of rfctl.anchors.heads.
            say: Told in words what happens.

        Raises:
            ConfigError: It cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise ConfigError(
                f"cannot be made: {problem.strerror}", where=str(folder), remedy="Check the path."
            ) from None
        self._folder = folder
        self._identifier = f"rfctl-anchors-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"
        self._say = say
        self._told = ""
        self._series: dict[str, HeadSeries] = {}
        self.kept = 0
        self.refused = 0

    async def run(self, broker: Broker) -> None:
        """Listen until cancelled; a broker that goes away is waited for.

        Raises:
            ConfigError: The disk refused, or the password file cannot be read.
        """
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with aiomqtt.Client(
                    broker.host,
                    broker.port,
                    username=broker.username,
                    password=_password(broker),
                    identifier=self._identifier,
                    clean_session=False,  # while this is away, the broker keeps what comes
                    timeout=CONNECT_S,
                ) as client:
                    await client.subscribe(f"{ANCHORS}#", qos=1)
                    self._say(f"listening at {broker.url}")
                    retry_s, self._told = FIRST_RETRY_S, ""
                    async for message in client.messages:
                        self.take(str(message.topic), message.payload)
            except aiomqtt.MqttError as problem:
                if str(problem) != self._told:
                    self._told = str(problem)
                    self._say(f"{broker.url}: {problem}; trying again")
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)

    def take(self, topic: str, payload: bytes) -> None:
        """Keep one message, if it is a head of the origin that its topic names.

        Raises:
            ConfigError: The disk refused.
        """
        origin = topic.removeprefix(ANCHORS)
        try:
            if not payload and origin in self._series:
                raise BadNote("an empty message: somebody deleted the retained head; what is kept here stays")
            if len(payload) > MAX_NOTE_BYTES:
                raise BadNote(f"{len(payload)} bytes")
            if (found := parse_checkpoint(parse_note(payload).text)).origin != origin:
                raise BadNote(f"it is of {found.origin!r}")
            if origin not in self._series and len(self._series) >= MOST_ORIGINS:
                raise BadNote(f"{MOST_ORIGINS} origins are kept, the most there can be")
        except BadNote as problem:
            self.refused += 1
            self._say(f"no head at {topic[:200]!r}: {problem}")
            return
        series = self._series.get(origin)
        if series is None:
            series = self._series[origin] = HeadSeries(self._folder, origin)
        if series.last != payload:  # the retained one comes again at each connection
            series.append(payload)
            self.kept += 1
            self._say(f"{origin} {found.size} {found.root.hex()[:16]}")

    def close(self) -> None:
        """Let go of the files."""
        for series in self._series.values():
            with suppress(OSError):
                series.close()


def _password(broker: Broker) -> str | None:
    if broker.password_file is None:
        return None
    try:
        return broker.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"cannot be read: {problem}", where=str(broker.password_file), remedy="Check the path."
        ) from None
