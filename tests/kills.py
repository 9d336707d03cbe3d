"""Each control of the safety matrix taken away, and the test that has to go red then.

A test run with the name of a control in the environment runs without that control: ``RFCTL_KILL=off.total pytest ...``.
Rows of the interlock table need nothing here: their own proofs are run with a table that lacks them. What a kill
replaces is imported when it is applied, and before anything else that the test needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tests import kill_deeds as deeds

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


def none(*_arguments: Any, **_named: Any) -> tuple[()]:
    """Finds none."""
    return ()


def no(*_arguments: Any, **_named: Any) -> bool:
    """Holds never."""
    return False


async def nothing_later(*_arguments: Any, **_named: Any) -> None:
    """Does nothing, and may be awaited."""


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

SET_OTHERWISE = DRIVER + "test_a_stimulator_that_is_set_otherwise_is_refused"
BEFORE = "tests/safety/test_before_energy.py::"
REFUSED_MODE = BEFORE + "test_a_plan_of_a_mode_without_interlocks_is_refused"
LETS_GO = "tests/unit/guard/test_guard_step.py::test_it_lets_go_for_good_and_the_contact_opens_within_500_ms"

KILLS: dict[str, Kill] = {
    "gate.default-deny": Kill(
        around(GATE + "check", deeds.passes_the_unknown), ACROSS + "test_a_write_that_the_table_does_not_classify"
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
        around(LINK + "_on_reply", deeds.whatever_its_number),
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
    "identity.known": Kill(
        instead("rfctl.station.known:require", nothing),
        BEFORE + "test_a_model_or_firmware_that_the_profile_was_not_tried_on_is_only_watched",
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
        around(KERNEL + "step:_begin", deeds.without_the_first_off),
        PROCEDURE + "test_first_act_is_off_whatever_happens_first",
    ),
    "off.total": Kill(
        around("rfctl.link.outgoing:Outgoing.load", deeds.once),
        OFF + "test_each_off_frame_crosses_the_wire_twice_under_a_reserved_number",
    ),
    "off.measured": Kill(
        instead(KERNEL + "ending:has_output", no),
        ENDINGS + "test_an_output_that_stays_on_after_off_ends_in_off_not_confirmed",
    ),
    "off.unanswered": Kill(
        instead(KERNEL + "ending:OFF_UNVERIFIED_NS", 10**18), ENDINGS + "test_an_unanswered_off_counts_as_on"
    ),
    "off.again": Kill(
        instead(KERNEL + "ending:OFF_AGAIN_NS", 10**18),
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
        deeds.at_once_durable, "tests/system/test_demo.py::test_no_output_comes_on_before_its_intent_is_on_disk"
    ),
    "record.failure": Kill(
        instead("rfctl.station.procedure:Procedure._keep_record", nothing),
        "tests/faults/test_record_virtual.py::test_a_disk_that_fills_in_hold_ends_the_lesion",
    ),
    "values.not-a-number": Kill(
        around(KERNEL + "step:judge_channel", deeds.lets_not_a_number_pass),
        "tests/unit/kernel/test_limits.py::test_not_a_number_acts_like_a_value_beyond",
    ),
    "plan.limits": Kill(
        deeds.plans_without_limits,
        "tests/unit/station/test_plan_file.py::test_a_value_that_is_refused_is_named_with_its_bound",
    ),
    "procedure.partial-dose": Kill(
        around(KERNEL + "verdicts:site_result", deeds.without_figures),
        ENDINGS + "test_what_was_delivered_before_a_stop_is_kept",
    ),
    "procedure.remove-below": Kill(
        instead(KERNEL + "guards:REMOVE_BELOW_C", 500.0),
        PROCEDURE + "test_the_second_site_begins_when_the_first_is_cool",
    ),
    "arm.token": Kill(
        deeds.guards_hold("token_valid"),
        PROCEDURE + "test_a_start_in_the_moment_in_which_the_token_expires_fires_nothing",
    ),
    "stimulation.steps": Kill(
        instead(KERNEL + "stimulation_guards:STIMULATION_SLEW_PER_S", 50.0),
        PROCEDURE + "test_amplitude_rises_from_zero_in_steps_of_a_tenth_no_faster_than_half_a_volt_a_second",
    ),
    "lease.by-decision": Kill(
        around(KERNEL + "step:_sampled", deeds.renewing_always),
        PROCEDURE + "test_the_lease_is_renewed_only_by_a_decision_that_found_nothing",
    ),
    "off.gap": Kill(
        deeds.guards_hold("output_is_off_and_nobody_asked", "off_and_threshold_met"),
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
        around("rfctl.telemetry.publisher:Publisher._publish_all", deeds.subscribing),
        CONTROLS + "test_nothing_that_is_published_reaches_the_station",
    ),
    "telemetry.dated": Kill(
        deeds.everything_retained, "tests/virtual/test_telemetry_sessions.py::test_a_session_arrives_whole"
    ),
    "telemetry.bounded": Kill(
        around("rfctl.station.publishing:Publishing.watch", deeds.waiting_for_the_broker),
        "tests/virtual/test_telemetry_sessions.py::test_a_broker_that_does_nothing_changes_nothing",
    ),
    "answers.load-only": Kill(
        instead("rfctl.station.answers:require_nobody", nothing),
        "tests/system/test_bad_input.py::test_scripted_answers_on_a_device_are_refused_but_on_a_test_load",
    ),
    "start.unclean-end": Kill(
        instead("rfctl.station.logbook:unclean_end", nothing_later),
        "tests/faults/test_record_virtual.py::test_the_next_start_tells_of_a_record_that_was_not_sealed",
    ),
    "start.off-after-reconnect": Kill(
        around("rfctl.station.connection:Connection.open", deeds.as_a_stranger),
        FAULTS + "test_off_is_the_first_thing_that_a_generator_hears_after_a_cut",
    ),
    "stimulation.zero-first": Kill(
        instead("rfctl_modbus.access:Access.compare", nothing_later),
        DRIVER + "test_a_stimulator_whose_amplitude_stands_is_refused",
    ),
    "record.never-awaited": Kill(
        around("rfctl.station.procedure:Procedure._handle", deeds.after_the_disk),
        "tests/faults/test_record_virtual.py::test_a_disk_that_takes_five_seconds_delays_no_shut_off",
    ),
    "procedure.order": Kill(deeds.guards_hold("started"), PROCEDURE + "test_arm_and_fire_are_two_acts"),
    "view.age": Kill(
        instead("rfctl.cli.view.frame:STALE_MS", 10**9),
        "tests/unit/view/test_frame.py::test_the_data_turn_stale_by_the_clock_of_the_view_alone",
    ),
    "record.tamper-evident": Kill(
        around("rfctl_verify.verify:Walk.to_the_end", deeds.past_every_problem),
        "tests/unit/verify/test_log.py::test_the_first_record_that_was_changed_is_named",
    ),
    "procedure.check-first": Kill(
        instead(KERNEL + "verdicts:make_void", lambda state, *_arguments, **_named: (state, ())),
        "tests/unit/kernel/test_stimulation_result.py::test_each_way_blocks_the_lesion_and_asks_for_a_check",
    ),
    "stimulation.mode": Kill(instead("rfctl_modbus.access:Access.compare", nothing_later), SET_OTHERWISE),
    "stimulation.unit": Kill(instead("rfctl_modbus.access:Access.compare", nothing_later), SET_OTHERWISE),
    "mode.cooled": Kill(instead(KERNEL + "rows_later:MODES", frozenset()), REFUSED_MODE + "[cooled]"),
    "mode.pulsed": Kill(instead(KERNEL + "rows_later:MODES", frozenset()), REFUSED_MODE + "[pulsed]"),
    "calibration.due": Kill(
        instead("rfctl.station.calibration:of_station", none),
        BEFORE + "test_with_a_calibration_that_ran_out_nothing_is_energised",
    ),
    "calibration.own": Kill(
        instead("rfctl.station.calibration:of_generator", none),
        BEFORE + "test_a_generator_whose_own_calibration_ran_out_is_not_energised",
    ),
    "profile.pinned": Kill(
        instead("rfctl.station.known:require_map", nothing),
        BEFORE + "test_by_a_profile_that_was_changed_since_nothing_is_energised",
    ),
    "station.isolation": Kill(
        instead("rfctl.station.station_file:Station.patient", property(no)),
        BEFORE + "test_tissue_on_a_device_needs_a_stated_isolation",
    ),
    "station.layers": Kill(
        instead("rfctl.station.station_file:require_layers", nothing),
        "tests/system/test_bad_input.py::test_tissue_on_a_device_is_refused_without_relay_and_guard",
    ),
    "alarm.start-test": Kill(
        instead("rfctl.cli.alarm_test:require_heard", nothing),
        BEFORE + "test_a_start_on_a_patient_asks_whether_the_alarm_is_heard",
    ),
    "alarm.silence": Kill(
        around("rfctl.station.alarm_panel:AlarmPanel.shown", deeds.only_those_that_sound),
        "tests/unit/station/test_alarm_panel.py::test_acknowledging_silences_for_the_time_of_the_priority_and_resets_nothing",
    ),
    "guard.watched": Kill(
        instead(KERNEL + "step:must_wait", no),
        "tests/unit/kernel/test_enable_loop.py::test_a_durable_intent_waits_until_the_contact_is_read_closed",
    ),
    "guard.own-read": Kill(instead("rfctl.guard.step:_beyond", nothing), LETS_GO),
    "guard.station": Kill(around("rfctl.guard.step:_decoded", deeds.taking_a_sample_for_a_decision), LETS_GO),
    "relay.proof": Kill(
        around("rfctl.guard.step:_proved", deeds.trusting),
        "tests/unit/guard/test_guard_step.py::test_a_relay_that_is_not_fit_is_refused_at_the_start",
    ),
    "latch.reset": Kill(
        instead("rfctl.station.latches:require_none", nothing),
        "tests/virtual/test_reset.py::test_a_trip_is_left_only_by_its_class_and_every_attempt_is_recorded",
    ),
    "plan.pads": Kill(
        instead("rfctl.station.plan_check:require_cool_pads", nothing),
        "tests/faults/test_four_on_one_pad.py::test_four_18_g_are_refused_before_anything_is_energised",
    ),
    "plan.medium": Kill(
        instead("rfctl.station.plan_check:require_medium", nothing),
        "tests/unit/station/test_plan_check.py::test_a_station_of_another_medium_is_refused",
    ),
}
