"""Runs the checks of one generator in their order, on one connection, and ends with everything off."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfctl.accounts import deeds
from rfctl.check import at_rest, control
from rfctl.check.energy import Energy
from rfctl.check.findings import Finding, Findings
from rfctl.check.subject import Subject
from rfctl.errors import DeviceError, RefusedError, WrongDevice
from rfctl.model.capability import Capability
from rfctl.profile.profile import Profile
from rfctl.record import epochs
from rfctl.record.opening import ThrowAway
from rfctl.record.writer import RecordWriter
from rfctl.station import calibration, known, registry
from rfctl.station.attendance import at_the_bedside
from rfctl.station.connection import Connection, TooSlow
from rfctl.station.signals import StopSignals
from rfctl.station.station_file import require_accounts, require_layers

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.accounts.deeds import Done
    from rfctl.clock import Clock
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station

WITH_ENERGY = ("lease renewed", "lease expiry", "arm", "fire", "meters", "off while on", "token fires once")

NAMED = {"profile": "word order", "identity": "probes", "calibration": "calibration"}
"""What a generator that is not the profile's has failed, by the table of the profile that says so."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it.

    Attributes:
        findings: One for each check.
        failed: Some check failed.
        record: The record of the part with an output on; None without one.
    """

    findings: tuple[Finding, ...]
    failed: bool
    record: Path | None


async def run(
    station: Station,
    profile: AnyProfile,
    clock: Clock,
    *,
    energise: bool,
    out: Path,
    seed: int = 0,
    acts: tuple[Done, ...] = (),
) -> Report:
    """Check a generator.

    Args:
        station: Whose generator; owned meanwhile.
        profile: What the generator should be.
        clock: Of the running loop.
        energise: Turn outputs on, too: stimulation at amplitude 0, and 1.5 s of RF with at most 2 W.
        out: Folder for the record of that part.
        seed: Of a simulator in process.
        acts: Of the people who began it, for the record.

    Raises:
        ConfigError: The station is in use, or its medium needs layers that are not there, or a device has no accounts.
        LinkError: Nobody there, or the connection was lost.
        RefusedError: A signal stopped it; off has been sent.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    with StopSignals(task) as signals:
        try:
            return await _run(station, profile, clock, energise=energise, out=out, seed=seed, acts=acts)
        except asyncio.CancelledError:
            if not signals.by:
                raise
            task.uncancel()
            raise RefusedError(f"stopped by {signals.by}; off was sent", where=station.id) from None


async def _run(
    station: Station,
    profile: AnyProfile,
    clock: Clock,
    *,
    energise: bool,
    out: Path,
    seed: int,
    acts: tuple[Done, ...],
) -> Report:
    if energise:
        require_layers(station)
        require_accounts(station)
        known.require_map(station, profile)
        calibration.of_station(station, clock.utc(), out)
    findings = Findings(profile.path)
    record = None
    with at_the_bedside(station.state_folder, clock):
        async with AsyncExitStack() as stack:
            address = station.link
            if station.in_process:
                simulation = await registry.start_simulation(station.simulator, clock, seed=seed)
                stack.push_async_callback(simulation.close)
                address = simulation.address
            connection = Connection(address, profile, clock, simulated=station.simulated)
            stack.callback(connection.close)
            stack.callback(connection.off)
            if await _connected(connection, findings):
                subject = Subject(connection, profile, clock, station.medium, findings)
                _judge_calibration(subject, station, out)
                await _look_and_set(subject)
                record = await _with_energy(subject, station, out, acts) if energise and not findings.failed else None
                if not energise:
                    for name in WITH_ENERGY:
                        findings.not_run(name, "needs --energise")
                elif record is None:
                    for name in WITH_ENERGY:
                        findings.not_run(name, "nothing is turned on while something above fails")
    return Report(tuple(findings.all), findings.failed, record)


async def _connected(connection: Connection, findings: Findings) -> bool:
    """Connect, which proves identity, probes and word order."""
    try:
        await connection.open()
    except WrongDevice as wrong:
        table = wrong.keys[0].split(".")[0] if wrong.keys else ""
        check = NAMED.get(table, "identity")
        findings.bad(check, wrong.what, "the generator that the profile describes", *(wrong.keys or ("identity",)))
        return False
    except DeviceError as problem:
        findings.bad("identity", problem.what, "an answer to the identity block", *(problem.keys or ("identity",)))
        return False
    except TooSlow as slow:
        findings.bad("time of a cycle", slow.what, "100 ms at the most", "identity.reply_ms")
        return False
    findings.good("probes and word order", "as the profile expects")
    return True


def _judge_calibration(subject: Subject, station: Station, out: Path) -> None:
    """What the generator itself says of its calibration; the word of the station file is not the generator's."""
    findings, identity = subject.findings, subject.identity
    try:
        told = calibration.of_generator(station, identity, subject.clock.utc(), out)
    except RefusedError as refused:
        profile = subject.profile
        keys = ("calibration.due", "calibration.done") if isinstance(profile, Profile) else ()
        findings.bad("calibration", refused.what, "one that holds today", *keys)
        return
    if not told:
        findings.not_run("calibration", "this generator does not tell of it")
    for each in told:
        days = [f"{name} {each[name]}" for name in ("done", "due") if name in each]
        findings.good("calibration", ", ".join(days), "one that holds today")


async def _look_and_set(subject: Subject) -> None:
    """Everything that needs no output."""
    findings = subject.findings
    at_rest.check_identity(subject)
    try:
        await at_rest.check_samples(subject)
        await at_rest.check_clock(subject)
    except DeviceError as problem:
        findings.bad("block reads", problem.what, "the status answered whole", *(problem.keys or ("status",)))
        return
    try:
        await control.check_off(subject)
        if await control.check_claim(subject):
            await control.check_set_points(subject)
            await control.check_refusal(subject)
            await control.check_no_energy_without_permit(subject)
            subject.connection.off()
            await subject.fresh()
            await subject.generator.release()
    except DeviceError as problem:
        findings.bad("writes", problem.what, "accepted, or refused where it must be", *(problem.keys or ("write",)))


async def _with_energy(subject: Subject, station: Station, out: Path, acts: tuple[Done, ...]) -> Path:
    """The part with an output on, recorded.

    Raises:
        RecordError: The intent could not be put on disk.
    """
    folder = out / f"check-{station.id}-{subject.clock.utc():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    log_keys = ThrowAway(station.id)
    epochs.write_public_key(folder / "record.pub", log_keys.public)
    path = folder / "record"
    header = {
        "station": station.id,
        "backend": "simulated" if station.simulated else "device",
        "medium": str(station.medium),
        "purpose": "conformance check of the generator",
        "station_sha256": station.sha256,
        "profile_sha256": subject.profile.sha256,
    }
    record = await RecordWriter.open(path, clock=subject.clock, keys=log_keys, header=header)
    for act in acts:
        record.append(deeds.KIND, subject.clock.monotonic_ns(), act.members(), actor=str(act))
    begun = len(subject.findings.all)
    try:
        await _energise(Energy(subject, record), subject)
    finally:
        subject.connection.off()
        for finding in subject.findings.all[begun:]:
            members = {"check": finding.check, "verdict": str(finding.verdict), "seen": finding.seen}
            record.append("check", subject.clock.monotonic_ns(), members)
        await record.seal()
    return path.resolve()


async def _energise(energy: Energy, subject: Subject) -> None:
    steps = {"lesion": energy.check_lesion, "wrong token": energy.check_wrong_token}
    if Capability.STIMULATION_V in subject.identity.capabilities:
        steps = {"stimulation and lease": energy.check_lease, **steps}
    else:
        subject.findings.not_run("stimulation and lease", "it does not stimulate in V")
    await energy.intend()
    for name, step in steps.items():
        try:
            await step()
        except (DeviceError, RefusedError) as problem:
            subject.connection.off()
            keys_ = problem.keys if isinstance(problem, DeviceError) and problem.keys else ("write",)
            subject.findings.bad(name, problem.what, "every step accepted", *keys_)
    await energy.end()
