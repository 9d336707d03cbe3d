"""Resetting what is latched: the generator measured off, the relay proved anew, the cause looked for, and the demands
of each class asked of whoever resets. All of it is a record of its own, also where it is refused.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rfctl.accounts import deeds
from rfctl.accounts.resets import Demand, Given, members_of, missing
from rfctl.accounts.roles import UNNAMED, Person, Role
from rfctl.clock import NS_PER_S
from rfctl.errors import RecordError, RfctlError
from rfctl.kernel.interlocks import has_output
from rfctl.kernel.limits import TEMPERATURE_MAX_C
from rfctl.model.reading import PadStatus
from rfctl.record.epochs import write_public_key
from rfctl.record.opening import ThrowAway
from rfctl.record.pointer import StateFolder
from rfctl.record.writer import RecordWriter
from rfctl.station import after_reset, latches
from rfctl.station.after_reset import left_by
from rfctl.station.connection import Connection
from rfctl.station.guarding import guard_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.model.reading import ChannelReading, Reading
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.after_reset import Left
    from rfctl.station.latches import Standing
    from rfctl.station.station_file import Station

LOOK_S = 0.05
LOOKED_NS = NS_PER_S
"""How long the generator is looked at, at rest, for the cause of a trip."""
IMPEDANCE_OHM = (30.0, 1200.0)
"""Limits: impedance, running."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What whoever resets has brought along.

    Attributes:
        by: Who; None where the station has no accounts.
        second: Who stands beside.
        reason: As typed.
        service: What was changed in service or configuration.
        physician: Who confirmed the electrode's position by imaging.
        new_setup: The set-up was made and confirmed anew.
    """

    by: Person | None = None
    second: Person | None = None
    reason: str = ""
    service: str = ""
    physician: str = ""
    new_setup: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        reset: Latches that do not stand any more.
        refused: Those that do, each with what is missing.
        problem: Why the self-test has not passed; empty where it has.
        record: Folder of the record; None where nothing stood.
        public_key: What verifies it.
    """

    reset: tuple[Standing, ...] = ()
    refused: tuple[tuple[Standing, tuple[Demand, ...]], ...] = ()
    problem: str = ""
    record: Path | None = None
    public_key: Path | None = None


async def reset(station: Station, profile: AnyProfile, asked: Asked, clock: Clock) -> Outcome:
    """Reset what can be reset.

    Args:
        station: Whose latches.
        profile: Of its generator.
        asked: By whom, and why.
        clock: Of the running loop.

    Raises:
        ConfigError: A process runs this station, or its folders cannot be used.
        RecordError: What is done cannot be recorded; then nothing is reset.
    """
    with StateFolder.claim(station.state_folder) as folder:
        standing = latches.load(folder.state_dir)
        if not standing:
            return Outcome()
        place, record = await _begin(station, profile, clock)
        try:
            found = await _found(station, profile, clock, record)
            outcome, left = _judge(station, standing, asked, found, clock, record)
            await record.durable()  # what was reset is on disk before it does not stand any more
            after_reset.store(folder.state_dir, (*after_reset.load(folder.state_dir), *left))
            latches.store(folder.state_dir, tuple(each for each, _ in outcome.refused))
        finally:
            await record.seal()
        return replace(outcome, record=record.path, public_key=place / "record.pub")


async def login_refused(station: Station, profile: AnyProfile, name: str, problem: str, clock: Clock) -> None:
    """Record that somebody who wanted to reset did not prove a name.

    Args:
        station: Whose latches.
        profile: Of its generator.
        name: That was claimed.
        problem: Why it was not believed.
        clock: Of the running loop.

    Raises:
        RecordError: It cannot be recorded.
    """
    _, record = await _begin(station, profile, clock)
    done = deeds.Done(deeds.Deed.LOGIN_REFUSED, name, reason=problem)
    record.append(deeds.KIND, clock.monotonic_ns(), done.members(), significant=True, actor=str(done))
    await record.seal()


async def _begin(station: Station, profile: AnyProfile, clock: Clock) -> tuple[Path, RecordWriter]:
    """The folder and the record of one attempt.

    Raises:
        RecordError: The disk refused.
    """
    name = f"{station.id}-{clock.utc():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}-reset"
    place = station.record_folder.resolve() / name
    try:
        place.mkdir(parents=True)
    except OSError as problem:
        raise RecordError(f"cannot be made: {problem.strerror}", where=str(place), remedy="Make room there.") from None
    keys = ThrowAway(station.id)
    write_public_key(place / "record.pub", keys.public)
    header = {
        "station": station.id,
        "backend": "simulated" if station.simulated else "device",
        "medium": str(station.medium),
        "procedure_id": name,
        "station_sha256": station.sha256,
        "profile_sha256": profile.sha256,
    }
    return place, await RecordWriter.open(place / "record", clock=clock, keys=keys, header=header)


@dataclass(frozen=True, slots=True)
class _Found:
    """The self-test: what was seen of the generator at rest, and whether the relay is proved."""

    readings: tuple[Reading, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return not self.problem


async def _found(station: Station, profile: AnyProfile, clock: Clock, record: RecordWriter) -> _Found:
    """Connect, turn off, clear faults whose cause is gone, prove the relay, and look for a second."""
    connection = Connection(station.link, profile, clock, simulated=station.simulated)
    try:
        await connection.open()
        generator = connection.generator
        await generator.claim(secrets.randbelow(0xFFFF) + 1)
        await generator.clear_faults()
        await generator.release()
        if station.guard is not None:
            guarding = guard_of(station, profile, connection, clock, None)
            connection.listen(guarding.tap)
            try:
                await guarding.prove(generator.read)
                record.append("guard", clock.monotonic_ns(), guarding.members)
            finally:
                await guarding.close()
        readings = [await generator.read()]
        end_ns = clock.monotonic_ns() + LOOKED_NS
        while clock.monotonic_ns() < end_ns:
            await asyncio.sleep(LOOK_S)
            readings.append(await generator.read())
        connection.off()
        return _Found(tuple(readings), _problem(readings))
    except RfctlError as problem:
        record.append("self_test", clock.monotonic_ns(), {"passed": False, "problem": str(problem)})
        return _Found(problem=str(problem))
    finally:
        connection.close()


def _problem(readings: list[Reading]) -> str:
    if any(has_output(channel) for reading in readings for channel in reading.channels):
        return "an output is on"
    if readings[0].sample_counter == readings[-1].sample_counter:
        return "the generator's sample counter stands still"
    return ""


def _judge(
    station: Station, standing: tuple[Standing, ...], asked: Asked, found: _Found, clock: Clock, record: RecordWriter
) -> tuple[Outcome, tuple[Left, ...]]:
    done: list[Standing] = []
    left: list[Left] = []
    at = f"{clock.utc():%Y-%m-%dT%H:%M:%SZ}"
    refused: list[tuple[Standing, tuple[Demand, ...]]] = []
    now_ns = clock.monotonic_ns()
    by = asked.by
    if by is None and station.accounts is None and station.simulated:
        by = Person(UNNAMED, frozenset({Role.OPERATOR}), now_ns)
    for latch in standing:
        given = Given(
            cause_gone=found.passed and cause_gone(latch, found.readings),
            by=by,
            reason=asked.reason,
            self_test_passed=found.passed,
            new_setup=asked.new_setup,
            stimulation_checked=True,  # by the next procedure: rfctl.station.after_reset holds it to that
            physician=asked.physician,
            impedance_ohm=_impedance_ohm(latch, found.readings),
            reference_ohm=latch.reference_ohm if latch.reference_ohm is not None else float("nan"),
            on_report=True,  # of the next procedure, likewise
            service=asked.service,
            second=asked.second,
        )
        lacks = missing(latch.must, given, now_ns, patient=station.patient)
        members: dict[str, Any] = {
            "deed": "reset_refused" if lacks else "reset",
            "latch": str(latch),
            "missing": [str(demand) for demand in lacks],
            "self_test": found.problem or "passed",
            **members_of(latch.must, given),
        }
        who = deeds.Done.by(by, deeds.Deed.ACKNOWLEDGE)
        record.append(deeds.KIND, now_ns, members, significant=True, actor=str(who))
        if lacks:
            refused.append((latch, lacks))
        else:
            done.append(latch)
            left.append(left_by(latch, members, at))
    return Outcome(tuple(done), tuple(refused), found.problem), tuple(left)


# the cause, as far as it can be seen with every output off


def _reads(channel: ChannelReading) -> bool:
    return channel.thermocouple_open is not True and 0.0 <= channel.temperature_c <= TEMPERATURE_MAX_C


def _conducts(channel: ChannelReading) -> bool:
    return IMPEDANCE_OHM[0] <= channel.impedance_ohm <= IMPEDANCE_OHM[1]


def _without_fault(channel: ChannelReading) -> bool:
    return not channel.fault_bits


CAUSES: dict[str, Callable[[ChannelReading], bool]] = {
    "thermocouple_open": _reads,
    "temperature_max": _reads,
    "temperature_implausible_low": _reads,
    "temperature_step": _reads,
    "over_set": _reads,
    "over_set_fast": _reads,
    "impedance_high": _conducts,
    "impedance_low": _conducts,
    "impedance_rising": _conducts,
    "impedance_falling": _conducts,
    "impedance_over_minimum": _conducts,
    "generator_fault": _without_fault,
}
"""What must hold of a channel at rest for the cause of a trip to be gone. What shows only under energy, and what is of
the generator as a whole, is gone when the self-test has passed: measured off, counting, its relay proved."""


def cause_gone(latch: Standing, readings: tuple[Reading, ...]) -> bool:
    """In every sample of the look, on the channel, or on every one that has an electrode."""
    holds = CAUSES.get(latch.code)
    if latch.code == "generator_fault" and any(reading.fault_bits for reading in readings):
        return False
    if latch.hazard == "HZ-13":
        return all(reading.pad_status in {PadStatus.OK, PadStatus.NOT_MONITORED} for reading in readings)
    if holds is None:
        return bool(readings)
    return bool(readings) and all(holds(channel) for reading in readings for channel in _of(latch, reading))


def _of(latch: Standing, reading: Reading) -> tuple[ChannelReading, ...]:
    if latch.channel:
        return (reading.channels[latch.channel - 1],)
    return tuple(channel for channel in reading.channels if channel.electrode_present is not False)


def _impedance_ohm(latch: Standing, readings: tuple[Reading, ...]) -> float:
    if not readings or not latch.channel:
        return float("nan")
    return sum(reading.channels[latch.channel - 1].impedance_ohm for reading in readings) / len(readings)
