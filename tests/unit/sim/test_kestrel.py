"""The simulated Kestrel-2 against its manual: addresses, types and units are read from the page."""

import re
import struct
from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU

from rfctl_sim import kestrel_map

PAGE = (Path(__file__).parents[3] / "docs" / "generators" / "kestrel-2.md").read_text(encoding="utf-8")
REGISTER = re.compile(r"^\| ([34]\d{4}) \| (\w+) \| (u16|i16|u32|text \d) \|([^|]*)\|([^|]*)\|", re.MULTILINE)
COIL = re.compile(r"^\| (0\d{4}) \| (\w+) \|", re.MULTILINE)
REGISTERS = [(int(n), name, type_, unit.strip(), rest.strip()) for n, name, type_, unit, rest in REGISTER.findall(PAGE)]
PLACES = {(name, number // 10000): (number, type_, unit) for number, name, type_, unit, _ in reversed(REGISTERS)}
COILS = {name: int(number) - 1 for number, name in COIL.findall(PAGE)}
RANGES = {
    name: tuple(int(end) for end in rest.split("-"))
    for number, name, _, _, rest in REGISTERS
    if number > 40100 and "-" in rest
}
LESION = ("set_temperature", "ramp", "time_limit", "power_limit")


class Kestrel:
    """One connection, by the names of the manual."""

    def __init__(self, bench, number=1):
        self.bench = bench
        self.socket = bench.socket(number)

    def place(self, name, table, channel):
        number, type_, unit = PLACES[name, table]
        if (name, table, channel) == ("sample_count", 3, 0):
            number = 30101
        elif channel:
            number = (30201 if table == 3 else 40101) + number % 100 - 1 + 100 * (channel - 1)
        return number % 10000 - 1, type_, float(unit.split()[0]) if unit[:1].isdigit() else 1.0

    def raw(self, name, channel=0, table=3):
        address, type_, _ = self.place(name, table, channel)
        words = {"u32": 2, "text 6": 3}.get(type_, 1)
        data = self.socket.read(7 - table, address, words)
        if type_ == "u32":
            return int.from_bytes(data[2:] + data[:2], "big")
        if type_.startswith("text"):
            return data.rstrip(b"\0").decode()
        return int.from_bytes(data, "big", signed=type_ == "i16")

    def shown(self, name, channel=0):
        return self.raw(name, channel) * self.place(name, 3, channel)[2]

    def held(self, name, channel=1):
        return self.raw(name, channel, 4)

    def set(self, name, raw, channel=1):
        self.socket.write(self.place(name, 4, channel)[0], raw)

    def feed(self, value=0):
        self.socket.write(0, value)

    def coil(self, name, on=True):
        self.socket.coil(COILS[name], on)

    def coils(self):
        byte = self.socket.read(1, 0, 7)[0]
        return {name for name, address in COILS.items() if byte >> address & 1}

    def status(self):
        return self.raw("status")

    def remote(self):
        self.coil("remote_request")
        self.bench.wait(0.2)

    def set_lesion(self, channel=1):
        for name, raw in (("mode", 1), ("set_temperature", 800), ("ramp", 43), ("time_limit", 2000)):
            self.set(name, raw, channel)
        self.set("power_limit", 2600, channel)

    def unlock(self, channel=1):
        self.set("arm", 1, channel)
        self.set("response", self.raw("challenge", channel) ^ 0xA5A5, channel)

    def start_lesion(self, channel=1):
        self.remote()
        self.feed()
        self.set_lesion(channel)
        self.unlock(channel)
        self.coil(f"rf_enable_{channel}")

    def start_stimulation(self, mode=2, channel=1):
        self.remote()
        self.feed()
        self.set("mode", mode, channel)
        self.set("stimulation_rate", 50, channel)
        self.set("stimulation_width", 100, channel)
        self.set("volts_limit" if mode == 2 else "milliamps_limit", 300, channel)
        self.coil(f"stimulation_enable_{channel}")

    def keep(self, seconds):
        for _ in range(round(seconds / 0.5)):
            self.bench.wait(0.5)
            self.feed()


@pytest.fixture
def bench(make_bench):
    return make_bench(2, 7, "kestrel-2")


@pytest.fixture
def kestrel(bench):
    return Kestrel(bench)


@pytest.fixture
def other(bench):
    return Kestrel(bench, 2)


def test_the_tables_are_the_manual_s():
    rows = kestrel_map.MAP.rows(2)
    mine = {(row.number, row.name, row.type, row.unit) for table in (3, 4) for row in rows[table] if row.channel != 2}
    assert mine == {row[:4] for row in REGISTERS}
    assert len(mine) == len(REGISTERS) == 47
    for table in (3, 4):
        first = [(row.number + 100, row.name, row.type, row.unit) for row in rows[table] if row.channel == 1]
        assert first == [(row.number, row.name, row.type, row.unit) for row in rows[table] if row.channel == 2]
    assert {row.name: row.number - 1 for row in rows[1]} == COILS


def test_the_examples_of_the_manual_are_answered_byte_for_byte(bench):
    reply = bench.server.answer(1, 1, 1, bytes.fromhex("0400000010"))
    assert reply.startswith(bytes.fromhex("0001 0000 0023 01 04 20 4B32 0301 0304 0102"))
    assert bench.server.answer(1, 1, 2, bytes.fromhex("050000FF00")) == bytes.fromhex("0002 0000 0006 01 05 0000 FF00")
    for frame in re.findall(r"`(01 0[45] 0000 \w{4} \w{4})`", PAGE):
        body = bytes.fromhex(frame)
        assert FramerRTU.check_CRC(body[:-2], int.from_bytes(body[-2:], "big"))


def test_the_identity_is_as_the_manual_says(kestrel):
    assert [kestrel.raw(name) for name in ("model_code", "manual_revision", "check_value", "serial_number")] == [
        0x4B32,
        0x0301,
        16909060,
        7,
    ]
    assert [kestrel.raw(name) for name in ("software", "unit_kind", "channel_count", "rated_power")] == [
        214,
        2,
        2,
        4000,
    ]
    assert [kestrel.raw(name) for name in ("answer_time", "sample_period", "temperature_step")] == [10, 20, 1]
    assert kestrel.raw("model_name") == "KES-2"


def test_measurements_are_scaled_as_the_manual_says(bench, kestrel):
    kestrel.start_lesion()
    kestrel.keep(6.0)
    truth = bench.truth()
    assert kestrel.shown("tip_temperature", 1) == pytest.approx(truth["tip_temperature_c"], abs=1.5)
    assert kestrel.shown("rf_power", 1) == pytest.approx(truth["power_w"], rel=0.05)
    assert kestrel.shown("rf_voltage", 1) == pytest.approx(truth["voltage_v_rms"], rel=0.02)
    amperes = kestrel.shown("rf_current", 1) / 1000
    assert kestrel.shown("impedance", 1) * amperes == pytest.approx(truth["voltage_v_rms"], rel=0.02)
    assert kestrel.shown("monitor_current", 1) == kestrel.shown("rf_current", 1)
    assert kestrel.shown("rf_time", 1) == pytest.approx(6.0, abs=0.11)
    assert kestrel.shown("cold_junction", 1) == 25.0
    assert kestrel.raw("channel_state", 1) == 0b1100101
    assert kestrel.raw("channel_state", 2) == 0b1100000
    assert kestrel.raw("mode", 1) == 1
    assert kestrel.coils() == {"remote_request", "rf_enable_1"}


def test_what_is_open_reads_its_mark_and_never_a_number(bench, kestrel):
    bench.faults.start("thermocouple_open", 2)
    bench.faults.start("impedance", 2, ohm=50_000.0)
    assert kestrel.raw("tip_temperature", 2) == -0x8000
    assert kestrel.raw("impedance", 2) == 0xFFFF
    assert not kestrel.raw("channel_state", 2) & 1 << 6
    assert kestrel.raw("tip_temperature", 1) == pytest.approx(370, abs=2)


def test_the_sample_count_stands_in_every_block_and_wraps_at_16_bits(bench, kestrel):
    bench.wait(65_536 * 0.02 - 0.05)
    counts = []
    for _ in range(4):
        blocks = [kestrel.raw("sample_count", channel) for channel in (0, 1, 2)]
        assert blocks == blocks[:1] * 3
        counts += blocks[:1]
        bench.wait(0.02)
    assert counts == [65533, 65534, 65535, 0]
    assert kestrel.raw("uptime") == 1310


@pytest.mark.parametrize(
    ("function", "address", "count", "code"),
    [
        (4, 16, 1, 2),
        (4, 106, 1, 2),
        (4, 99, 2, 2),
        (4, 200, 17, 3),
        (4, 0, 0, 3),
        (3, 1, 1, 2),
        (3, 100, 14, 2),
        (3, 300, 1, 2),
        (1, 0, 8, 2),
        (1, 7, 1, 2),
        (1, 0, 17, 3),
        (2, 0, 1, 1),
        (15, 0, 1, 1),
        (23, 0, 1, 1),
    ],
)
def test_a_request_that_the_manual_does_not_allow_is_refused(kestrel, refused, function, address, count, code):
    with refused(code, 0):
        kestrel.socket.read(function, address, count)


def test_half_of_a_value_may_be_read(kestrel):
    assert kestrel.socket.read(4, 3, 1) == b"\x01\x02"
    assert kestrel.socket.read(4, 14, 2) == b"S-2\0"


@pytest.mark.parametrize("pdu", ["0500001234", "05000701", "050007ff00", "06000a0001", "1000640011" + "22" + "00" * 34])
def test_a_write_that_hits_nothing_is_refused(kestrel, refused, pdu):
    kestrel.remote()
    with refused(2 if pdu in {"050007ff00", "06000a0001"} else 3, 0):
        kestrel.socket.request(bytes.fromhex(pdu))


@pytest.mark.parametrize("name", RANGES)
def test_a_register_takes_its_range_and_nothing_beyond(kestrel, refused, name):
    low, high = RANGES[name]
    if name in {"volts", "milliamps"}:
        kestrel.start_stimulation(2 if name == "volts" else 3)
        kestrel.set(name, low)
        with refused(3, 0):
            kestrel.set(name, 301)  # above the limit that was set
        high = 300
    else:
        kestrel.remote()
        if name != "mode":
            kestrel.set("mode", 1 if name in LESION else 3 if name.startswith("milliamps") else 2)
    for raw in (low, high):
        kestrel.set(name, raw)
        assert kestrel.held(name) == raw
    for raw in (low - 1, high + 1):
        if raw >= 0:
            with refused(3, 0):
                kestrel.set(name, raw)
    assert kestrel.held(name) == high


def test_several_registers_are_taken_together_or_not_at_all(kestrel, refused):
    kestrel.remote()
    kestrel.set("mode", 1)
    kestrel.socket.write(101, 800, 43, 2000, 2600)
    assert [kestrel.held(name) for name in LESION] == [800, 43, 2000, 2600]
    with refused(3, 0):
        kestrel.socket.write(101, 700, 43, 2000, 4001)
    assert kestrel.held("set_temperature") == 800
    with refused(2, 0):
        kestrel.socket.write(112, 1, 1)


def test_set_points_belong_to_a_mode(kestrel, refused):
    kestrel.remote()
    with refused(4, 0):
        kestrel.set("set_temperature", 800)
    kestrel.set("mode", 2)
    for name in ("set_temperature", "milliamps_limit", "milliamps"):
        with refused(4, 0):
            kestrel.set(name, 500 if name == "set_temperature" else 0)
    kestrel.set("volts_limit", 300)
    kestrel.set("mode", 2)
    assert kestrel.held("volts_limit") == 0


# REMOTE


def test_nobody_writes_before_the_panel_has_granted_remote(bench, kestrel, refused):
    with refused(6, 0):
        kestrel.feed()
    with refused(6, 0):
        kestrel.coil("remote_request", on=False)
    kestrel.coil("remote_request")
    assert kestrel.status() == 0b100
    bench.wait(0.199)
    with refused(6, 0):
        kestrel.set("mode", 1)
    bench.wait(0.001)
    assert kestrel.status() == 0b11
    assert kestrel.coils() == {"remote_request"}
    kestrel.set("mode", 1)


def test_remote_belongs_to_one_connection(kestrel, other, refused):
    kestrel.remote()
    assert (kestrel.status(), other.status()) == (0b11, 0b01)
    for write in (other.feed, lambda: other.set("mode", 1), lambda: other.coil("fault_reset")):
        with refused(6, 0):
            write()
    kestrel.feed()
    with refused(6, 0):
        other.coil("remote_request")
    kestrel.coil("remote_request")  # changes nothing
    assert kestrel.status() == 0b10011


def test_without_a_watchdog_another_connection_takes_remote_over(bench, kestrel, other, refused):
    kestrel.remote()
    other.remote()
    assert (kestrel.status(), other.status()) == (0b01, 0b11)
    with refused(6, 0):
        kestrel.feed()


def test_a_locked_panel_grants_nothing_and_the_request_falls(bench, kestrel):
    bench.person(remote="locked")
    kestrel.coil("remote_request")
    bench.wait(0.999)
    assert kestrel.status() == 0b1100
    bench.wait(0.001)
    assert kestrel.status() == 0b1000
    kestrel.coil("remote_request")
    bench.wait(0.5)
    bench.generator.advance_to(bench.clock.now_ns)
    bench.person(remote="free")
    assert kestrel.status() == 0b11


@pytest.mark.parametrize("end", ["close", "lock", "give back", "another request is refused"])
def test_every_way_of_losing_remote_turns_off(bench, kestrel, other, refused, end):
    kestrel.start_lesion()
    bench.wait(0.1)
    assert bench.truth()["rf_on"]
    if end == "close":
        kestrel.socket.close()
    elif end == "lock":
        bench.person(remote="locked")
    elif end == "give back":
        kestrel.coil("remote_request", on=False)
    else:
        with refused(6, 0):
            other.coil("remote_request")
        assert bench.truth()["rf_on"]
        return
    assert not bench.truth()["rf_on"]
    assert not other.status() & 0b10111
    other.remote()
    assert other.status() == (0b1100 if end == "lock" else 0b11)


def test_another_connection_that_closes_changes_nothing(bench, kestrel, other):
    kestrel.start_lesion()
    other.status()
    other.socket.close()
    assert bench.truth()["rf_on"]


# The watchdog


def test_any_write_feeds_the_watchdog_and_nothing_else_does(bench, kestrel):
    kestrel.start_lesion()
    for value in (0, 65535, 65535, 17):
        bench.wait(0.9)
        kestrel.feed(value)
        assert kestrel.held("watchdog", 0) == value
    for _ in range(9):
        bench.wait(0.1)
        kestrel.status()
        kestrel.set("power_limit", 2500)
    assert kestrel.raw("watchdog_left") == 100
    assert bench.truth()["rf_on"]
    bench.wait(0.12)
    assert not bench.truth()["rf_on"]
    assert kestrel.raw("system_faults") == 0xFFFE
    assert kestrel.status() == 0b11
    assert kestrel.raw("watchdog_left") == 0


def test_after_the_watchdog_the_next_write_starts_it_and_the_fault_wants_a_reset(bench, kestrel, refused):
    kestrel.start_lesion()
    bench.wait(1.1)
    kestrel.feed()
    kestrel.set_lesion()
    with refused(4, 0):
        kestrel.set("arm", 1)
    kestrel.coil("fault_reset", on=False)
    assert kestrel.raw("system_faults") == 0xFFFE
    kestrel.coil("fault_reset")
    assert kestrel.raw("system_faults") == 0xFFFF
    kestrel.unlock()
    kestrel.coil("rf_enable_1")
    assert bench.truth()["rf_on"]


def test_a_watchdog_that_runs_out_with_nothing_on_is_no_fault(bench, kestrel):
    kestrel.remote()
    kestrel.feed()
    bench.wait(1.1)
    assert kestrel.raw("system_faults") == 0xFFFF


def test_nothing_is_armed_or_energised_without_a_watchdog(bench, kestrel, refused):
    kestrel.remote()
    kestrel.set_lesion()
    with refused(4, 0):
        kestrel.set("arm", 1)
    kestrel.feed()
    kestrel.unlock()
    bench.wait(1.1)
    with refused(4, 0):
        kestrel.coil("rf_enable_1")


# A lesion


def test_a_lesion_takes_mode_set_points_challenge_and_coil(bench, kestrel):
    kestrel.start_lesion()
    assert bench.truth()["rf_on"]
    kestrel.keep(20.0)
    assert bench.truth()["tip_temperature_c"] == pytest.approx(80.0, abs=1.0)
    kestrel.coil("rf_enable_1", on=False)
    assert not bench.truth()["rf_on"]
    assert [kestrel.held(name) for name in (*LESION, "arm")] == [0] * 5


@pytest.mark.parametrize("missing", LESION)
def test_a_missing_set_point_refuses_arming(kestrel, refused, missing):
    kestrel.remote()
    kestrel.feed()
    kestrel.set("mode", 1)
    for name, raw in zip(LESION, (800, 43, 2000, 2600), strict=True):
        if name != missing:
            kestrel.set(name, raw)
    with refused(4, 0):
        kestrel.set("arm", 1)


def test_rf_needs_the_answer_to_the_challenge_of_this_arming(bench, kestrel, refused):
    kestrel.remote()
    kestrel.feed()
    kestrel.set_lesion()
    with refused(4, 0):
        kestrel.set("response", 0)
    kestrel.set("arm", 1)
    first = kestrel.raw("challenge", 1)
    assert first
    assert kestrel.raw("channel_state", 1) == 0b1101000
    with refused(4, 0):
        kestrel.coil("rf_enable_1")
    with refused(4, 0):
        kestrel.set("response", first)  # not xored: disarms
    assert (kestrel.held("arm"), kestrel.raw("challenge", 1)) == (0, 0)
    kestrel.unlock()
    assert kestrel.raw("channel_state", 1) == 0b1111000
    kestrel.keep(4.5)
    kestrel.keep(0.5)
    with refused(4, 0):
        kestrel.coil("rf_enable_1")  # the 5 s are over
    kestrel.unlock()
    kestrel.coil("rf_enable_1")
    assert kestrel.raw("challenge", 1) == 0
    kestrel.coil("rf_enable_1")  # again: changes nothing
    assert bench.truth()["rf_on"]
    assert not bench.truth(2)["rf_on"]


def test_while_rf_is_on_only_the_power_limit_moves_and_only_down(kestrel, refused):
    kestrel.start_lesion()
    kestrel.set("power_limit", 1300)
    with refused(4, 0):
        kestrel.set("power_limit", 1301)
    for name, raw in (("set_temperature", 700), ("ramp", 10), ("time_limit", 100), ("mode", 1), ("arm", 1)):
        with refused(4, 0):
            kestrel.set(name, raw)
    assert kestrel.held("power_limit") == 1300


# Off


def states(kestrel, bench):
    yield "local", lambda: None
    yield "remote", kestrel.remote
    yield "armed", lambda: (kestrel.remote(), kestrel.feed(), kestrel.set_lesion(), kestrel.set("arm", 1))
    yield "unlocked", lambda: (kestrel.remote(), kestrel.feed(), kestrel.set_lesion(), kestrel.unlock())
    yield "rf", kestrel.start_lesion
    yield "stimulating", kestrel.start_stimulation
    yield "faulty", lambda: (kestrel.start_lesion(), bench.wait(1.2))


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("state", ["local", "remote", "armed", "unlocked", "rf", "stimulating", "faulty"])
def test_all_off_is_obeyed_from_anyone_in_any_state(make_bench, state, on):
    bench = make_bench(2, 0, "kestrel-2")
    kestrel, other = Kestrel(bench), Kestrel(bench, 2)
    dict(states(kestrel, bench))[state]()
    assert (bench.truth()["rf_on"], bench.truth()["stimulating"]) == (state == "rf", state == "stimulating")
    other.coil("all_off", on)
    other.coil("all_off", on)
    assert (bench.truth()["rf_on"], bench.truth()["stimulating"]) == (False, False)
    assert (kestrel.raw("challenge", 1), kestrel.held("arm"), kestrel.raw("channel_state", 1)) == (0, 0, 0b1100000)


@pytest.mark.parametrize(
    ("start", "coil"), [("start_lesion", "rf_enable_1"), ("start_stimulation", "stimulation_enable_1")]
)
def test_one_channel_is_turned_off_by_anyone(bench, kestrel, other, refused, start, coil):
    getattr(kestrel, start)()
    with refused(6, 0):
        other.coil(coil)
    other.coil(coil, on=False)
    assert (bench.truth()["rf_on"], bench.truth()["stimulating"]) == (False, False)


# Stimulation


@pytest.mark.parametrize(("mode", "name"), [(2, "volts"), (3, "milliamps")])
def test_stimulation_starts_at_nothing_and_follows(bench, kestrel, mode, name):
    kestrel.start_stimulation(mode)
    assert bench.truth()["stimulating"]
    assert kestrel.raw("stimulation_output", 1) == 0
    kestrel.set(name, 150)
    kestrel.keep(0.5)
    assert kestrel.raw("stimulation_output", 1) == pytest.approx(125, abs=3)
    kestrel.keep(0.5)
    assert [kestrel.raw(n, 1) for n in ("stimulation_output", "stimulation_width", "stimulation_rate", "mode")] == [
        150,
        100,
        50,
        mode,
    ]
    assert kestrel.raw("channel_state", 1) & 0b10
    assert kestrel.coils() == {"remote_request", "stimulation_enable_1"}


def test_only_one_kind_of_output_at_a_time(kestrel, refused):
    kestrel.start_stimulation()
    kestrel.set_lesion(2)
    with refused(4, 0):
        kestrel.set("arm", 1, 2)
    kestrel.coil("all_off")
    kestrel.unlock(2)
    kestrel.coil("rf_enable_2")
    with refused(4, 0):
        kestrel.coil("stimulation_enable_1")


# Its own protection, and injected faults


@pytest.mark.parametrize(
    ("fault", "parameters", "bit"),
    [
        ("thermocouple_open", {}, 0),
        ("over_temperature", {"kelvin": 90.0}, 1),
        ("impedance", {"ohm": 5.0}, 2),
        ("impedance", {"ohm": 5000.0}, 3),
        ("power_over_limit", {"power_w": 30.0}, 5),
    ],
)
def test_its_own_protection_turns_the_channel_off_and_clears_one_bit(bench, kestrel, fault, parameters, bit):
    kestrel.start_lesion()
    kestrel.keep(1.0)
    bench.faults.start(fault, firmware_blind=False, **parameters)
    kestrel.keep(0.5)
    assert not bench.truth()["rf_on"]
    assert kestrel.raw("channel_faults", 1) == 0xFFFF & ~(1 << bit)
    assert kestrel.raw("channel_faults", 2) == 0xFFFF
    bench.faults.clear(fault)
    kestrel.coil("fault_reset")
    assert kestrel.raw("channel_faults", 1) == 0xFFFF


def test_the_time_limit_and_rf_without_command_have_their_bits(bench, kestrel):
    bench.faults.start("rf_without_command", 2, firmware_blind=False)
    kestrel.remote()
    kestrel.feed()
    kestrel.set_lesion()
    kestrel.set("time_limit", 20)
    kestrel.unlock()
    kestrel.coil("rf_enable_1")
    kestrel.keep(2.5)
    assert not bench.truth()["rf_on"]
    assert kestrel.raw("channel_faults", 1) == 0xFFFF & ~(1 << 4)
    assert kestrel.raw("channel_faults", 2) == 0xFFFF & ~(1 << 6)
    assert kestrel.raw("channel_state", 2) & 1


def test_faults_of_the_wire_work_on_this_map(bench, kestrel, refused):
    bench.faults.start("wrong_map_id")
    assert kestrel.raw("model_code") != 0x4B32
    bench.faults.start("counter_frozen")
    before = kestrel.socket.read(4, 200, 16)
    bench.wait(1.0)
    assert kestrel.socket.read(4, 200, 16) == before
    assert kestrel.raw("uptime") == 0
    bench.faults.clear("counter_frozen")
    assert kestrel.socket.read(4, 200, 16) != before
    kestrel.remote()
    bench.faults.start("refuse_write", register="ramp")
    kestrel.set("mode", 1)
    with refused(4, 0):
        kestrel.set("ramp", 10)
    kestrel.set("set_temperature", 800)
    bench.faults.start("unit_dead")
    assert bench.server.answer(1, 1, 1, struct.pack(">BHH", 4, 0, 1)) is None
