"""The gate, decision by decision: each limit exactly inside and exactly outside, and everything else refused."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import RefusedError
from rfctl.link.gate import Gate
from rfctl.link.modbus import read_input, write
from rfctl.link.registers import encode
from rfctl.link.write_table import Act, WriteTable
from rfctl.model.permit import Envelope, Intent, Permit, PermitKind
from rfctl.profile.profile import load

if TYPE_CHECKING:
    from rfctl.link.write_table import Classified, Energising

PROFILE = load("rfctl-reference")
TABLE = PROFILE.write_table()
ENVELOPE = Envelope(
    temperature_c=80.0, power_w=3.7, duration_s=130.3, stimulation_v=1.1, stimulation_ma=0.7, voltage_v_rms=21.9
)
EXPIRES_NS = 1_000_000
LESION = Permit(1, PermitKind.LESION, ENVELOPE, EXPIRES_NS)
STIMULATION = replace(LESION, kind=PermitKind.STIMULATION)
LESION_SETTINGS = {"mode": 3, "set_temperature_c": 80.0, "max_on_s": 130.3, "power_limit_w": 3.7}
BY_VOLTAGE_SETTINGS = {"mode": 4, "max_on_s": 130.3, "power_limit_w": 3.7}
BY_POWER_SETTINGS = {"mode": 5, "max_on_s": 130.3, "power_limit_w": 3.7}
VOLTAGE_SETTINGS = {"mode": 1, "stimulation_limit": 1.1}
CURRENT_SETTINGS = {"mode": 2, "stimulation_limit": 0.7}


def pdu(quantity: str, value: float, channel: int | None = 1) -> bytes:
    """A write as a driver makes it."""
    writable = PROFILE.writable(quantity, channel)
    return write(writable.address, encode(value / writable.scale, writable.type, writable.order))


def above(value: float) -> float:
    """The next f32 above the one that holds ``value``."""
    (bits,) = struct.unpack(">I", struct.pack(">f", value))
    (higher,) = struct.unpack(">f", struct.pack(">I", bits + 1))
    return float(higher)


def ask(gate: Gate, request: bytes, intent: Intent, now_ns: int = 0) -> Classified:
    return gate.check(request, intent, unit=TABLE.unit, now_ns=now_ns)


def put(gate: Gate, quantity: str, value: float, channel: int | None = 1, *, intent: Intent = Intent.CONFIG) -> None:
    """Pass the gate, be sent, be accepted by the generator."""
    actions = ask(gate, pdu(quantity, value, channel), intent).actions
    gate.sent(actions)
    gate.accepted(actions)


def off_gate() -> Gate:
    """A gate on a connection over which everything has been turned off."""
    gate = Gate(TABLE)
    put(gate, "all_off", 1, None, intent=Intent.OFF)
    return gate


def ready(permit: Permit, settings: dict[str, float]) -> Gate:
    """A gate with set points written, then a permit."""
    gate = off_gate()
    for quantity, value in settings.items():
        put(gate, quantity, value)
    gate.grant(permit)
    return gate


ENERGISING = [
    pytest.param(LESION, LESION_SETTINGS, "command", 1, id="arm"),
    pytest.param(LESION, LESION_SETTINGS, "fire", 4711, id="fire"),
    pytest.param(LESION, BY_VOLTAGE_SETTINGS, "fire", 4711, id="fire for a voltage set point"),
    pytest.param(LESION, BY_VOLTAGE_SETTINGS, "voltage_set_point_v_rms", 21.9, id="voltage set point"),
    pytest.param(LESION, BY_POWER_SETTINGS, "power_set_point_w", 3.7, id="power set point"),
    pytest.param(STIMULATION, VOLTAGE_SETTINGS, "command", 2, id="stimulate in V"),
    pytest.param(STIMULATION, CURRENT_SETTINGS, "command", 2, id="stimulate in mA"),
    pytest.param(STIMULATION, VOLTAGE_SETTINGS, "stimulation_amplitude", 1.1, id="amplitude in V"),
    pytest.param(STIMULATION, CURRENT_SETTINGS, "stimulation_amplitude", 0.7, id="amplitude in mA"),
]


@pytest.mark.parametrize(("permit", "settings", "quantity", "value"), ENERGISING)
class TestEnergising:
    def test_passes_with_its_permit_and_every_set_point_exactly_at_the_envelope(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        assert ask(ready(permit, settings), pdu(quantity, value), Intent.ENERGISE).intent is Intent.ENERGISE

    def test_is_refused_without_a_permit(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(permit, settings)
        gate.withdraw(1)
        with pytest.raises(RefusedError, match=f"needs a {permit.kind} permit for channel 1; it has none"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_from_the_instant_of_expiry(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(permit, settings)
        ask(gate, pdu(quantity, value), Intent.ENERGISE, EXPIRES_NS - 1)
        with pytest.raises(RefusedError, match="expired"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE, EXPIRES_NS)

    @pytest.mark.requirement("gate.kind")
    def test_is_refused_under_a_permit_of_the_other_kind(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        other = PermitKind.LESION if permit.kind is PermitKind.STIMULATION else PermitKind.STIMULATION
        gate = ready(replace(permit, kind=other), settings)
        with pytest.raises(RefusedError, match=f"its permit is for {other}"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_under_the_permit_of_another_channel(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(replace(permit, channel=2), settings)
        with pytest.raises(RefusedError, match="for channel 1; it has none"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_until_every_set_point_and_the_mode_were_written(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        for missing in settings:
            gate = off_gate()
            gate.grant(permit)
            for name, setting in settings.items():
                if name != missing and not (missing == "mode" and name == "stimulation_limit"):
                    put(gate, name, setting)
            with pytest.raises(RefusedError, match="has not been written and accepted since the last off"):
                ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_once_a_new_permit_is_narrower_than_what_was_written(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(permit, settings)
        gate.grant(replace(permit, envelope=Envelope()))
        with pytest.raises(RefusedError, match="outside the permit's envelope"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_after_an_off(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        for off, channel in (("all_off", None), ("command", 1)):
            gate = ready(permit, settings)
            put(gate, off, 0 if channel else 1, channel, intent=Intent.OFF)
            with pytest.raises(RefusedError, match="it has none"):
                ask(gate, pdu(quantity, value), Intent.ENERGISE)
            gate.grant(permit)
            with pytest.raises(RefusedError, match="since the last off"):
                ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_while_a_set_point_is_unanswered(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(permit, settings)
        last, setting = list(settings.items())[-1]
        gate.sent(ask(gate, pdu(last, setting), Intent.CONFIG).actions)
        with pytest.raises(RefusedError, match=f"{last} has not been written and accepted"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)

    def test_is_refused_under_any_other_name(
        self, permit: Permit, settings: dict[str, float], quantity: str, value: float
    ) -> None:
        gate = ready(permit, settings)
        for intent in (Intent.READ, Intent.OFF, Intent.RENEW, Intent.CONFIG):
            with pytest.raises(RefusedError, match=f"sent as {intent}, but it does energise: {quantity} of channel 1"):
                ask(gate, pdu(quantity, value), intent)


@pytest.mark.parametrize(
    ("permit", "mode", "quantity", "most"),
    [
        (LESION, 3, "set_temperature_c", 80.0),
        (LESION, 3, "power_limit_w", 3.7),
        (LESION, 3, "max_on_s", 130.3),
        (STIMULATION, 1, "stimulation_limit", 1.1),
        (STIMULATION, 2, "stimulation_limit", 0.7),
    ],
)
class TestSetPoint:
    def test_under_a_live_permit_goes_to_the_envelope_and_not_one_step_further(
        self, permit: Permit, mode: int, quantity: str, most: float
    ) -> None:
        gate = ready(permit, {"mode": mode})
        for inside in (0.0, most):
            ask(gate, pdu(quantity, inside), Intent.CONFIG)
        for outside in (above(most), -0.001, -most):
            with pytest.raises(RefusedError, match=f"{quantity} of channel 1 = .* 0 to {most:g}"):
                ask(gate, pdu(quantity, outside), Intent.CONFIG)

    def test_written_too_high_before_the_permit_stops_the_energising(
        self, permit: Permit, mode: int, quantity: str, most: float
    ) -> None:
        settings = {1: VOLTAGE_SETTINGS, 2: CURRENT_SETTINGS, 3: LESION_SETTINGS}[mode]
        command = pdu("command", 1 if permit.kind is PermitKind.LESION else 2)
        ask(ready(permit, settings | {quantity: most}), command, Intent.ENERGISE)
        with pytest.raises(RefusedError, match=f"{quantity} of channel 1 = .* 0 to {most:g}"):
            ask(ready(permit, settings | {quantity: above(most)}), command, Intent.ENERGISE)

    def test_is_free_while_the_channel_is_off_and_no_permit_is_live(
        self, permit: Permit, mode: int, quantity: str, most: float
    ) -> None:
        ask(ready(replace(permit, channel=2), {"mode": mode}), pdu(quantity, 9 * most), Intent.CONFIG)
        ask(ready(permit, {"mode": mode}), pdu(quantity, 9 * most), Intent.CONFIG, EXPIRES_NS)

    def test_is_refused_without_a_live_permit_while_the_channel_may_be_on(
        self, permit: Permit, mode: int, quantity: str, most: float
    ) -> None:
        settings = {1: VOLTAGE_SETTINGS, 2: CURRENT_SETTINGS, 3: LESION_SETTINGS}[mode]
        gate = ready(permit, settings)
        put(gate, "command", 1 if permit.kind is PermitKind.LESION else 2, intent=Intent.ENERGISE)
        ask(gate, pdu(quantity, most / 2), Intent.CONFIG, EXPIRES_NS - 1)
        with pytest.raises(RefusedError, match="may be on and no permit is live"):
            ask(gate, pdu(quantity, most / 2), Intent.CONFIG, EXPIRES_NS)
        put(gate, "command", 0, intent=Intent.OFF)
        ask(gate, pdu(quantity, most / 2), Intent.CONFIG, EXPIRES_NS)

    def test_of_a_new_connection_waits_for_the_first_off(
        self, permit: Permit, mode: int, quantity: str, most: float
    ) -> None:
        with pytest.raises(RefusedError, match="may be on"):
            ask(Gate(TABLE), pdu(quantity, most), Intent.CONFIG)


@pytest.mark.parametrize(("settings", "most"), [(VOLTAGE_SETTINGS, 1.1), (CURRENT_SETTINGS, 0.7)])
def test_the_amplitude_goes_to_the_envelope_in_the_unit_of_the_mode(settings: dict[str, float], most: float) -> None:
    gate = ready(STIMULATION, settings)
    ask(gate, pdu("stimulation_amplitude", most), Intent.ENERGISE)
    for outside in (above(most), -0.1):
        with pytest.raises(RefusedError, match="stimulation_amplitude of channel 1"):
            ask(gate, pdu("stimulation_amplitude", outside), Intent.ENERGISE)


@pytest.mark.parametrize(
    ("settings", "quantity", "most"),
    [
        (BY_VOLTAGE_SETTINGS, "voltage_set_point_v_rms", 21.9),
        (BY_POWER_SETTINGS, "power_set_point_w", 3.7),
    ],
)
def test_an_output_set_point_goes_to_the_envelope_and_not_one_step_further(
    settings: dict[str, float], quantity: str, most: float
) -> None:
    gate = ready(LESION, settings)
    for inside in (0.0, most):
        ask(gate, pdu(quantity, inside), Intent.ENERGISE)
    for outside in (above(most), -0.1):
        with pytest.raises(RefusedError, match=f"{quantity} of channel 1 = .* 0 to {most:g}"):
            ask(gate, pdu(quantity, outside), Intent.ENERGISE)
    for value in (math.nan, math.inf):
        with pytest.raises(RefusedError, match="is not a number"):
            ask(gate, pdu(quantity, value), Intent.ENERGISE)


def test_a_permit_for_a_generator_that_controls_by_itself_lets_no_voltage_through() -> None:
    gate = ready(replace(LESION, envelope=replace(ENVELOPE, voltage_v_rms=0.0)), BY_VOLTAGE_SETTINGS)
    with pytest.raises(RefusedError, match=r"voltage_set_point_v_rms of channel 1 = 0\.1.* 0 to 0 \(voltage_v_rms\)"):
        ask(gate, pdu("voltage_set_point_v_rms", 0.1), Intent.ENERGISE)


def test_a_permit_does_not_energise_before_the_first_off_of_a_connection() -> None:
    gate = Gate(TABLE)
    gate.grant(LESION)
    for quantity, value in LESION_SETTINGS.items():
        put(gate, quantity, value)
    with pytest.raises(RefusedError, match="has not been turned off on this connection"):
        ask(gate, pdu("command", 1), Intent.ENERGISE)


def test_a_channel_off_does_not_vouch_for_its_neighbours() -> None:
    gate = Gate(TABLE)
    put(gate, "command", 0, 1, intent=Intent.OFF)
    ask(gate, pdu("mode", 3, 1), Intent.CONFIG)
    with pytest.raises(RefusedError, match="channel 2 may be on"):
        ask(gate, pdu("mode", 3, 2), Intent.CONFIG)


@pytest.mark.parametrize(
    ("permit", "fits", "not_"), [(LESION, (3, 4, 5), (0, 1, 2)), (STIMULATION, (1, 2), (0, 3, 4, 5))]
)
def test_a_mode_written_under_a_permit_fits_it(permit: Permit, fits: tuple[int, ...], not_: tuple[int, ...]) -> None:
    gate = ready(permit, {})
    for mode in fits:
        ask(gate, pdu("mode", mode), Intent.CONFIG)
    for mode in not_:
        with pytest.raises(RefusedError, match="mode of channel 1"):
            ask(gate, pdu("mode", mode), Intent.CONFIG)


def test_a_mode_that_does_not_fit_stops_the_energising() -> None:
    gate = ready(LESION, LESION_SETTINGS)
    ask(gate, pdu("command", 1), Intent.ENERGISE)
    gate.withdraw()
    for quantity, value in (LESION_SETTINGS | {"mode": 1}).items():
        put(gate, quantity, value)
    gate.grant(LESION)
    with pytest.raises(RefusedError, match="mode of channel 1 = stimulation_voltage under a lesion permit"):
        ask(gate, pdu("command", 1), Intent.ENERGISE)


def test_writing_the_mode_forgets_the_set_points_of_the_old_one() -> None:
    gate = ready(STIMULATION, VOLTAGE_SETTINGS)
    put(gate, "mode", 2)
    with pytest.raises(RefusedError, match="stimulation_limit has not been written"):
        ask(gate, pdu("command", 2), Intent.ENERGISE)


def test_the_mode_stays_while_the_channel_may_be_on() -> None:
    gate = ready(STIMULATION, VOLTAGE_SETTINGS)
    put(gate, "command", 2, intent=Intent.ENERGISE)
    with pytest.raises(RefusedError, match="mode of channel 1 = stimulation_current while channel 1 may be on"):
        ask(gate, pdu("mode", 2), Intent.CONFIG)


def test_a_stimulation_value_without_a_mode_has_no_unit_and_is_refused() -> None:
    with pytest.raises(RefusedError, match="no stimulation mode"):
        ask(ready(STIMULATION, {}), pdu("stimulation_limit", 0.1), Intent.CONFIG)


@pytest.mark.parametrize("now_ns", [EXPIRES_NS - 1, EXPIRES_NS])
def test_the_lease_is_renewed_only_while_a_permit_is_live(now_ns: int) -> None:
    gate = off_gate()
    with pytest.raises(RefusedError, match="none is"):
        ask(gate, pdu("lease_renew", 1, None), Intent.RENEW, now_ns)
    gate.grant(LESION)
    if now_ns < EXPIRES_NS:
        ask(gate, pdu("lease_renew", 1, None), Intent.RENEW, now_ns)
    else:
        with pytest.raises(RefusedError, match="none is"):
            ask(gate, pdu("lease_renew", 1, None), Intent.RENEW, now_ns)


@pytest.mark.parametrize("granted", [False, True])
def test_reads_offs_and_settings_of_the_whole_generator_always_pass(*, granted: bool) -> None:
    gate = Gate(TABLE)
    if granted:
        gate.grant(LESION)
    for request, intent in (
        (read_input(64, 70), Intent.READ),
        (pdu("all_off", 1, None), Intent.OFF),
        (pdu("command", 0, 3), Intent.OFF),
        (pdu("owner", 7, None), Intent.CONFIG),
        (pdu("lease_ms", 500, None), Intent.CONFIG),
        (pdu("lease_clear", 1, None), Intent.CONFIG),
    ):
        ask(gate, request, intent)


@pytest.mark.parametrize(
    ("request_pdu", "does"),
    [
        (read_input(64, 70), Intent.READ),
        (pdu("all_off", 1, None), Intent.OFF),
        (pdu("lease_renew", 1, None), Intent.RENEW),
        (pdu("mode", 3), Intent.CONFIG),
    ],
)
def test_a_false_intent_is_refused_whatever_the_frame_does(request_pdu: bytes, does: Intent) -> None:
    gate = off_gate()
    gate.grant(LESION)
    for intent in Intent:
        if intent is does:
            ask(gate, request_pdu, intent)
        else:
            with pytest.raises(RefusedError, match=f"sent as {intent}, but it does {does}"):
                ask(gate, request_pdu, intent)


def test_a_write_to_another_unit_is_refused_an_off_too() -> None:
    gate = off_gate()
    for request, intent in ((pdu("all_off", 1, None), Intent.OFF), (pdu("mode", 3), Intent.CONFIG)):
        gate.check(request, intent, unit=1, now_ns=0)
        with pytest.raises(RefusedError, match="unit 2; the profile's is 1"):
            gate.check(request, intent, unit=2, now_ns=0)


def test_every_part_of_a_frame_is_judged() -> None:
    gate = ready(LESION, {"mode": 3})
    block = [("set_temperature_c", 80.0), ("ramp_c_per_s", 4.0), ("max_on_s", 130.3), ("power_limit_w", 3.7)]

    def frame(**changed: float) -> bytes:
        values = dict(block) | changed
        return write(19, b"".join(struct.pack(">f", value) for value in values.values()))

    ask(gate, frame(), Intent.CONFIG)
    for quantity, most in (("set_temperature_c", 80.0), ("max_on_s", 130.3), ("power_limit_w", 3.7)):
        with pytest.raises(RefusedError, match=f"{quantity} of channel 1"):
            ask(gate, frame(**{quantity: above(most)}), Intent.CONFIG)


def test_an_envelope_that_is_not_a_number_lets_nothing_pass() -> None:
    gate = ready(replace(LESION, envelope=replace(ENVELOPE, power_w=math.nan)), {"mode": 3})
    with pytest.raises(RefusedError, match="0 to nan"):
        ask(gate, pdu("power_limit_w", 0.1), Intent.CONFIG)


@pytest.mark.parametrize(
    ("channel", "permit", "rules"),
    [
        (None, PermitKind.LESION, TABLE.energising),
        (1, None, TABLE.energising),
        (1, PermitKind.LESION, ()),
    ],
)
def test_energising_that_no_permit_could_cover_is_refused_whatever_the_table_says(
    channel: int | None, permit: PermitKind | None, rules: tuple[Energising, ...]
) -> None:
    row = replace(PROFILE.writable("fire", 1), channel=channel, acts=((None, Act(Intent.ENERGISE, permit)),))
    gate = Gate(WriteTable(TABLE.unit, (row,), rules))
    gate.turned_off()
    gate.grant(LESION)
    with pytest.raises(RefusedError, match="has no permit that could cover it"):
        ask(gate, write(row.address, b"\0\1"), Intent.ENERGISE)


def test_a_permit_replaces_the_one_before_and_is_withdrawn_alone() -> None:
    gate = ready(LESION, LESION_SETTINGS)
    gate.grant(replace(LESION, channel=2))
    gate.withdraw(2)
    ask(gate, pdu("command", 1), Intent.ENERGISE)
    gate.grant(replace(LESION, expires_ns=0))
    with pytest.raises(RefusedError, match="expired"):
        ask(gate, pdu("command", 1), Intent.ENERGISE)
