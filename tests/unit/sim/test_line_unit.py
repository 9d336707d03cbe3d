"""The simulator's side of the line protocol by the page: its vectors, its refusals, and what it tells unasked."""

import re
from math import nan
from pathlib import Path

import pytest

from rfctl_sim.fault_effects import WireEffects
from rfctl_sim.generator import Generator
from rfctl_sim.line_codec import Lines, said
from rfctl_sim.line_events import LineEvents
from rfctl_sim.line_unit import CHANNEL_FIELDS, CODES, GENERATOR_FIELDS, SETTINGS, LineUnit
from rfctl_sim.setups import load
from rfctl_sim.writes import REFERENCE

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "line.md").read_text(encoding="utf-8")
VECTORS = re.findall(r"^\| `(.*\\n)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
NS_PER_S = 10**9
OWNER, STRANGER = 1, 2
LESION = "SET 1 set_temperature_c=60 ramp_c_per_s=4 max_on_s=60 power_limit_w=8"


class Bench:
    """A generator that is asked at an instant of the test's choosing."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.effects = WireEffects()
        self.generator = Generator(2, 1, 0, load("tissue-37", "poles"), REFERENCE)
        self.unit = LineUnit(self.generator, self.effects)
        self.events: list[bytes] = []
        LineEvents(self.generator.events).listeners["test"] = self.events.append

    def ask(self, body: str, connection: int = OWNER) -> str | None:
        self.now_ns += 1000
        return self.unit.answer(self.now_ns, connection, body)

    def accepted(self, *bodies: str) -> None:
        for body in bodies:
            assert str(self.ask(body)).startswith(f"OK {body.split()[0]}"), body

    def fire(self) -> None:
        token = str(self.ask("ARM 1")).partition("token=")[2]
        self.accepted(f"FIRE 1 {token}")

    @property
    def delivering(self) -> bool:
        return any(channel.stage.rf_on or channel.stage.stimulating for channel in self.generator.channels)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def claimed(bench: Bench) -> Bench:
    bench.accepted("CLAIM 4711", "RENEW 1")
    return bench


def unescaped(text: str) -> bytes:
    return text.replace("\\r", "\r").replace("\\n", "\n").encode("ascii")


@pytest.mark.parametrize("pieces", ["whole", "byte by byte"])
@pytest.mark.parametrize(("data", "generator", "_client"), VECTORS)
def test_a_generator_makes_of_the_bytes_what_the_page_says(
    data: str, generator: str, _client: str, pieces: str
) -> None:
    lines, raw = Lines(), unescaped(data)
    chunks = [raw] if pieces == "whole" else [bytes((byte,)) for byte in raw]
    found = [
        "not a line" if request.body is None else f"request {request.number:04X}, `{request.body}`"
        for chunk in chunks
        for _, request in lines.heard(chunk)
    ]
    assert ("; ".join(found) or "nothing") == generator


def test_every_single_bit_error_in_a_request_is_noticed() -> None:
    line = said(">", 1, "ARM 1")
    for at in range(len(line)):
        for bit in range(8):
            data = bytearray(line)
            data[at] ^= 1 << bit
            assert [request.body for _, request in Lines().heard(bytes(data) + b"\r\n") if request.body] == []


def test_bytes_without_an_end_cost_nothing_that_follows() -> None:
    lines = Lines()
    assert lines.heard(b"x" * 100_000) == []
    heard = [request.body for _, request in lines.heard(said(">", 1, "OFF"))]
    assert heard == ["OFF"]


def test_a_request_longer_than_the_longest_is_none() -> None:
    for octets, body in ((1024, "A" * 1011), (1025, None)):
        line = said(">", 1, "A" * (octets - 13))
        assert len(line) == octets
        assert [request.body for _, request in Lines().heard(line)] == [body]


def test_the_fields_are_those_of_the_page_in_its_order() -> None:
    for fields, heading in ((GENERATOR_FIELDS, "Fields of the generator:"), (CHANNEL_FIELDS, "Fields of a channel:")):
        start = PAGE.index(heading)
        table = PAGE[start : PAGE.index("\n\n", start + len(heading) + 3)]
        names = re.findall(r"^\| ([a-z_, ]+) \|", table, re.MULTILINE)[1:]
        assert ", ".join(names).replace(" ", "").split(",") == fields.split(",")


def test_settings_and_codes_are_those_of_the_page() -> None:
    table = PAGE[PAGE.index("Settings of `SET`") : PAGE.index("A setting of another mode")]
    names = ", ".join(re.findall(r"^\| ([a-z_, ]+) \|", table, re.MULTILINE)[1:])
    assert set(names.split(", ")) == set(SETTINGS)
    of_page = {int(code) for code in re.findall(r"(\d{3}) \w", PAGE[PAGE.index("| class | codes") :])}
    assert set(CODES.values()) <= of_page


def test_what_is_told_is_within_the_longest_replies_of_the_page(claimed: Bench) -> None:
    claimed.accepted("MODE 1 lesion", LESION)
    claimed.fire()
    for body, most in (("IDENT", 512), ("FIELDS", 768), ("GET 1", 384), ("TRAITS 2", 128), ("STATUS", 96 + 2 * 160)):
        assert len(said("<", 1, str(claimed.ask(body)))) <= most


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("HELLO", "- syntax 102"),
        ("off", "- syntax 102"),
        ("IDENT 1", "IDENT syntax 103"),
        ("CLAIM", "CLAIM syntax 103"),
        ("CLAIM x", "CLAIM syntax 103"),
        ("CLAIM 0", "CLAIM range 203"),
        ("CLAIM 65536", "CLAIM range 203"),
        ("CLEAR ALL", "CLEAR syntax 103"),
        ("SET 1", "SET syntax 103"),
        ("SET 1 power_limit_w", "SET syntax 103"),
        ("SET 1 power_limit_w=nan", "SET syntax 103"),
        ("SET 1 power_limit_w=1e3", "SET syntax 103"),
        ("SET 1 power_limit_w=1 power_limit_w=1", "SET syntax 103"),
        ("GET", "GET syntax 103"),
        ("GET 3", "GET range 201"),
        ("STATUS 3", "STATUS range 201"),
        ("MODE 3 lesion", "MODE range 201"),
        ("MODE 1 heat", "MODE range 203"),
        ("SET 1 power=1", "SET range 202"),
        ("SET 1 power_limit_w=51", "SET range 204"),
        ("LEASE 99", "LEASE range 203"),
        ("LEASE 1001", "LEASE range 203"),
        ("RENEW 9", "RENEW range 203"),
        ("FIRE 1 5", "FIRE state 302"),
        ("SET 1 set_temperature_c=60", "SET state 305"),
        ("SET 1 stimulation_limit_v=1", "SET state 305"),
        ("ARM 1", "ARM state 305"),
        ("AMPLITUDE 1 v=1", "AMPLITUDE state 305"),
    ],
)
def test_a_refusal_has_its_class_and_code(claimed: Bench, body: str, code: str) -> None:
    assert claimed.ask(body) == f"ERR {code}"


def test_refusals_that_need_a_story(claimed: Bench) -> None:
    claimed.accepted("MODE 1 lesion")
    assert claimed.ask("ARM 1") == "ERR ARM state 306"
    assert claimed.ask("SET 1 set_temperature_c=41") == "ERR SET range 203"
    assert claimed.ask("SET 1 stimulation_limit_v=1") == "ERR SET state 308"
    assert claimed.ask("SETPOINT 1 v_rms=1") == "ERR SETPOINT state 308"
    claimed.accepted(LESION)
    claimed.fire()
    assert claimed.ask("MODE 1 none") == "ERR MODE state 304"
    assert claimed.ask("SET 1 power_limit_w=9") == "ERR SET state 304"
    claimed.accepted("SET 1 power_limit_w=7", "OFF", "MODE 2 lesion", LESION.replace("SET 1", "SET 2"), "ARM 2")
    assert claimed.ask("FIRE 2 0") == "ERR FIRE state 303"
    assert claimed.ask("SET 1 power_limit_w=7", STRANGER) == "ERR SET owner 401"
    claimed.now_ns += NS_PER_S
    assert claimed.ask("MODE 1 lesion") == "ERR MODE state 301"
    claimed.accepted("CLEAR LEASE")
    assert claimed.ask("STIMULATE 1") == "ERR STIMULATE state 307"


def test_several_settings_are_accepted_together_or_not_at_all(claimed: Bench) -> None:
    claimed.accepted("MODE 1 lesion")
    assert claimed.ask("SET 1 set_temperature_c=60 power_limit_w=51") == "ERR SET range 204"
    assert "set_temperature_c=nan" in str(claimed.ask("GET 1"))


@pytest.mark.parametrize("body", ["OFF", "OFF 1", "OFF 9", "OFF now please", "OFF 01", "OFF 1 2"])
def test_off_turns_off_from_anyone_whatever_stands_behind_it(claimed: Bench, body: str) -> None:
    claimed.accepted("MODE 1 lesion", LESION)
    claimed.fire()
    assert claimed.delivering
    assert claimed.ask(body, STRANGER) == "OK OFF"
    assert not claimed.delivering
    assert claimed.ask(body, STRANGER) == "OK OFF"


def test_without_a_renewal_the_lease_ends_the_output(claimed: Bench) -> None:
    claimed.accepted("MODE 1 lesion", LESION)
    claimed.fire()
    for _ in range(20):  # reading renews nothing
        claimed.now_ns += 30_000_000
        claimed.ask("STATUS")
    assert not claimed.delivering
    texts = [event.split(b"*")[0].split(b" ", 1)[1] for event in claimed.events]
    assert texts[-2:] == [b"LEASE expired", b"OUTPUT 1 off"] or set(texts[-2:]) == {b"LEASE expired", b"OUTPUT 1 off"}


def test_events_are_numbered_without_a_gap(claimed: Bench) -> None:
    claimed.accepted("MODE 1 lesion", LESION)
    claimed.fire()
    claimed.accepted("OFF", "RELEASE")
    words = [re.fullmatch(rb"!([0-9A-F]{4}) (.*)\*[0-9A-F]{4}\r\n", event) for event in claimed.events]
    assert [int(found[1], 16) for found in words if found] == list(range(1, len(words) + 1))
    told = [found[2].decode() for found in words if found]
    assert told[:2] == ["OWNER 4711", "LEASE running"]
    assert told[2:5] == ["OUTPUT 1 armed", "OUTPUT 1 rf_on", "OUTPUT 1 off"]
    assert "OWNER 0" in told


def test_an_open_thermocouple_is_not_a_number(bench: Bench) -> None:
    effects = bench.generator.channels[0].effects
    effects.active = True
    effects.readings.append(lambda _, __: nan)
    bench.now_ns += NS_PER_S
    bench.generator.channels[0].measure(50)
    channel = str(bench.ask("STATUS 1")).split(";")[1].split(",")
    fields = CHANNEL_FIELDS.split(",")
    assert (channel[0], channel[fields.index("thermocouple_open")]) == ("nan", "1")


def test_a_frozen_status_stays_and_everything_else_goes_on(claimed: Bench) -> None:
    claimed.effects.frozen_ns = claimed.now_ns
    first = claimed.ask("STATUS")
    claimed.now_ns += NS_PER_S
    assert claimed.ask("STATUS") == first
    assert claimed.ask("STATUS 1") == ";".join(str(first).split(";")[:2])
    assert claimed.ask("GET 0") != first
    claimed.effects.frozen_ns = None
    assert claimed.ask("STATUS") != first


def test_a_wrong_identity_is_told_in_words_too(bench: Bench) -> None:
    assert "backend=simulator model=rfctl_reference" in str(bench.ask("IDENT"))
    bench.effects.identity.update({"backend": 1, "model": b"another generator", "firmware": b"sim 9.9"})
    told = str(bench.ask("IDENT"))
    assert "backend=device model=another_generator" in told
    assert "firmware=sim_9.9" in told


def test_the_days_of_the_calibration_are_told_where_they_are_known(bench: Bench) -> None:
    assert " calibration_done=20260105 calibration_due=20360105 " in str(bench.ask("IDENT"))
    bench.generator.calibration_date = 0
    told = str(bench.ask("IDENT"))
    assert "calibration_done" not in told
    assert " calibration_due=20360105 " in told
