"""A kept wire trace, played to the driver again: what it asks and decodes is compared.

The driver sits on an ordinary link whose far end has the recorded answers. It identifies the generator and then takes
a reading wherever the trace has one; each of its requests must be, byte for byte, the one that was recorded, and is
answered with the bytes that came then, in the pieces in which they came. A reading is compared with the one in the
record that has the same time of arrival. Writes are not played: what they were for stands in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import DeviceError, LinkError
from rfctl.kernel.events import Sampled
from rfctl.link.link import Link
from rfctl.link.recorded_line import RecordedLine
from rfctl.record.story import Heard, story
from rfctl.station import registry
from rfctl.station.connection import framing_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.link.trace import TraceFile
    from rfctl.model.reading import Reading
    from rfctl.profile.any_profile import AnyProfile

REPLY_NS = 100 * NS_PER_MS
SHOWN = 12
"""Differences that are told; the rest are counted."""


class Replayed(NamedTuple):
    """What came of it.

    Attributes:
        links: Connections in the trace.
        requests: Requests of the driver that were the recorded ones.
        readings: Readings decoded.
        compared: Readings that the record has, too.
        differences: How many requests and readings differ.
        shown: The first of them, in words.
    """

    links: int
    requests: int
    readings: int
    compared: int
    differences: int
    shown: tuple[str, ...]


async def replay(trace: TraceFile, profile: AnyProfile, readings: Mapping[int, Reading], clock: Clock) -> Replayed:
    """Play every link of a trace.

    Args:
        trace: As it was kept.
        profile: Decodes it; another one than the recorded one shows what would be different.
        readings: Of the record, by time of arrival.
        clock: Of the running loop, best a virtual one.

    Raises:
        ConfigError: The driver is not installed, or does not take the profile.
    """
    told: list[str] = []
    requests = decoded = compared = 0
    address = trace.about.get("link", "")
    for number, entries in enumerate(trace.links, 1):
        end = RecordedLine(entries)
        link = Link(end.near, framing_of(address), clock, address=address, reply_ns=REPLY_NS)
        try:
            generator = registry.driver(profile.driver)(link, profile)
            link.load(generator.table(), generator.off_frames())  # by which the gate knows a read
            try:
                await generator.identify()
            except (LinkError, DeviceError) as problem:
                told.append(f"link {number}, identify: {_why(end, problem)}")
                continue
            status = generator.cycle()[0]
            while (at := _next_reading(end, status)) is not None:
                end.at, end.other = at, b""
                exchange = end.exchanges[at]
                link.number_from(_number(address, exchange.request))
                when = f"link {number}, {exchange.at_ns / NS_PER_S:.3f} s"
                try:
                    reading = await generator.read()
                except (LinkError, DeviceError) as problem:
                    if end.other or exchange.replies:
                        told.append(f"{when}: {_why(end, problem)}")
                    end.at = max(end.at, at + 1)
                    continue
                decoded += 1
                recorded = readings.get(end.received_ns)
                if recorded is not None:
                    compared += 1
                    told.extend(f"{when}: {what}" for what in _differences(recorded, reading))
            if not decoded:
                told.append(
                    f"link {number}: the driver reads the status by {status.hex()}, which the trace does not have"
                )
        finally:
            requests += end.matched
            end.close()
            link.close()
    return Replayed(len(trace.links), requests, decoded, compared, len(told), tuple(told[:SHOWN]))


def readings_of(record: Path) -> dict[int, Reading]:
    """The readings in a record by their time of arrival.

    Raises:
        ConfigError: The file cannot be read.
        RecordError: A line is not one of a record.
    """
    found = {}
    for told in story(record):
        if isinstance(told, Heard) and isinstance(told.event, Sampled):
            reading = told.event.reading
            found[reading.received_ns] = reading
    return found


def _next_reading(end: RecordedLine, status: bytes) -> int | None:
    for at in range(end.at, len(end.exchanges)):
        if status in end.exchanges[at].request:
            return at
    return None


def _number(address: str, request: bytes) -> int:
    """The number that a recorded request bears; 0 where it bears none."""
    scheme = address.partition(":")[0]
    if scheme == "tcp":
        return int.from_bytes(request[:2], "big")
    return int(request[1:5], 16) if scheme in {"line", "linetcp"} else 0


def _why(end: RecordedLine, problem: Exception) -> str:
    if end.other:
        there = end.exchanges[end.at].request.hex() if end.at < len(end.exchanges) else "nothing more"
        return f"the driver asks {end.other.hex()}, the trace has {there}"
    return str(problem)


def _differences(recorded: Reading, reading: Reading) -> list[str]:
    """Every quantity that was decoded differently; by text, so that not-a-number equals itself."""
    found = [
        f"{name} was {was}, is {now}"
        for name, was, now in zip(reading._fields, recorded, reading, strict=True)
        if name not in {"received_ns", "channels"} and str(was) != str(now)
    ]
    if len(recorded.channels) != len(reading.channels):
        return [*found, f"{len(recorded.channels)} channels were read, {len(reading.channels)} are"]
    for number, (before, after) in enumerate(zip(recorded.channels, reading.channels, strict=True), 1):
        found += [
            f"{name} of channel {number} was {was}, is {now}"
            for name, was, now in zip(after._fields, before, after, strict=True)
            if str(was) != str(now)
        ]
    return found
