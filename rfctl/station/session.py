"""One session of a station: lock, record, connection, procedure, seal, and the document of what happened."""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfctl import __version__
from rfctl.accounts import deeds, resets
from rfctl.clock import wall_ns
from rfctl.errors import EXIT_DONE, EXIT_INTERNAL, EXIT_STOPPED, ConfigError, LinkError, RecordError, RfctlError
from rfctl.kernel.effects import Outcome
from rfctl.kernel.expected import USUAL, Budget
from rfctl.kernel.state import Setup, Stage
from rfctl.link.trace import text_of
from rfctl.model.plan import Medium
from rfctl.record import pointer
from rfctl.record.boot import boot_id
from rfctl.record.setup import members_of
from rfctl.record.writer import RecordWriter
from rfctl.station import (
    after_reset,
    calibration,
    known,
    latches,
    logbook,
    plan_check,
    registry,
    summary,
    went_down,
)
from rfctl.station.attendance import at_the_bedside
from rfctl.station.connection import Connection
from rfctl.station.garbage import collected_by_hand
from rfctl.station.guarding import guard_of
from rfctl.station.measured_off import turn_off
from rfctl.station.neighbours import bus_of
from rfctl.station.procedure import POLL_NS, Operator, Procedure, Watch
from rfctl.station.publishing import Publishing
from rfctl.station.real_time import scheduling
from rfctl.station.signals import SIGNALS, StopSignals
from rfctl.station.station_file import SIMULATED_RELAY
from rfctl.station.temperature_control import choose, power_for_a_load

if TYPE_CHECKING:
    from rfctl.accounts.deeds import Done
    from rfctl.clock import Clock
    from rfctl.generator import Identity
    from rfctl.model.plan import Plan
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.attendance import Attendant
    from rfctl.station.logbook import Opened
    from rfctl.station.station_file import Station
    from rfctl.telemetry.broker import Broker


@dataclass(frozen=True, slots=True)
class Result:
    """How a session ended.

    Attributes:
        exit_code: Of the command.
        document: The JSON document of cli run and demo.
        error: What a person reads when it did not complete; empty when it did.
    """

    exit_code: int
    document: dict[str, Any]
    error: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A procedure that is about to make its first decision, as far as others may reach it.

    Attributes:
        procedure_id: Its name.
        stop: Everything off at once, said by whom; called in the loop, from any callback, as often as one likes.
        services: What serves it beside control, each with how that is, in words, whenever asked.
        record: Puts an act of a person into its record; called in the loop.
    """

    procedure_id: str
    stop: Callable[[str], None]
    services: dict[str, Callable[[], str]]
    record: Callable[[Done], None]


def _unheard(_begun: Begun) -> None:
    """Nobody else wants to reach the procedure."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a session is to do.

    Attributes:
        station: The station.
        profile: The generator's profile.
        plan: The procedure.
        operator: Who answers.
        out: Folder under which the session's own folder is made.
        seed: Seed of an in-process simulator.
        watch: Told of every decision; must not wait.
        begun: Told once how the procedure can be stopped; must not wait.
        broker: Where telemetry goes, whatever the station file says; None for what it says.
        acts: Of people, from before there was a record: they are its first lines.
    """

    station: Station
    profile: AnyProfile
    plan: Plan
    operator: Operator
    out: Path
    seed: int
    watch: Watch
    begun: Callable[[Begun], None] = _unheard
    broker: Broker | None = None
    acts: tuple[Done, ...] = ()


async def run(order: Order, clock: Clock, *, attendant: Attendant | None = None) -> Result:
    """Run one session to its end. Whatever happens after the record was opened, the record is closed.

    Args:
        order: What to do.
        clock: Of the running loop.
        attendant: Owns the station and stops it; when not given, the session does so itself, by signals and the desk.

    Raises:
        ConfigError: The station is in use, or its folders cannot be used.
    """
    station = order.station
    registry.driver(order.profile.driver)  # imported here, before anything is timed
    if station.in_process:
        registry.simulator(station.simulator.simulator)
    started = clock.utc()
    procedure_id = f"{station.id}-{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    with at_the_bedside(station.state_folder, clock) if attendant is None else nullcontext(attendant) as attending:
        state_folder = attending.state_folder
        folder = _make_folder(order.out / procedure_id)
        if not station.in_process and pointer.left_open(station.state_folder) is not None:
            stranger = Connection(station.link, order.profile, clock, simulated=station.simulated)
            await went_down.off_first(stranger, clock)
        unclean = await logbook.unclean_end(station, clock)
        if unclean is not None and not station.in_process:  # before another session stands in its place
            left = await went_down.latches_of(Path(unclean["record"]), station.medium, clock)
            latches.add(state_folder.state_dir, left)
        header = {
            "station": station.id,
            "backend": "simulated" if station.simulated else "device",
            "medium": str(station.medium),
            "temperature_control": station.temperature_control,
            "procedure_id": procedure_id,
            "station_sha256": station.sha256,
            "profile_sha256": order.profile.sha256,
            "plan_sha256": order.plan.sha256,
            "operator": order.operator.name,
            "scheduling": scheduling(),
            "previous_record_unclean": unclean,
        }
        opened = await logbook.begin(station, folder, header, clock)
        record = opened.record
        for each in order.acts:
            record.append(deeds.KIND, clock.monotonic_ns(), each.members(), actor=str(each))
        state_folder.point_to(pointer.OpenRecord(str(record.path), boot_id(), os.getpid()))
        document = _blank_document(order, procedure_id, clock) | opened.members() | {"unclean_end": unclean}
        publishing = Publishing(order, clock, procedure_id)
        publishing.load()
        record.on_head = partial(publishing.head, record.origin)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        with collected_by_hand(), StopSignals(task, SIGNALS if attendant is None else ()) as signals:
            begun_ns, begun_wall = clock.monotonic_ns(), wall_ns()
            try:
                exit_code, found, error = await _procedure(
                    order, clock, record, folder, procedure_id, publishing, attending, signals
                )
                document |= found
            except RfctlError as problem:
                exit_code, error = problem.exit_code, str(problem)
                refused = problem.exit_code != EXIT_INTERNAL and not isinstance(problem, LinkError)
                document |= {"outcome": str(Outcome.REFUSED if refused else Outcome.FAILED), "ending": error}
                record.append("refused", clock.monotonic_ns(), {"error": error, "exit_code": exit_code})
            except asyncio.CancelledError:
                if not signals.by:
                    raise
                task.uncancel()
                exit_code, error = EXIT_STOPPED, f"stopped by {signals.by} before the procedure began"
                document |= {"outcome": str(Outcome.STOPPED), "ending": error}
                record.append("stopped", clock.monotonic_ns(), {"error": error, "exit_code": exit_code})
            except Exception as problem:
                record.append("internal_error", clock.monotonic_ns(), {"error": f"{type(problem).__name__}: {problem}"})
                raise
            finally:
                signals.ignore()
                document["simulated_s"] = round((clock.monotonic_ns() - begun_ns) / 1e9, 3)
                document["wall_s"] = round((wall_ns() - begun_wall) / 1e9, 4)
                sealed = await _seal(opened, str(document.get("ending", "")), clock)
                attending.leave(off_measured=bool(document.get("off_verified")), text=str(document.get("ending", "")))
                document |= await publishing.end(record, document, sealed=sealed)
        if sealed:
            state_folder.clear()
        elif exit_code == EXIT_DONE:
            exit_code, error = EXIT_INTERNAL, f"the record could not be sealed: {record.failed}"
            document |= {"outcome": str(Outcome.FAILED), "ending": error}
        return Result(exit_code, document, error)


async def _procedure(
    order: Order,
    clock: Clock,
    record: RecordWriter,
    folder: Path,
    procedure_id: str,
    publishing: Publishing,
    attending: Attendant,
    signals: StopSignals,
) -> tuple[int, dict[str, Any], str]:
    async with AsyncExitStack() as stack:
        address, relay = order.station.link, None
        if order.station.in_process:
            most = max((site.channel for site in order.plan.sites), default=1)
            link = order.station.simulator
            wired = order.station.relay is not None and order.station.relay.link == SIMULATED_RELAY
            simulation = await registry.start_simulation(link, clock, channels=most, seed=order.seed, relay=wired)
            stack.push_async_callback(simulation.close)
            address, relay = simulation.address, simulation.relay_address if wired else None
        connection = Connection(address, order.profile, clock, simulated=order.station.simulated)
        stack.callback(_keep_trace, connection, order.profile, folder / "wire.trace", address)
        stack.callback(connection.close)
        connection.bus = bus_of(order.station, order.profile, record, clock)
        state_dir = attending.state_folder.state_dir
        if order.plan.sites and not order.station.in_process and latches.load(state_dir):
            await turn_off(connection, clock)
            latches.require_none(state_dir, order.station.id)
        if order.plan.sites:
            latches.reserve(state_dir)
        left = after_reset.load(state_dir) if order.plan.sites else ()
        after_reset.require_checks(left, order.plan, where=order.plan.title)
        for each in left:
            if not each.told:
                record.append(resets.TOLD_AS, clock.monotonic_ns(), each.members)
        await connection.open()
        record.append("identity", clock.monotonic_ns(), _identity_members(connection, order.profile))
        if order.plan.sites:
            known.require_map(order.station, order.profile)
            known.require(order.profile, connection.identity)
            for found in calibration.require(order.station, connection.identity, clock.utc(), order.out):
                record.append("calibration", clock.monotonic_ns(), found)
        setup = _setup(order, connection, clock)
        record.append("setup", clock.monotonic_ns(), members_of(setup))
        await record.durable()
        guarding = None
        if setup.guarded:
            guarding = guard_of(order.station, order.profile, connection, clock, relay)
            stack.push_async_callback(guarding.close)
            connection.listen(guarding.tap)
            await guarding.prove(connection.generator.read)
            record.append("guard", clock.monotonic_ns(), guarding.members)
        publishing.begin(connection.identity)
        procedure = Procedure(
            setup, connection, record, clock, order.operator, publishing.watch, attending.completed, guarding
        )
        signals.act = procedure.stop
        attending.attend(procedure, connection)

        def act(done: Done) -> None:
            record.append(deeds.KIND, clock.monotonic_ns(), done.members(), significant=True, actor=str(done))

        order.begun(Begun(procedure_id, procedure.stop, publishing.services(), act))
        state = await procedure.run()
        if not order.station.in_process:
            ended = latches.latched(state, procedure_id, f"{clock.utc():%Y-%m-%dT%H:%M:%SZ}")
            latches.add(state_dir, ended)
        with suppress(RecordError):  # they are told of once more
            after_reset.settle(state_dir, left, state)
        assert state.stage is Stage.ENDED  # noqa: S101 - run returns at no other stage
        document = summary.of_state(state)
        document |= {"cycles": procedure.cycles, "overruns": procedure.overruns}
        error = "" if state.exit_code == EXIT_DONE else state.ending
        return state.exit_code, document, error


def _keep_trace(connection: Connection, profile: AnyProfile, path: Path, address: str) -> None:
    """Beside the record, after everything is off; a full disk does not hide how the procedure ended."""
    shipped = profile.name if profile.path.stem == profile.name else str(profile.path)
    about = {"software": f"rfctl {__version__}", "profile": shipped, "link": address}
    with suppress(OSError):
        path.write_text(text_of(about, connection.traces), encoding="ascii")


def _setup(order: Order, connection: Connection, clock: Clock) -> Setup:
    identity = connection.identity
    if order.plan.sites:
        plan_check.require_station(order.plan, order.station, order.profile, where=order.plan.title)
    too_high = [site for site in order.plan.sites if site.channel > identity.channels]
    if too_high:
        raise ConfigError(
            f"site {too_high[0].name!r} uses channel {too_high[0].channel}, the generator has {identity.channels}",
            remedy="Correct the plan.",
        )
    set_point = None
    if order.plan.sites:  # nothing planned, nothing to control
        if order.station.medium is Medium.LOAD:
            set_point = power_for_a_load(identity.capabilities, order.station.id)
        else:
            set_point = choose(order.station.temperature_control, identity.capabilities, order.station.id)
    if set_point is not None:
        connection.require_fast_enough_to_set(order.plan.heated_together)
    if order.plan.heated_together > 1 and not identity.channel_off:
        raise ConfigError(
            f"the plan heats {order.plan.heated_together} channels together, and {identity.model} cannot turn one off "
            "while the others go on",
            remedy="Set plan.order = 'site by site', or state sequence.channel_off in the generator's profile.",
        )
    return Setup(
        plan=order.plan,
        medium=order.station.medium,
        session=secrets.randbelow(0xFFFF) + 1,
        channels=identity.channels,
        rated_power_w=identity.rated_power_w,
        simulated=identity.simulated,
        set_point=set_point,
        channel_off=identity.channel_off,
        resolution_k=tuple(trait.temperature_resolution_k for trait in identity.traits),
        noise_k=tuple(trait.temperature_noise_k for trait in identity.traits),
        budget=Budget(poll_s=POLL_NS / 1e9, filter_s=POLL_NS / 1e9, lag_s=_lag_s(identity)),
        guarded=order.station.guard is not None and bool(order.plan.sites),  # nothing planned, nothing to hold
        pad_monitored=identity.pad_monitored,
        voltage_measured=order.profile.measures("voltage_v_rms"),
        multiplexed=order.profile.multiplexed,
    )


def _lag_s(identity: Identity) -> float:
    """Of the slowest thermocouple; where nothing is stated, and never less than, the usual one."""
    stated = [t.thermocouple_lag_s for t in identity.traits if not math.isnan(t.thermocouple_lag_s)]
    return max([USUAL.lag_s, *stated])


def _identity_members(connection: Connection, profile: AnyProfile) -> dict[str, Any]:
    identity = connection.identity
    return {
        "model": identity.model,
        "serial": identity.serial,
        "firmware": identity.firmware,
        "known": known.is_known(profile, identity),
        "simulated": identity.simulated,
        "map_version": list(identity.map_version),
        "channels": identity.channels,
        "rated_power_w": identity.rated_power_w,
        "write_table_sha256": connection.table_sha256,
        "capabilities": sorted(identity.capabilities),
    }


async def _seal(opened: Opened, ending: str, clock: Clock) -> bool:
    """Close the log; where the disk refused, in a segment of its own that says so, if the disk takes that."""
    record = opened.record
    try:
        if record.failed is None:
            await record.seal()
            return True
        await record.close()
        again = {**opened.header, "after_failure": True}
        closing = await RecordWriter.open(
            record.path, clock=clock, keys=opened.keys, header=again, error=str(record.failed)
        )
        members = {"error": str(record.failed), "unrecorded": record.unrecorded, "ending": ending}
        closing.append("record_lost", clock.monotonic_ns(), members)
        await closing.seal()
    except RfctlError:
        return False
    return True


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True)
    except OSError as problem:
        raise ConfigError(
            f"cannot be made: {problem.strerror}", where=str(folder), remedy="Give --out a folder that can be written."
        ) from None
    return folder.resolve()


def _blank_document(order: Order, procedure_id: str, clock: Clock) -> dict[str, Any]:
    """The document with everything that is known before anything has happened; what never happens stays null."""
    return {
        "outcome": str(Outcome.FAILED),
        "backend": "simulated" if order.station.simulated else "device",
        "medium": str(order.station.medium),
        "time_scale": clock.scale,
        "procedure_id": procedure_id,
        "software": f"rfctl {__version__}",
        "plan": order.plan.title,
        "sites": [],
        "trips": [],
        **dict.fromkeys(summary.OPTIONAL),
    }


def as_json(document: dict[str, Any]) -> str:
    """The document as the one line that ``--json`` prints."""
    return json.dumps(document, allow_nan=False)
