"""Telemetry of one session: started when the generator is known, fed by its decisions, ended after its record."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from rfctl import __version__
from rfctl.kernel.effects import Level, Note
from rfctl.telemetry.classes import UNITS, Class, level, prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.clock import Clock
    from rfctl.generator import Identity
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.record.writer import RecordWriter
    from rfctl.station.session import Order
    from rfctl.telemetry.broker import Broker
    from rfctl.telemetry.encoder import Encoder
    from rfctl.telemetry.feed import Feed
    from rfctl.telemetry.inbox import Inbox
    from rfctl.telemetry.publisher import Health, Publisher

FINISH_S = 1.8
"""Longest time on the wall that the end of a session waits for the broker; less than a virtual clock is held."""
LEAVE_S = 1.0


class Publishing:
    """Publishes one session if its station has a broker. Nothing here raises, and nothing but ``end`` waits."""

    def __init__(self, order: Order, clock: Clock, procedure_id: str) -> None:
        self._order = order
        self._clock = clock
        self._procedure_id = procedure_id
        self._broker: Broker | None = order.broker or order.station.broker
        self._inbox: Inbox | None = None
        self._encoder: Encoder | None = None
        self._publisher: Publisher | None = None
        self._feed: Feed | None = None
        self._health: Health | None = None
        self._channels = 0
        self._failed = ""

    def load(self) -> None:
        """Import what is needed, before anything depends on time."""
        if self._broker is not None:
            from rfctl.telemetry import encoder, feed, publisher  # noqa: F401

    def begin(self, identity: Identity) -> None:
        """Begin to publish for this generator."""
        if self._broker is None:
            return
        from rfctl.telemetry.encoder import Encoder, Origin
        from rfctl.telemetry.feed import Feed
        from rfctl.telemetry.inbox import Inbox
        from rfctl.telemetry.publisher import Publisher

        station, now_ns = self._order.station, self._clock.monotonic_ns()
        origin = Origin(
            prefix=prefix(station.site, station.id, identity.serial),
            boot_id=secrets.token_hex(16),
            simulated=identity.simulated,
            time_scale=self._clock.scale,
            utc=self._clock.utc(),
            mono_ns=now_ns,
        )
        self._channels = identity.channels
        self._inbox, self._encoder = Inbox(), Encoder(origin)
        self._encoder.keep(now_ns, Class.META, self._meta(identity))
        self._encoder.keep(now_ns, Class.STATUS, {"status": "online", "reason": ""})
        self._publisher = Publisher(self._broker, self._inbox, self._encoder)
        self._feed = Feed(self._inbox, self._publisher, self._clock, self._procedure_id)
        self._publisher.start()

    def services(self) -> dict[str, Callable[[], str]]:
        """For an onlooker: how the connection to the broker is. Nothing where there is no broker."""
        publisher = self._publisher
        return {} if publisher is None else {"mqtt": lambda: self._failed or str(publisher.health.status)}

    def watch(self, state: KernelState, effects: tuple[Effect, ...]) -> None:
        """Pass a decision on to telemetry and, with what is to be said of the broker, to the session's watcher."""
        publisher = self._publisher
        if publisher is not None and self._feed is not None:
            try:
                self._feed.watch(state, effects)
            except Exception as problem:  # telemetry must not end a procedure, whatever is wrong with it
                self._failed = f"telemetry has failed: {type(problem).__name__}: {problem}"
                self._feed.end()
                self._feed = None
                effects = (*effects, Note(Level.WARNING, 0, "mqtt", self._failed))
            if publisher.health != self._health:
                self._health = publisher.health
                effects = (*effects, _note(self._health))
        self._order.watch(state, effects)

    def head(self, origin: str, note: bytes) -> None:
        """Publish a head of the record, a signed note of ``origin``.

        Only one that is on disk: a crash could else take back what others have kept.
        """
        if self._inbox is not None:
            self._inbox.put_head(self._clock.monotonic_ns(), origin, note)

    async def end(self, record: RecordWriter, document: dict[str, Any], *, sealed: bool) -> dict[str, Any]:
        """Publish the record's head and say goodbye, at most FINISH_S.

        Args:
            record: It has ended.
            document: How the session ended.
            sealed: The record has its seal.

        Returns:
            Members of the document; nothing where there is no broker.
        """
        if self._broker is None or self._publisher is None or self._inbox is None or self._encoder is None:
            return {}
        loop, publisher = asyncio.get_running_loop(), self._publisher
        members = await loop.run_in_executor(None, _record_members, record)
        members |= {"procedure_id": level(self._procedure_id), "outcome": document["outcome"], "sealed": sealed}
        self._inbox.put_news(self._clock.monotonic_ns(), Class.RECORD, members)
        health = publisher.health
        publisher.finish()
        if not publisher.moving or not await loop.run_in_executor(None, publisher.ended_within, FINISH_S):
            publisher.abandon()
            await loop.run_in_executor(None, publisher.ended_within, LEAVE_S)
        if self._feed is not None:
            self._feed.end()
        published = publisher.published_samples
        return {
            "telemetry_published": published,
            "mqtt": {
                "broker": self._broker.url,
                "status": str(health.status),
                "reason": self._failed or health.reason,
                "boot_id": self._encoder.origin.boot_id,
                "messages": publisher.published_messages,
                "samples_dropped": self._inbox.readings_put * self._channels - published,
                "events_dropped": self._encoder.dropped_news + self._inbox.news_left,
            },
        }

    def _meta(self, identity: Identity) -> dict[str, object]:
        station = self._order.station
        return {
            "station": station.id,
            "title": station.title,
            "backend": "simulated" if station.simulated else "device",
            "medium": str(station.medium),
            "model": identity.model,
            "serial": identity.serial,
            "firmware": identity.firmware,
            "software": f"rfctl {__version__}",
            "map_version": ".".join(str(number) for number in identity.map_version),
            "channels": identity.channels,
            "rated_power_w": identity.rated_power_w,
            "station_sha256": station.sha256,
            "profile_sha256": self._order.profile.sha256,
            **UNITS,
        }


def _note(health: Health) -> Note:
    """What the log says of the broker."""
    from rfctl.telemetry.publisher import Status

    good = health.status in (Status.CONNECTING, Status.CONNECTED, Status.ENDED)
    text = f"MQTT {health.status}" + (f": {health.reason}" if health.reason else "")
    return Note(Level.INFO if good else Level.WARNING, 0, "mqtt", text)


def _record_members(record: RecordWriter) -> dict[str, object]:
    """What identifies the log as it is now: how much there is, the hash of its newest checkpoint, and its root."""
    return {
        "file": record.path.name,
        "bytes": sum(path.stat().st_size for path in record.path.iterdir()),
        "lines": record.size,
        "sha256": hashlib.sha256(record.head).hexdigest(),
        "head": record.root.hex(),
    }
