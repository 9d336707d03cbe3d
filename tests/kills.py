"""Each control of the safety matrix taken away, and the test that has to go red then.

A test run with the name of a control in the environment runs without that control: ``RFCTL_KILL=off.total pytest ...``.
Rows of the interlock table need nothing here: their own proofs are run with a table that lacks them. What a kill
replaces is imported when it is applied, and before anything else that the test needs.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "RFCTL_KILL"
MODULES: set[str] = set()
"""Modules in which kills replace something: imported once for all kills of a run."""


@dataclass(frozen=True)
class Kill:
    """How a control is taken away.

    Attributes:
        remove: Does it, for the whole process.
        red: Node id of the test that fails without the control.
    """

    remove: Callable[[], None]
    red: str


def instead(place: str, value: Any) -> Callable[[], None]:
    """Put a value in the place of what ``module:name`` or ``module:Class.name`` holds."""
    MODULES.add(place.partition(":")[0])

    def remove() -> None:
        owner, name = _found(place)
        getattr(owner, name)  # what is replaced has to be there
        setattr(owner, name, value)

    return remove


def around(place: str, wrap: Callable[[Any], Any]) -> Callable[[], None]:
    """Put what ``wrap`` makes of a function or method in its place."""
    MODULES.add(place.partition(":")[0])

    def remove() -> None:
        owner, name = _found(place)
        setattr(owner, name, wrap(getattr(owner, name)))

    return remove


def _found(place: str) -> tuple[Any, str]:
    module, _, path = place.partition(":")
    owner: Any = import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    return owner, name


def nothing(*_arguments: Any, **_named: Any) -> None:
    """Does nothing, whatever it is asked."""


def yes(*_arguments: Any, **_named: Any) -> bool:
    """Holds always."""
    return True


def no(*_arguments: Any, **_named: Any) -> bool:
    """Holds never."""
    return False


async def nothing_later(*_arguments: Any, **_named: Any) -> None:
    """Does nothing, and may be awaited."""


def _passes_the_unknown(check: Any) -> Any:
    def passing(gate: Any, pdu: bytes, intent: Any, **named: Any) -> Any:
        from rfctl.errors import RefusedError
        from rfctl.link.write_table import Classified

        try:
            gate.table.classify(pdu)
        except RefusedError:
            return Classified(intent, ())
        return check(gate, pdu, intent, **named)

    return passing


def _whatever_its_number(on_reply: Any) -> Any:
    def taking(link: Any, reply: Any) -> None:
        expected = link._expected
        on_reply(link, reply._replace(transaction=expected.transaction) if expected else reply)

    return taking


def _once(send_offs: Any) -> Any:
    def sending(link: Any) -> Any:
        link._offs = link._offs[:1]
        return send_offs(link)

    return sending


def _at_once_durable() -> None:
    from rfctl.kernel.events import Durable
    from rfctl.station.procedure import Procedure

    def make_durable(procedure: Any, intent: int) -> None:
        procedure._inbox.append(Durable(procedure._clock.monotonic_ns(), intent))

    Procedure._make_durable = make_durable  # type: ignore[method-assign]


def _lets_not_a_number_pass(judge: Any) -> Any:
    def judging(*arguments: Any) -> Any:
        return [trip for trip in judge(*arguments) if trip.measured == trip.measured]

    return judging


def _without_figures(site_result: Any) -> Any:
    return lambda channel, reason: site_result(channel._replace(figures=None), reason)


def _without_the_first_off(begin: Any) -> Any:
    def beginning(*arguments: Any) -> Any:
        state, effects = begin(*arguments)
        return state, effects[1:]

    return beginning


def _renewing_always(step: Any) -> Any:
    def stepping(*arguments: Any) -> Any:
        from rfctl.kernel.effects import Renew

        state, effects = step(*arguments)
        return state, (*effects, Renew())

    return stepping


def _past_every_problem(to_the_end: Any) -> Any:
    def walking(walk: Any) -> None:
        from rfctl_verify.problem import Problem

        with suppress(Problem):
            to_the_end(walk)

    return walking


def _plans_without_limits() -> None:
    from rfctl.model.strict_toml import Strict
    from rfctl.station import plan_file

    for section in list(vars(plan_file).values()):
        if isinstance(section, type) and issubclass(section, Strict):
            for value in section.model_fields.values():
                value.metadata.clear()
            section.model_rebuild(force=True)


def _guard(*names: str) -> Callable[[], None]:
    """Conditions of the transition table that hold always."""

    def remove() -> None:
        from rfctl.kernel import guards, stimulation_guards, transitions

        owners = [guards if hasattr(guards, name) else stimulation_guards for name in names]
        conditions = [getattr(owner, name) for owner, name in zip(owners, names, strict=True)]
        table = transitions.BY_PHASE_AND_TRIGGER
        for key, rows in table.items():
            table[key] = tuple(row._replace(guard=yes) if row.guard in conditions else row for row in rows)
        for owner, name in zip(owners, names, strict=True):
            setattr(owner, name, yes)

    return remove


def _subscribing(publish_all: Any) -> Any:
    async def publishing(publisher: Any, client: Any) -> None:
        await client.subscribe("rfctl/#")
        await publish_all(publisher, client)

    return publishing


def _everything_retained() -> None:
    from rfctl.telemetry import classes

    classes.RETAINED = frozenset(classes.Class)


def _waiting_for_the_broker(watch: Any) -> Any:
    def watching(publishing: Any, *arguments: Any) -> None:
        if publishing._publisher is not None:
            publishing._clock._loop._timeline.now_ns += 400_000_000
        watch(publishing, *arguments)

    return watching


def _as_a_stranger(open_connection: Any) -> Any:
    async def opening(connection: Any, **named: Any) -> None:
        connection._known = None
        await open_connection(connection, **named)

    return opening


def _after_the_disk(handle: Any) -> Any:
    async def handling(procedure: Any, event: Any) -> None:
        await procedure._record.durable()
        await handle(procedure, event)

    return handling


LINK, GATE, KERNEL = "rfctl.link.link:Link.", "rfctl.link.gate:Gate.", "rfctl.kernel."
CONTROLS = "tests/safety/test_controls.py::"
ACROSS, DECIDED = "tests/virtual/test_link_gate.py::", "tests/safety/test_gate.py::"
OFF, TALK, DRIVER = (
    "tests/virtual/test_link_off.py::",
    "tests/virtual/test_link_transactions.py::",
    "tests/virtual/test_link_driver.py::",
)
FAULTS, PROCEDURE, ENDINGS = (
    "tests/faults/test_off_virtual.py::",
    "tests/unit/kernel/test_procedure.py::",
    "tests/unit/kernel/test_endings.py::",
)

KILLS: dict[str, Kill] = {
    "gate.default-deny": Kill(
        around(GATE + "check", _passes_the_unknown), ACROSS + "test_a_write_that_the_table_does_not_classify"
    ),
    "gate.kind": Kill(
        instead(GATE + "_judge_energising", nothing),
        DECIDED + "TestEnergising::test_is_refused_under_a_permit_of_the_other_kind",
    ),
    "gate.envelope": Kill(instead(GATE + "_bound", nothing), ACROSS + "test_energising_beyond_the_envelope"),
    "gate.expiry": Kill(
        instead(GATE + "_live", lambda gate, channel, _now_ns: gate._permits.get(channel)),
        ACROSS + "test_energising_after_the_permit_expired",
    ),
    "link.own-reply": Kill(
        around(LINK + "_on_reply", _whatever_its_number),
        TALK + "test_a_late_reply_is_never_the_answer_to_a_newer_request",
    ),
    "link.faulted-replies": Kill(
        instead("rfctl.link.modbus:check_reply", nothing),
        TALK + "test_a_reply_that_does_not_fit_is_refused_and_the_link_recovers",
    ),
    "write.read-back": Kill(
        instead("rfctl_modbus.access:Access.compare", nothing_later),
        DRIVER + "test_a_value_held_different_by_one_bit_is_a_mismatch",
    ),
    "identity.map": Kill(
        instead("rfctl_modbus.driver:check", nothing), FAULTS + "test_a_generator_of_another_map_is_not_written_to"
    ),
    "identity.backend": Kill(
        instead("rfctl.station.connection:Connection._require_expected", nothing),
        FAULTS + "test_a_simulator_where_a_device_is_expected_is_not_written_to",
    ),
    "lease.owner": Kill(
        instead("rfctl_modbus.driver:ModbusGenerator.claim", nothing_later),
        DRIVER + "test_claim_takes_ownership_clears_the_lease_and_reads_back",
    ),
    "start.lock": Kill(
        instead("fcntl:flock", nothing),
        "tests/system/test_bad_input.py::test_a_second_start_of_a_running_station_is_refused_and_disturbs_nothing",
    ),
    "start.off-first": Kill(
        around(KERNEL + "step:_begin", _without_the_first_off),
        PROCEDURE + "test_first_act_is_off_whatever_happens_first",
    ),
    "off.total": Kill(
        around(LINK + "_send_offs", _once), OFF + "test_each_off_frame_crosses_the_wire_twice_under_a_reserved_number"
    ),
    "off.measured": Kill(
        instead(KERNEL + "step:has_output", no),
        ENDINGS + "test_an_output_that_stays_on_after_off_ends_in_off_not_confirmed",
    ),
    "off.unanswered": Kill(
        instead(KERNEL + "step:OFF_UNVERIFIED_NS", 10**18), ENDINGS + "test_an_unanswered_off_counts_as_on"
    ),
    "off.again": Kill(
        instead(KERNEL + "step:OFF_AGAIN_NS", 10**18),
        ENDINGS + "test_off_is_repeated_every_200_ms_until_it_is_verified",
    ),
    "stop.signals": Kill(
        instead("rfctl.station.procedure:Procedure.stop", nothing),
        FAULTS + "test_a_signal_in_hold_turns_off_in_the_same_instant",
    ),
    "stop.while-hung": Kill(
        instead("rfctl.link.stop_line:StopLine.off", no),
        "tests/virtual/test_stop_line.py::test_each_off_frame_crosses_the_line_twice_while_the_loop_hangs",
    ),
    "record.intent-first": Kill(
        _at_once_durable, "tests/system/test_demo.py::test_no_output_comes_on_before_its_intent_is_on_disk"
    ),
    "record.failure": Kill(
        instead("rfctl.station.procedure:Procedure._keep_record", nothing),
        "tests/faults/test_record_virtual.py::test_a_disk_that_fills_in_hold_ends_the_lesion",
    ),
    "values.not-a-number": Kill(
        around(KERNEL + "step:judge_channel", _lets_not_a_number_pass),
        "tests/unit/kernel/test_limits.py::test_not_a_number_acts_like_a_value_beyond",
    ),
    "plan.limits": Kill(
        _plans_without_limits,
        "tests/unit/station/test_plan_file.py::test_a_value_that_is_refused_is_named_with_its_bound",
    ),
    "procedure.partial-dose": Kill(
        around(KERNEL + "step:site_result", _without_figures),
        ENDINGS + "test_what_was_delivered_before_a_stop_is_kept",
    ),
    "procedure.remove-below": Kill(
        instead(KERNEL + "guards:REMOVE_BELOW_C", 500.0),
        PROCEDURE + "test_the_second_site_begins_when_the_first_is_cool",
    ),
    "arm.token": Kill(
        _guard("token_valid"),
        PROCEDURE + "test_a_start_in_the_moment_in_which_the_token_expires_fires_nothing",
    ),
    "stimulation.steps": Kill(
        instead(KERNEL + "stimulation_guards:STIMULATION_SLEW_PER_S", 50.0),
        PROCEDURE + "test_amplitude_rises_from_zero_in_steps_of_a_tenth_no_faster_than_half_a_volt_a_second",
    ),
    "lease.by-decision": Kill(
        around(KERNEL + "step:_sampled", _renewing_always),
        PROCEDURE + "test_the_lease_is_renewed_only_by_a_decision_that_found_nothing",
    ),
    "off.gap": Kill(
        _guard("output_is_off_and_nobody_asked", "off_and_threshold_met"),
        CONTROLS + "test_nothing_follows_a_stimulation_before_its_output_was_measured_off",
    ),
    "stop.emergency": Kill(
        instead("rfctl_sim.inputs:Inputs.stopped", property(no)),
        CONTROLS + "test_an_emergency_stop_at_the_generator_is_off_at_once_and_ends_the_procedure",
    ),
    "clock.monotonic": Kill(
        instead("rfctl.virtual:VirtualClock.monotonic_ns", lambda clock: int(clock.utc().timestamp() * 1e9)),
        CONTROLS + "test_a_wall_clock_that_is_set_changes_no_decision_and_is_in_the_record",
    ),
    "telemetry.no-commands": Kill(
        around("rfctl.telemetry.publisher:Publisher._publish_all", _subscribing),
        CONTROLS + "test_nothing_that_is_published_reaches_the_station",
    ),
    "telemetry.dated": Kill(
        _everything_retained, "tests/virtual/test_telemetry_sessions.py::test_a_session_arrives_whole"
    ),
    "telemetry.bounded": Kill(
        around("rfctl.station.publishing:Publishing.watch", _waiting_for_the_broker),
        "tests/virtual/test_telemetry_sessions.py::test_a_broker_that_does_nothing_changes_nothing",
    ),
    "answers.load-only": Kill(
        instead("rfctl.station.answers:require_nobody", nothing),
        "tests/system/test_bad_input.py::test_scripted_answers_on_a_device_are_refused_but_on_a_test_load",
    ),
    "start.unclean-end": Kill(
        instead("rfctl.station.session:_unclean_end", nothing),
        "tests/faults/test_record_virtual.py::test_the_next_start_tells_of_a_record_that_was_not_sealed",
    ),
    "start.off-after-reconnect": Kill(
        around("rfctl.station.connection:Connection.open", _as_a_stranger),
        FAULTS + "test_off_is_the_first_thing_that_a_generator_hears_after_a_cut",
    ),
    "stimulation.zero-first": Kill(
        instead("rfctl_modbus.access:Access.compare", nothing_later),
        DRIVER + "test_stimulation_does_not_start_while_an_amplitude_stands",
    ),
    "record.never-awaited": Kill(
        around("rfctl.station.procedure:Procedure._handle", _after_the_disk),
        "tests/faults/test_record_virtual.py::test_a_disk_that_takes_five_seconds_delays_no_shut_off",
    ),
    "procedure.order": Kill(_guard("started"), PROCEDURE + "test_arm_and_fire_are_two_acts"),
    "view.age": Kill(
        instead("rfctl.cli.view.frame:STALE_MS", 10**9),
        "tests/unit/view/test_frame.py::test_the_data_turn_stale_by_the_clock_of_the_view_alone",
    ),
    "record.tamper-evident": Kill(
        around("rfctl_verify.verify:Walk.to_the_end", _past_every_problem),
        "tests/unit/verify/test_log.py::test_the_first_record_that_was_changed_is_named",
    ),
}
