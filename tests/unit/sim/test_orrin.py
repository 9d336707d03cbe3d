"""The simulated Orrin V against its manual: addresses, types and ranges are read from the page."""

import re
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from rfctl_sim import orrin_map

PAGE = (Path(__file__).parents[3] / "docs" / "generators" / "orrin-v.md").read_text(encoding="utf-8")
REGISTER = re.compile(r"^\| ([0-9A-F]{4}) \| (\w+) \| (u16|u32|i32|text \d+) \|([^|]*)\|", re.MULTILINE)
REGISTERS = [(int(n, 16), name, type_, rest.strip()) for n, name, type_, rest in REGISTER.findall(PAGE)]
PLACES = {name: (address, type_) for address, name, type_, _ in REGISTERS}
RANGES = {
    name: tuple(int(end) for end in rest.split("-"))
    for address, name, _, rest in REGISTERS
    if address > 0x0202 and "-" in rest
}
WORDS = {"u16": 1, "u32": 2, "i32": 2, "text 8": 4, "text 12": 6}


class Orrin:
    """One connection, by the names of the manual."""

    def __init__(self, bench, number=1):
        self.bench = bench
        self.socket = bench.socket(number)

    def raw(self, name):
        address, type_ = PLACES[name]
        data = self.socket.read(3, address, WORDS[type_])
        if type_.startswith("text"):
            return data.decode()
        return int.from_bytes(data, "big", signed=type_ == "i32")

    def set(self, name, raw):
        address, type_ = PLACES[name]
        if type_ == "i32":
            self.socket.write(address, *((raw & 0xFFFFFFFF) >> 16, raw & 0xFFFF))
        else:
            self.socket.write(address, raw)

    def lease(self):
        self.set("lease", 0x5AA5)

    def code(self):
        self.set("access", 0x4F52)

    def set_lesion(self):
        self.set("power_limit", 12_000)
        self.set("time_limit", 2000)

    def arm(self):
        self.lease()
        self.set("control", 1)
        self.code()
        self.code()

    def start_lesion(self):
        self.set_lesion()
        self.arm()
        self.set("control", 3)

    def start_stimulation(self):
        self.set("stimulation_width", 1000)
        self.set("stimulation_rate", 50_000)
        self.set("stimulation_limit", 3000)
        self.lease()
        self.set("control", 1)
        self.set("control", 5)

    def keep(self, seconds):
        for _ in range(round(seconds / 0.25)):
            self.bench.wait(0.25)
            self.lease()


@pytest.fixture
def bench(make_bench):
    return make_bench(1, 7, "orrin-v")


@pytest.fixture
def orrin(bench):
    return Orrin(bench)


@pytest.fixture
def other(bench):
    return Orrin(bench, 2)


@pytest.fixture
def fails(orrin, refused):
    """A context that expects a refusal by the manual's number, and reads it back."""

    class Fails:
        def __init__(self, error, code):
            self.error = error
            self.inner = refused(code, 0)

        def __enter__(self):
            self.inner.__enter__()

        def __exit__(self, *what):
            done = self.inner.__exit__(*what)
            assert orrin.raw("last_error") == self.error
            return done

    codes = {int(n): int(code) for n, code in re.findall(r"^\| (\d) \| 0(\d) \|", PAGE, re.MULTILINE)}
    return lambda error: Fails(error, codes[error])


def test_the_tables_are_the_manual_s():
    assert [(row.number, row.name, row.type) for row in orrin_map.ROWS] == [row[:3] for row in REGISTERS]
    assert len(REGISTERS) == 37


def test_the_examples_of_the_manual_are_answered_byte_for_byte(bench):
    reply = bench.server.answer(1, 1, 1, bytes.fromhex("0300000003"))
    assert reply == bytes.fromhex("0001 0000 0009 01 03 06 4F52 5256 0200")
    off = bytes.fromhex("0602000000")
    assert bench.server.answer(1, 1, 2, off) == bytes.fromhex("0002 0000 0006 01 06 0200 0000")
    for frame in re.findall(r"`(01 0[36] \w{4} \w{4} \w{4})`", PAGE):
        body = bytes.fromhex(frame)
        assert FramerRTU.check_CRC(body[:-2], int.from_bytes(body[-2:], "big"))


def test_the_identity_is_as_the_manual_says(orrin):
    names = ("type_code", "interface", "kind", "check", "rated_power", "answer_ms", "sample_ms")
    assert [orrin.raw(name) for name in names] == [0x4F525256, 0x0200, 0x0051, -123456789, 30_000, 10, 20]
    assert (orrin.raw("temperature_step"), orrin.raw("temperature_noise"), orrin.raw("last_error")) == (100, 20, 0)
    assert [orrin.raw(name) for name in ("model", "serial", "firmware")] == ["ORRIN V ", "SIM-00000007", "1.7     "]


def test_the_whole_status_and_the_whole_identity_are_one_request_each(orrin):
    assert len(orrin.socket.read(3, 0x0100, 0x15)) == 42
    assert len(orrin.socket.read(3, 0x0000, 0x1D)) == 58


def test_measurements_are_in_thousandths(bench, orrin):
    orrin.start_lesion()
    orrin.set("set_voltage", 300)
    orrin.keep(5.0)
    truth = bench.truth()
    assert truth["voltage_v_rms"] == pytest.approx(30.0)
    assert orrin.raw("voltage") == 30_000
    assert orrin.raw("power") == pytest.approx(truth["power_w"] * 1000, rel=0.02)
    assert orrin.raw("temperature") == pytest.approx(truth["tip_temperature_c"] * 1000, abs=1500)
    assert orrin.raw("current") * orrin.raw("impedance") == pytest.approx(30_000 * 1e6, rel=0.001)
    assert orrin.raw("rf_time") == 50
    assert (orrin.raw("voltage_in_force"), orrin.raw("limit_in_force")) == (300, 12_000)
    assert orrin.raw("state") == 0b101100111


def test_what_is_open_reads_minus_99999(bench, orrin):
    bench.faults.start("thermocouple_open")
    bench.faults.start("impedance", ohm=50_000.0)
    assert (orrin.raw("temperature"), orrin.raw("impedance")) == (-99_999, -99_999)
    assert orrin.raw("state") == 0b1100000000


def test_counters_wrap_at_16_bits(bench, orrin):
    bench.wait(65.5355)
    assert orrin.raw("uptime") == 65_535
    bench.wait(0.001)
    assert orrin.raw("uptime") == 0
    bench.wait(65_536 * 0.02 - 65.5365 - 0.001)
    assert orrin.raw("samples") == 65_535
    bench.wait(0.001)
    assert orrin.raw("samples") == 0


@pytest.mark.parametrize(
    ("address", "count", "error"),
    [(0x0000, 1, 1), (0x0001, 2, 1), (0x001D, 1, 1), (0x0114, 1, 1), (0x0115, 1, 1), (0x020E, 1, 1), (0x0100, 65, 2)],
)
def test_half_a_value_and_what_is_not_listed_are_refused(orrin, fails, address, count, error):
    with fails(error):
        orrin.socket.read(3, address, count)


@pytest.mark.parametrize("function", [1, 2, 4, 5, 15, 23])
def test_any_other_function_is_exception_01(bench, function):
    reply = bench.server.answer(1, 1, 1, bytes((function, 0, 0, 0, 1)))
    assert reply[7:] == bytes((function | 0x80, 1))


@pytest.mark.parametrize("name", ["type_code", "samples", "voltage_in_force", "limit_in_force"])
def test_identity_and_status_cannot_be_written(orrin, fails, name):
    with fails(1):
        orrin.set(name, 1)


@pytest.mark.parametrize("name", RANGES)
def test_a_register_takes_its_range_and_nothing_beyond(orrin, fails, name):
    low, high = RANGES[name]
    if name == "stimulation_amplitude":
        orrin.start_stimulation()
        high = 3000  # the limit that was set
    for raw in (low, high):
        orrin.set(name, raw)
        assert orrin.raw(name) == raw
    for raw in (low - 1, high + 1):
        if raw >= 0 or PLACES[name][1] == "i32":
            with fails(2):
                orrin.set(name, raw)
    assert orrin.raw(name) == high


def test_the_rate_has_steps(orrin, fails):
    orrin.set("stimulation_rate", 64_100)
    with fails(2):
        orrin.set("stimulation_rate", 64_150)
    assert orrin.raw("stimulation_rate") == 64_100


def test_several_registers_are_taken_together_or_not_at_all(orrin, fails):
    orrin.socket.write(0x0203, 0, 0, 12_000, 2000)
    assert (orrin.raw("power_limit"), orrin.raw("time_limit")) == (12_000, 2000)
    with fails(2):
        orrin.socket.write(0x0203, 0, 0, 11_000, 7201)
    assert orrin.raw("power_limit") == 12_000
    with fails(1):
        orrin.socket.write(0x0203, 0, 0)  # half of the power limit


# The lease


def test_the_lease_wants_its_key_and_ends_after_400_ms(bench, orrin, fails):
    with fails(2):
        orrin.set("lease", 0x5AA4)
    assert orrin.raw("lease_left") == 0
    orrin.start_lesion()
    for _ in range(5):
        bench.wait(0.39)
        orrin.lease()
    bench.wait(0.2)
    orrin.set("set_voltage", 100)  # no other write renews it, and no read
    assert orrin.raw("lease_left") == 200
    bench.wait(0.199)
    assert bench.truth()["rf_on"]
    bench.wait(0.001)
    assert not bench.truth()["rf_on"]
    assert (orrin.raw("control"), orrin.raw("faults"), orrin.raw("state") & 0b1111111) == (0, 1, 0)


def test_after_the_lease_the_key_begins_another_and_the_fault_wants_its_reset(bench, orrin, fails):
    orrin.start_lesion()
    bench.wait(0.5)
    orrin.lease()
    with fails(5):
        orrin.set("control", 1)
    orrin.set("control", 8)
    assert (orrin.raw("faults"), orrin.raw("control")) == (0, 0)
    orrin.start_lesion()
    assert bench.truth()["rf_on"]


def test_a_lease_that_ends_with_nothing_on_is_no_fault(bench, orrin):
    orrin.lease()
    orrin.set("control", 1)
    bench.wait(0.5)
    assert (orrin.raw("faults"), orrin.raw("control")) == (0, 0)


def test_the_lease_is_the_log_on(bench, orrin, other, fails):
    other.set("power_limit", 5000)
    orrin.lease()
    assert (orrin.raw("state") & 0b1100000, other.raw("state") & 0b1100000) == (0b1100000, 0b0100000)
    for write in (lambda: other.set("power_limit", 9), other.lease, lambda: other.set("control", 8), other.code):
        with fails(3):
            write()
    orrin.set("lease", 0)
    other.lease()
    with fails(3):
        orrin.lease()
    bench.wait(0.4)
    orrin.lease()


def test_giving_the_lease_back_turns_off_and_closing_a_connection_does_nothing(bench, orrin):
    orrin.start_lesion()
    orrin.socket.close()
    assert bench.truth()["rf_on"]
    orrin.set("lease", 0)
    assert not bench.truth()["rf_on"]
    assert orrin.raw("faults") == 0


def test_without_a_lease_nothing_is_enabled(orrin, fails):
    orrin.set_lesion()
    with fails(4):
        orrin.set("control", 1)
    for value, error in ((3, 7), (5, 7), (2, 2), (4, 2), (7, 2), (9, 2), (0x8000, 2)):
        with fails(error):
            orrin.set("control", value)


# A lesion


def test_a_lesion_takes_limits_lease_enable_code_twice_and_the_word(bench, orrin):
    orrin.start_lesion()
    assert bench.truth()["rf_on"]
    bench.wait(0.1)
    assert bench.truth()["voltage_v_rms"] == 0.0
    orrin.lease()
    orrin.set("set_voltage", 250)
    bench.wait(0.02)
    assert bench.truth()["voltage_v_rms"] == pytest.approx(25.0)
    assert orrin.raw("control") == 3
    orrin.set("control", 0)
    assert not bench.truth()["rf_on"]
    assert [orrin.raw(name) for name in ("set_voltage", "power_limit", "time_limit", "control")] == [0, 0, 0, 0]


@pytest.mark.parametrize("missing", ["power_limit", "time_limit"])
def test_a_missing_limit_refuses_the_code(orrin, fails, missing):
    for name, raw in (("power_limit", 12_000), ("time_limit", 2000)):
        if name != missing:
            orrin.set(name, raw)
    orrin.lease()
    orrin.set("control", 1)
    with fails(8):
        orrin.code()


def test_the_code_counts_twice_in_a_row_within_a_second(bench, orrin, fails):
    orrin.set_lesion()
    with fails(7):
        orrin.code()  # not enabled
    orrin.lease()
    orrin.set("control", 1)
    orrin.code()
    with fails(7):
        orrin.set("control", 3)  # once is not enough
    orrin.set("power_limit", 11_000)  # another write between
    orrin.code()
    assert not orrin.raw("state") & 0b10000
    orrin.lease()  # a renewal between
    orrin.code()
    assert orrin.raw("state") & 0b10000
    with fails(2):
        orrin.set("access", 0x4F53)
    assert orrin.raw("state") & 0b10001 == 1
    orrin.code()
    orrin.keep(1.0)
    orrin.code()  # too late for the first: counts as the first
    assert not orrin.raw("state") & 0b10000
    orrin.code()
    assert orrin.raw("state") & 0b10000
    orrin.keep(5.0)
    assert orrin.raw("state") & 0b10001 == 1
    with fails(7):
        orrin.set("control", 3)


def test_rf_begins_at_no_voltage(bench, orrin, fails):
    orrin.set_lesion()
    orrin.set("set_voltage", 10)
    orrin.arm()
    with fails(8):
        orrin.set("control", 3)
    orrin.set("set_voltage", 0)
    orrin.set("control", 3)
    assert bench.truth()["rf_on"]


def test_the_power_limit_holds_the_voltage_down_and_may_only_fall(bench, orrin, fails):
    orrin.start_lesion()
    with fails(6):
        orrin.set("power_limit", 12_001)
    with fails(6):
        orrin.set("time_limit", 100)
    orrin.set("power_limit", 2000)
    orrin.set("set_voltage", 1200)
    orrin.keep(1.0)
    assert bench.truth()["power_w"] == pytest.approx(2.0, rel=0.01)
    assert orrin.raw("voltage") < 30_000
    assert orrin.raw("state") & 1 << 7
    assert orrin.raw("voltage_in_force") == 1200
    assert orrin.raw("faults") == 0


def test_one_ends_an_output_and_keeps_the_stage_enabled(bench, orrin):
    orrin.start_lesion()
    orrin.set("control", 3)  # in force: changes nothing
    assert bench.truth()["rf_on"]
    orrin.set("control", 1)
    assert not bench.truth()["rf_on"]
    assert orrin.raw("control") == 1


# Off


@pytest.mark.parametrize("state", ["idle", "leased", "enabled", "armed", "rf", "stimulating", "faulty"])
def test_zero_turns_everything_off_from_anyone_in_any_state(bench, orrin, other, state):
    if state in {"rf", "faulty"}:
        orrin.start_lesion()
    elif state == "stimulating":
        orrin.start_stimulation()
    elif state == "armed":
        orrin.set_lesion()
        orrin.arm()
    elif state != "idle":
        orrin.lease()
        orrin.set("control", int(state == "enabled"))
    if state == "faulty":
        bench.wait(0.5)
        orrin.lease()
    if state != "idle":
        orrin.set("set_voltage", 10)
    assert (bench.truth()["rf_on"], bench.truth()["stimulating"]) == (state == "rf", state == "stimulating")
    other.set("control", 0)
    other.set("control", 0)
    assert (bench.truth()["rf_on"], bench.truth()["stimulating"]) == (False, False)
    assert (orrin.raw("control"), orrin.raw("state") & 0b11111, orrin.raw("set_voltage")) == (0, 0, 0)


@pytest.mark.parametrize(("words", "error"), [([0, 0x5AA5], 3), ([0] * 15, 1), ([0, 0, 0, 5000, 0], 1)])
def test_a_zero_at_the_beginning_of_a_longer_write_is_done_whatever_becomes_of_the_rest(
    bench, orrin, other, fails, words, error
):
    orrin.start_lesion()
    with fails(error):
        other.socket.write(0x0200, *words)
    assert not bench.truth()["rf_on"]


# Stimulation


def test_stimulation_starts_at_nothing_and_follows(bench, orrin, fails):
    with fails(2):
        orrin.set("stimulation_amplitude", 1)  # above the limit: none is set
    orrin.set("stimulation_limit", 3000)
    with fails(7):
        orrin.set("stimulation_amplitude", 1)
    orrin.lease()
    orrin.set("control", 1)
    with fails(8):
        orrin.set("control", 5)
    orrin.set("control", 0)
    orrin.start_stimulation()
    assert bench.truth()["stimulating"]
    orrin.set("stimulation_amplitude", 1500)
    orrin.keep(0.5)
    assert orrin.raw("stimulation") == pytest.approx(1250, abs=30)
    orrin.keep(0.5)
    assert (orrin.raw("stimulation"), orrin.raw("control"), orrin.raw("state") & 0b11111) == (1500, 5, 0b01001)
    for name, raw in (("stimulation_width", 500), ("stimulation_rate", 2000), ("stimulation_limit", 5000)):
        with fails(6):
            orrin.set(name, raw)
    with fails(6):
        orrin.set("control", 8)
    orrin.set("control", 0)
    assert [orrin.raw(n) for n in ("stimulation_amplitude", "stimulation_width", "stimulation_limit")] == [
        0,
        1000,
        3000,
    ]


def test_an_armed_channel_does_not_stimulate(orrin, fails):
    orrin.start_stimulation()
    orrin.set("control", 0)
    orrin.set_lesion()
    orrin.arm()
    with fails(7):
        orrin.set("control", 5)


# Its own protection, and injected faults


@pytest.mark.parametrize(
    ("fault", "parameters", "bit"),
    [
        ("over_temperature", {"kelvin": 90.0}, 1),
        ("thermocouple_open", {}, 2),
        ("impedance", {"ohm": 5.0}, 3),
        ("impedance", {"ohm": 5000.0}, 3),
        ("power_over_limit", {"power_w": 20.0}, 4),
    ],
)
def test_its_own_protection_turns_everything_off_and_sets_a_bit(bench, orrin, fault, parameters, bit):
    orrin.start_lesion()
    orrin.set("set_voltage", 300)
    orrin.keep(1.0)
    bench.faults.start(fault, firmware_blind=False, **parameters)
    orrin.keep(0.5)
    assert not bench.truth()["rf_on"]
    assert (orrin.raw("faults"), orrin.raw("control")) == (1 << bit, 0)
    bench.faults.clear(fault)
    orrin.set("control", 8)
    assert orrin.raw("faults") == 0


def test_the_time_limit_and_rf_without_command_have_their_bits(bench, orrin):
    orrin.set("power_limit", 12_000)
    orrin.set("time_limit", 20)
    orrin.arm()
    orrin.set("control", 3)
    orrin.keep(1.75)
    assert bench.truth()["rf_on"]
    orrin.keep(0.25)
    assert not bench.truth()["rf_on"]
    assert orrin.raw("faults") == 1 << 5
    orrin.set("control", 8)
    bench.faults.start("rf_without_command", firmware_blind=False)
    bench.wait(0.1)
    assert orrin.raw("faults") == 1 << 6
    assert orrin.raw("state") & 0b111 == 0b100


def test_faults_of_the_wire_work_on_this_map(bench, orrin, fails):
    bench.faults.start("wrong_map_id")
    assert orrin.raw("type_code") != 0x4F525256
    bench.faults.start("counter_frozen")
    before = orrin.socket.read(3, 0x0100, 0x15)
    bench.wait(1.0)
    assert orrin.socket.read(3, 0x0100, 0x15) == before
    bench.faults.clear("counter_frozen")
    assert orrin.socket.read(3, 0x0100, 0x15) != before
    bench.faults.start("refuse_write")
    with fails(5):
        orrin.set("power_limit", 5000)
    orrin.set("time_limit", 100)
    bench.faults.start("no_reply", seconds=1.0)
    assert bench.server.answer(1, 1, 1, bytes.fromhex("0300000003")) is None
