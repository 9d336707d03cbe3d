"""Turns readings and news into the messages of the profile: numbers them, batches them, and declares what is missing.

Belongs to the telemetry thread. Nothing here knows of a broker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S, wall_ns
from rfctl.kernel.phase import ENERGISED
from rfctl.telemetry.classes import ANCHORS, FLAGS, MEASURED, QOS, RETAINED, SCHEMA, Class
from rfctl.telemetry.inbox import News

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfctl.kernel.phase import Phase
    from rfctl.model.reading import ChannelReading
    from rfctl.telemetry.inbox import Head, Inbox, Measured

BATCH_NS = NS_PER_S
TELEMETRY_NS = 500 * NS_PER_MS
FROZEN_NS = 300 * NS_PER_MS
"""A sample counter that stands still for so long means old values, whatever they are."""
LATE_NS = 2 * NS_PER_S
"""On the wall: what is sent later than this after its newest value was measured is history."""
GOOD, STALE, BAD = "good", "stale", "bad"
DIGITS = 3

_values = attrgetter(*MEASURED)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who publishes, and how its times are read.

    Attributes:
        prefix: Topic up to the class.
        boot_id: Name of this start of the station; every counter begins with it.
        simulated: The generator is a simulator.
        time_scale: Relation of the station's clock to the wall.
        utc: UTC at ``mono_ns``.
        mono_ns: The station's monotonic clock at ``utc``.
    """

    prefix: str
    boot_id: str
    simulated: bool
    time_scale: str
    utc: datetime
    mono_ns: int

    def timestamp(self, mono_ns: int) -> str:
        """RFC 3339 UTC with milliseconds."""
        at = self.utc + timedelta(microseconds=(mono_ns - self.mono_ns) // 1000)
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Message:
    """One message to publish.

    Attributes:
        kind: Its class.
        topic: Where it goes.
        qos: Quality of service.
        members: Its payload, but for ``historical``, which is known when it is sent, and the arrays.
        wall_ns: When its newest value was put in.
        samples: Samples of one channel in it, 0 for anything but a batch.
        resent: It was sent before and not acknowledged.
        arrays: More members, as JSON text: ``,"name":[...]`` one after the other.
        note: The payload as it is, of a head of the record; its members are not sent.
    """

    kind: Class
    topic: str
    qos: int
    members: dict[str, object]
    wall_ns: int
    samples: int = 0
    resent: bool = False
    arrays: str = ""
    note: bytes = b""

    @property
    def retained(self) -> bool:
        """The broker keeps it."""
        return self.kind in RETAINED

    def payload(self, now_wall_ns: int) -> bytes:
        """JSON, one flat object, which says whether it is late; or the note."""
        if self.note:
            return self.note
        self.members["historical"] = self.resent or now_wall_ns - self.wall_ns > LATE_NS
        text = json.dumps(self.members, allow_nan=False, separators=(",", ":"))
        return f"{text[:-1]}{self.arrays}}}".encode()


class Encoder:
    """Makes messages of what is in an inbox.

    Attributes:
        dropped_samples: Samples of one channel that were dropped before they came here.
        dropped_news: News that were.
    """

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.dropped_samples = 0
        self.dropped_news = 0
        self._seq = dict.fromkeys(Class, 0)
        self._news_number = 0
        self._reading_number = 0
        self._pending: list[Measured] = []
        self._telemetry_ns: int | None = None
        self._sample_counter: int | None = None
        self._counter_ns = 0
        self._kept: dict[Class, News] = {}

    def take(self, inbox: Inbox, limit: int) -> list[Message]:
        """Messages of what waits in the inbox: heads and news first, then readings until there are about ``limit``."""
        messages: list[Message] = []
        while len(messages) < limit and (head := inbox.take_head()) is not None:
            messages.append(_of_head(head))
        while len(messages) < limit and (news := inbox.take_news()) is not None:
            messages += self._of_news(news)
        newest: Measured | None = None
        while len(messages) < limit and (measured := inbox.take_reading()) is not None:
            messages += self._batched(measured)
            newest = measured
        if newest is None:
            if self._pending and wall_ns() - self._pending[-1].wall_ns > BATCH_NS:
                messages += self.flush()
        elif self._telemetry_ns is None or newest.mono_ns - self._telemetry_ns >= TELEMETRY_NS:
            self._telemetry_ns = newest.mono_ns
            messages += self._telemetry(newest)
        return messages

    def flush(self) -> list[Message]:
        """The batch that has begun, one message a channel; nothing when there is none."""
        pending, self._pending = self._pending, []
        if not pending:
            return []
        return [self._batch(pending, index) for index in range(len(pending[0].reading.channels))]

    def birth(self) -> list[Message]:
        """What a broker must know first on a new connection: who speaks, its status and its state."""
        return [
            self.message(kind, news.mono_ns, dict(news.members), wall_ns())
            for kind in (Class.META, Class.STATUS, Class.STATE)
            if (news := self._kept.get(kind)) is not None
        ]

    def keep(self, mono_ns: int, kind: Class, members: Mapping[str, object]) -> None:
        """State what ``birth`` says of a class until news of it come."""
        self._kept[kind] = News(0, 0, mono_ns, kind, members)

    def message(
        self, kind: Class, mono_ns: int, members: dict[str, object], at_wall_ns: int, *, quality: str = GOOD
    ) -> Message:
        """One message with the keys that every payload has, and the next number of its class."""
        self._seq[kind] += 1
        common: dict[str, object] = {
            "schema": f"{SCHEMA}/{kind}",
            "boot_id": self.origin.boot_id,
            "seq": self._seq[kind],
            "ts": self.origin.timestamp(mono_ns),
            "mono_ns": mono_ns,
            "quality": quality,
            "historical": False,
            "simulated": self.origin.simulated,
            "time_scale": self.origin.time_scale,
        }
        topic = f"{self.origin.prefix}/{kind}"
        if kind is Class.RECORD:
            topic += f"/{members['procedure_id']}"
        return Message(kind, topic, QOS[kind], common | members, at_wall_ns)

    def will(self, mono_ns: int) -> Message:
        """What the broker says when this connection is lost; outside the count, as number 0."""
        members: dict[str, object] = {"status": "offline", "reason": "connection to the station lost"}
        will = self.message(Class.STATUS, mono_ns, members, wall_ns(), quality=BAD)
        self._seq[Class.STATUS] -= 1
        will.members["seq"] = 0
        return will

    def _of_news(self, news: News) -> list[Message]:
        messages = []
        if (missing := news.number - self._news_number - 1) > 0:
            self.dropped_news += missing
            self._seq[Class.EVENT] += missing
            messages.append(self._loss(news.mono_ns, "news_dropped", f"{missing} earlier messages were dropped"))
        self._news_number = news.number
        if news.kind in (Class.META, Class.STATUS, Class.STATE):
            self._kept[news.kind] = news
        messages.append(self.message(news.kind, news.mono_ns, dict(news.members), news.wall_ns))
        return messages

    def _batched(self, measured: Measured) -> list[Message]:
        messages: list[Message] = []
        missing = measured.number - self._reading_number - 1
        if missing > 0:
            messages += self.flush()
            channels = len(measured.reading.channels)
            first = self._reading_number * channels + 1
            self.dropped_samples += missing * channels
            self._seq[Class.BATCH] += 1  # a gap in the numbers for whoever looks only at them
            lost = f"{missing} readings were dropped: samples {first} to {first + missing * channels - 1}"
            messages.append(self._loss(measured.mono_ns, "samples_dropped", lost))
        elif self._pending and measured.mono_ns - self._pending[0].mono_ns >= BATCH_NS:
            messages += self.flush()
        self._reading_number = measured.number
        self._pending.append(measured)
        if measured.reading.sample_counter != self._sample_counter:
            self._sample_counter, self._counter_ns = measured.reading.sample_counter, measured.mono_ns
        return messages

    def _loss(self, mono_ns: int, code: str, text: str) -> Message:
        members: dict[str, object] = {"level": "warning", "priority": "low", "channel": 0, "code": code, "text": text}
        return self.message(Class.EVENT, mono_ns, members, wall_ns())

    def _batch(self, pending: list[Measured], index: int) -> Message:
        channels = len(pending[0].reading.channels)
        readings = [measured.reading.channels[index] for measured in pending]
        first, last = pending[0], pending[-1]
        arrays = {
            "sample_seq": _integers([(measured.number - 1) * channels + index + 1 for measured in pending]),
            "offset_ms": _decimals([(measured.mono_ns - first.mono_ns) / NS_PER_MS for measured in pending]),
        }
        for name, column in zip(MEASURED, zip(*map(_values, readings), strict=True), strict=True):
            arrays[name] = _flags(column) if name in FLAGS else _decimals(column)
        members: dict[str, object] = {
            "channel": index + 1,
            "energised": any(_energised(measured.phases) for measured in pending),
        }
        quality = BAD if any(map(_bad, readings)) else self._fresh(last)
        message = self.message(Class.BATCH, first.mono_ns, members, last.wall_ns, quality=quality)
        message.samples = len(pending)
        message.arrays = "".join(f',"{name}":{array}' for name, array in arrays.items())
        return message

    def _telemetry(self, measured: Measured) -> list[Message]:
        energised = _energised(measured.phases)
        channels = measured.reading.channels
        messages = []
        for index, reading in enumerate(channels):
            members: dict[str, object] = {
                "channel": index + 1,
                "phase": str(measured.phases[index]) if index < len(measured.phases) else None,
                "energised": energised,
                "sample_seq": (measured.number - 1) * len(channels) + index + 1,
                **{name: _number(getattr(reading, name)) for name in MEASURED},
            }
            quality = BAD if _bad(reading) else self._fresh(measured)
            message = self.message(Class.TELEMETRY, measured.mono_ns, members, measured.wall_ns, quality=quality)
            message.qos = 1 if energised else 0
            messages.append(message)
        return messages

    def _fresh(self, measured: Measured) -> str:
        return GOOD if measured.mono_ns - self._counter_ns <= FROZEN_NS else STALE


def _of_head(head: Head) -> Message:
    members: dict[str, object] = {"mono_ns": head.mono_ns}
    return Message(Class.RECORD, f"{ANCHORS}{head.origin}", QOS[Class.RECORD], members, wall_ns(), note=head.note)


def _energised(phases: tuple[Phase, ...]) -> bool:
    return not ENERGISED.isdisjoint(phases)


def _bad(reading: ChannelReading) -> bool:
    """Not a number where there should be one, or the generator says so itself."""
    measured = reading.temperature_c + reading.impedance_ohm
    return measured - measured != 0 or reading.fault_bits != 0


def _decimals(values: Sequence[float]) -> str:
    """A JSON array of numbers rounded for people, null where there is none. One call formats them all."""
    text = (f"%.{DIGITS}f," * len(values))[:-1] % tuple(values)
    if "n" in text:  # nan, inf, -inf
        text = ",".join("null" if "n" in number else number for number in text.split(","))
    return f"[{text}]"


def _integers(values: Sequence[int]) -> str:
    """A JSON array of whole numbers."""
    return f"[{','.join(map(str, values))}]"


def _flags(values: Sequence[bool]) -> str:
    """A JSON array of true and false."""
    return f"[{','.join(['true' if value else 'false' for value in values])}]"


def _number(value: float) -> float | None:
    """Rounded for people; null where there is no number."""
    if isinstance(value, int):
        return value
    return round(value, DIGITS) if value - value == 0 else None
