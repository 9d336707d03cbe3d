"""What each line does, from its bytes alone: the table that the driver of the line protocol declares to the gate."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from rfctl.errors import RefusedError
from rfctl.link.gate import Gate
from rfctl.link.write_table import turns_all_off
from rfctl.model.permit import Envelope, Intent, Permit, PermitKind
from rfctl_line.table import TABLE

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "line.md").read_text(encoding="utf-8")
ENVELOPE = Envelope(80.0, 12.0, 100.0, stimulation_v=1.0, stimulation_ma=2.0, voltage_v_rms=40.0)


@pytest.mark.parametrize(
    ("line", "intent", "shown"),
    [
        ("IDENT", Intent.READ, []),
        ("FIELDS", Intent.READ, []),
        ("TRAITS 1", Intent.READ, []),
        ("STATUS", Intent.READ, []),
        ("STATUS 4", Intent.READ, []),
        ("GET 0", Intent.READ, []),
        ("OFF", Intent.OFF, ["all_off = 1"]),
        ("OFF 2", Intent.OFF, ["command of channel 2 = off"]),
        ("CLAIM 4711", Intent.CONFIG, ["owner = 4711"]),
        ("RELEASE", Intent.CONFIG, ["owner = 1"]),
        ("LEASE 500", Intent.CONFIG, ["lease_ms = 500"]),
        ("RENEW 65535", Intent.RENEW, ["lease_renew = 65535"]),
        ("CLEAR LEASE", Intent.CONFIG, ["lease_clear = 1"]),
        ("CLEAR FAULTS", Intent.CONFIG, ["fault_clear = 1"]),
        ("EVENTS 1", Intent.CONFIG, ["events = 1"]),
        ("MODE 1 lesion", Intent.CONFIG, ["mode of channel 1 = lesion_temperature"]),
        ("MODE 4 stim_ma", Intent.CONFIG, ["mode of channel 4 = stimulation_current"]),
        ("SET 1 max_on_s=1.5", Intent.CONFIG, ["max_on_s of channel 1 = 1.5"]),
        (
            "SET 1 power_limit_w=3.25 set_temperature_c=80",
            Intent.CONFIG,
            ["power_limit_w of channel 1 = 3.25", "set_temperature_c of channel 1 = 80"],
        ),
        ("SET 2 stimulation_limit_ma=2", Intent.CONFIG, ["stimulation_limit of channel 2 = 2"]),
        ("ARM 1", Intent.ENERGISE, ["command of channel 1 = arm"]),
        ("FIRE 1 50494", Intent.ENERGISE, ["fire of channel 1 = 50494"]),
        ("STIMULATE 1", Intent.ENERGISE, ["command of channel 1 = stimulate"]),
        ("AMPLITUDE 1 v=0.4", Intent.ENERGISE, ["stimulation_amplitude of channel 1 = 0.4"]),
        ("SETPOINT 1 v_rms=20", Intent.ENERGISE, ["voltage_set_point_v_rms of channel 1 = 20"]),
        ("SETPOINT 1 w=2", Intent.ENERGISE, ["power_set_point_w of channel 1 = 2"]),
    ],
)
def test_a_line_is_told_by_its_words(line: str, intent: Intent, shown: list[str]) -> None:
    classified = TABLE.classify(line.encode())
    assert (classified.intent, [action.shown for action in classified.actions]) == (intent, shown)


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "off",
        "OFF ",
        " OFF",
        "OFF  1",
        "OFF 1 2",
        "OFF 5",
        "OFF 01",
        "OFF now",
        "STATUS 5",
        "IDENT 1",
        "GET 1 2",
        "CLAIM",
        "CLAIM x",
        "CLAIM -1",
        "CLAIM 1.5",
        "CLAIM 65536",
        "CLAIM 1 2",
        "CLEAR",
        "CLEAR ALL",
        "CLEAR LEASE FAULTS",
        "LEASE 1001",
        "RENEW 1e3",
        "MODE 1",
        "MODE 1 heat",
        "MODE 1 lesion lesion",
        "MODE 0 lesion",
        "SET 1",
        "SET max_on_s=1",
        "SET 1 max_on_s",
        "SET 1 max_on_s=",
        "SET 1 max_on_s=nan",
        "SET 1 max_on_s=inf",
        "SET 1 max_on_s=+1",
        "SET 1 max_on_s=1e2",
        "SET 1 max_on_s=1_0",
        "SET 1 max_on_s=1.",
        "SET 1 max_on_s=.5",
        "SET 1 max_on_s=1.1234567",
        "SET 1 max_on_s=1 max_on_s=2",
        "SET 1 stimulation_limit_v=1 stimulation_limit_ma=1",
        "SET 1 v=1",
        "SET 1 mode=3",
        "SET 1 stimulation_width_us=10.5",
        "SET 1 max_on_s=1 OFF",
        "ARM",
        "ARM 1 1",
        "FIRE 1",
        "FIRE 1 x",
        "AMPLITUDE 1",
        "AMPLITUDE 1 0.4",
        "AMPLITUDE 1 w=1",
        "SETPOINT 1 v=1",
        "SETPOINT 1 v_rms=1 w=1 v_rms=2",
        "EVENTS 2",
        "HELLO",
        "OFF\r\n>0001 ARM 1",
        "OFF*0000",
        "STATUS\r\n",
        "ARM 1\t",
        "ARM \u0661",
    ],
)
def test_what_is_not_of_the_form_is_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        TABLE.classify(line.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    for byte in range(256):
        for data in (bytes((byte,)), b"OFF" + bytes((byte,)), b"SET 1 max_on_s=1" + bytes((byte,))):
            if data in {b"SET 1 max_on_s=1%d" % digit for digit in range(10)}:
                continue
            with pytest.raises(RefusedError):
                TABLE.classify(data)


def test_only_the_bare_off_turns_every_channel_off() -> None:
    assert turns_all_off(TABLE.classify(b"OFF").actions, TABLE.channels)
    assert not turns_all_off(TABLE.classify(b"OFF 1").actions, TABLE.channels)


def test_every_request_of_the_page_can_be_sent_and_no_other() -> None:
    of_page = {words.split(" n")[0] for words in re.findall(r"^\| `([A-Z][^`]*)` \|", PAGE, re.MULTILINE)}
    verbs = {re.match(r"CLEAR \w+|\w+", words)[0] for words in of_page}  # type: ignore[index]
    sent = {write.request for write in TABLE.writes} | {verb for verb, _ in TABLE.reads}
    events = {"OUTPUT", "TRIP"}
    assert verbs - events - {"OWNER"} == sent


def test_every_setting_of_the_page_can_be_sent_and_no_other() -> None:
    settings = PAGE[PAGE.index("Settings of `SET`") : PAGE.index("A setting of another mode")]
    named = {
        name.strip() for row in re.findall(r"^\| ([a-z_, ]+) \|", settings, re.MULTILINE) for name in row.split(",")
    }
    assert named - {"name"} == {write.name for write in TABLE.writes if write.request == "SET"}


def test_the_digest_tells_every_difference() -> None:
    assert replace(TABLE, most_channels=3).sha256 != TABLE.sha256
    assert replace(TABLE, writes=TABLE.writes[:-1]).sha256 != TABLE.sha256
    first, *others = TABLE.energising
    assert replace(TABLE, energising=(replace(first, requires=()), *others)).sha256 != TABLE.sha256


class Judged:
    """A gate with the table, and what was accepted through it."""

    def __init__(self) -> None:
        self.gate = Gate(TABLE)

    def off(self) -> None:
        self.gate.turned_off()

    def permit(self, kind: PermitKind) -> None:
        self.gate.grant(Permit(1, kind, ENVELOPE, 100))

    def send(self, *lines: str) -> None:
        for line in lines:
            pdu = line.encode()
            actions = self.gate.check(pdu, TABLE.classify(pdu).intent, unit=TABLE.unit, now_ns=0).actions
            self.gate.sent(actions)
            self.gate.accepted(actions)


@pytest.fixture
def judged() -> Judged:
    it = Judged()
    it.off()
    return it


LESION = "SET 1 set_temperature_c=80 ramp_c_per_s=4 max_on_s=100 power_limit_w=12"


def test_a_lesion_inside_its_envelope_may_be_fired(judged: Judged) -> None:
    judged.permit(PermitKind.LESION)
    judged.send("RENEW 1", "MODE 1 lesion", LESION, "ARM 1", "FIRE 1 5", "SET 1 power_limit_w=3")


@pytest.mark.parametrize(
    "lines",
    [
        ["ARM 1"],
        ["MODE 1 lesion", "ARM 1"],
        ["MODE 1 lesion", "SET 1 max_on_s=100 power_limit_w=12", "ARM 1"],
        ["MODE 1 lesion", "SET 1 max_on_s=100.000001 set_temperature_c=80 power_limit_w=12"],
        ["MODE 1 lesion", "SET 1 max_on_s=100 set_temperature_c=80 power_limit_w=12.000001"],
        ["MODE 1 stim_v"],
        ["MODE 1 lesion", LESION, "MODE 1 lesion", "ARM 1"],
        ["MODE 1 lesion", LESION, "STIMULATE 1"],
        ["MODE 1 lesion", LESION, "ARM 2"],
        ["MODE 1 lesion_v", "SET 1 max_on_s=100 power_limit_w=12", "ARM 1", "SETPOINT 1 v_rms=40.1"],
        ["MODE 1 lesion_w", "SET 1 max_on_s=100 power_limit_w=12", "ARM 1", "SETPOINT 1 w=12.1"],
    ],
)
def test_a_lesion_outside_of_what_was_permitted_is_not(judged: Judged, lines: list[str]) -> None:
    judged.permit(PermitKind.LESION)
    judged.send(*lines[:-1])
    with pytest.raises(RefusedError):
        judged.send(lines[-1])


@pytest.mark.parametrize(("unit", "most"), [("v", 1), ("ma", 2)])
def test_an_amplitude_is_bounded_in_its_own_unit(judged: Judged, unit: str, most: int) -> None:
    judged.permit(PermitKind.STIMULATION)
    judged.send(f"MODE 1 stim_{unit}", f"SET 1 stimulation_limit_{unit}={most}", "STIMULATE 1")
    judged.send(f"AMPLITUDE 1 {unit}={most}")
    with pytest.raises(RefusedError, match=f"stimulation_{unit}"):
        judged.send(f"AMPLITUDE 1 {unit}={most}.000001")


def test_without_a_permit_nothing_is_renewed_and_nothing_energised(judged: Judged) -> None:
    judged.send("MODE 1 lesion", LESION)
    for line in ("RENEW 1", "ARM 1", "FIRE 1 1", "STIMULATE 1", "AMPLITUDE 1 v=0", "SETPOINT 1 v_rms=0"):
        with pytest.raises(RefusedError):
            judged.send(line)


def test_a_false_intent_is_refused() -> None:
    with pytest.raises(RefusedError, match="sent as read, but it does energise"):
        Gate(TABLE).check(b"ARM 1", Intent.READ, unit=TABLE.unit, now_ns=0)
