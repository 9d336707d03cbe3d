"""Every fault of channels and generator, by what it does at the output stage or on the wire.

The faults of wire and relay are in tests/virtual/sim/test_sim_wire_faults.py.
"""

from collections.abc import Callable
from math import inf, isnan

import pytest

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.hazards import HAZARDS, NOT_SHOWN, checked
from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.table import CATALOGUE
from rfctl_sim.setups import load

HERE = [name for name, kind in CATALOGUE.items() if kind.scope in {Scope.CHANNEL, Scope.GENERATOR}]


class Scene:
    """A bench with one client, and what a check looks at."""

    def __init__(self, make_bench, setup="tissue-37"):
        self.bench = make_bench(setup=load(setup, "poles"))
        self.client = self.bench.client()
        self.faults = self.bench.faults

    def truth(self, channel=1):
        return self.bench.truth(channel)

    def hold(self, seconds=15.0):
        """A lesion at 80 degC, in its hold."""
        self.client.start_lesion()
        self.client.keep(seconds)
        return self

    def stimulate(self, amplitude=1.0):
        self.client.start_stimulation()
        self.client.write("stimulation_amplitude", amplitude, 1)
        self.client.keep(1.0)
        return self

    def power(self, watt):
        """RF at the terminals with this power, controlled by the host."""
        self.client.claim()
        self.client.renew()
        for name, value in (("mode", 5), ("max_on_s", 60.0), ("power_limit_w", 20.0)):
            self.client.write(name, value, 1)
        self.client.fire()
        self.client.write("power_set_point_w", watt, 1)
        self.client.keep(0.2)

    def off(self):
        self.client.write("all_off", 1)

    def read_c(self, channel=1):
        return self.client.status("temperature_c", channel)


CHECKS: dict[str, Callable[[Scene], None]] = {}


def shows(name, setup="tissue-37"):
    """The check of one fault: it starts the fault itself, sees the effect, and sees it gone when it is cleared."""

    def register(check):
        assert name not in CHECKS
        CHECKS[name] = lambda make_bench: check(Scene(make_bench, setup))
        return check

    return register


@pytest.mark.parametrize("name", HERE)
def test_a_fault_does_what_the_catalogue_says(make_bench, name):
    CHECKS[name](make_bench)


def test_no_check_is_left_over():
    assert set(CHECKS) == set(HERE)


def test_every_hazard_has_a_fault_or_a_reason_why_no_machine_shows_it():
    shown = {hazard for kind in CATALOGUE.values() for hazard in kind.hazards}
    assert shown | set(NOT_SHOWN) == set(HAZARDS)
    assert not shown & set(NOT_SHOWN)
    assert all(NOT_SHOWN.values())


def test_a_hazard_is_asked_for_by_its_id():
    assert checked("HZ-01") == "HZ-01"
    with pytest.raises(ConfigError, match="no machine shows HZ-36: the slow disk is the host's"):
        checked("HZ-36")
    with pytest.raises(ConfigError, match=r"no hazard 'HZ-1'\. Did you mean HZ-"):
        checked("HZ-1")


# Sensors and meters


@shows("thermocouple_open")
def _(scene):
    scene.faults.start("thermocouple_open")
    assert isnan(scene.read_c())
    assert int(scene.client.status("flags", 1)) & 0b10
    scene.faults.clear("thermocouple_open")
    assert scene.read_c() == pytest.approx(37.0, abs=0.2)


@shows("thermocouple_short")
def _(scene):
    scene.hold(2.0).faults.start("thermocouple_short", ambient_c=24.0)
    assert scene.read_c() == 24.0
    scene.client.keep(5.0)
    assert scene.read_c() == 24.0
    assert scene.truth()["tip_temperature_c"] > 80.0  # the control adds power


@shows("thermocouple_reversed")
def _(scene):
    scene.faults.start("thermocouple_reversed")
    cold_c = scene.read_c()
    scene.hold(1.0)
    assert cold_c == pytest.approx(13.0, abs=0.2)
    assert scene.read_c() < cold_c - 2.0
    assert scene.truth()["tip_temperature_c"] > 40.0


@shows("temperature_frozen")
def _(scene):
    scene.hold(3.0).faults.start("temperature_frozen")
    frozen_c, sample = scene.read_c(), scene.client.status("sample_counter")
    scene.client.keep(2.0)
    assert scene.read_c() == frozen_c
    assert scene.client.status("sample_counter") == sample + 100
    assert scene.truth()["tip_temperature_c"] > frozen_c + 3.0


@shows("over_temperature")
def _(scene):
    scene.faults.start("over_temperature", kelvin=30.0)
    assert scene.read_c() == pytest.approx(67.0, abs=0.2)
    assert scene.truth()["tip_temperature_c"] == 37.0


@shows("temperature_drift")
def _(scene):
    scene.faults.start("temperature_drift", k_per_s=-0.5)
    scene.bench.wait(10.0)
    assert scene.read_c() == pytest.approx(32.0, abs=0.2)
    scene.hold(25.0)
    assert scene.truth()["tip_temperature_c"] > 90.0
    scene.faults.clear("temperature_drift")
    assert scene.read_c() > 90.0


@shows("temperature_lag")
def _(scene):
    scene.faults.start("temperature_lag", lag_s=5.0)
    scene.hold(4.0)
    assert scene.truth()["tip_temperature_c"] > scene.read_c() + 8.0
    scene.faults.clear("temperature_lag")
    scene.client.keep(1.0)
    assert scene.truth()["tip_temperature_c"] < scene.read_c() + 4.0


@shows("electrode_not_seated")
def _(scene):
    scene.faults.start("electrode_not_seated", share=0.5)
    scene.hold(8.0)
    read_k, true_k = scene.read_c() - 37.0, scene.truth()["tip_temperature_c"] - 37.0
    assert read_k == pytest.approx(0.5 * true_k, rel=0.15)
    assert true_k > 45.0
    scene.faults.clear("electrode_not_seated")
    scene.client.keep(1.0)
    assert scene.read_c() > 80.0


@shows("temperature_noise")
def _(scene):
    scene.faults.start("temperature_noise", kelvin=2.0)
    seen = []
    for _ in range(50):
        scene.bench.wait(0.02)
        seen.append(scene.read_c())
    assert 6.0 < max(seen) - min(seen) < 16.0
    assert sum(seen) / 50 == pytest.approx(37.0, abs=1.0)


@shows("rf_pickup")
def _(scene):
    scene.faults.start("rf_pickup", kelvin=5.0, at_v_rms=20.0)
    assert scene.read_c() == pytest.approx(37.0, abs=0.2)
    scene.power(2.0)
    on_c, volt = scene.read_c(), scene.truth()["voltage_v_rms"]
    scene.off()
    scene.bench.wait(0.02)
    assert on_c - scene.read_c() == pytest.approx(5.0 * (volt / 20.0) ** 2, rel=0.3)


@shows("channels_swapped")
def _(scene):
    scene.hold(8.0).faults.start("channels_swapped", with_channel=2)
    scene.bench.wait(0.02)
    assert scene.read_c(1) == pytest.approx(37.0, abs=0.2)
    assert scene.read_c(2) > 60.0
    scene.faults.clear("channels_swapped")
    assert scene.read_c(1) > 60.0


@shows("bad_value")
def _(scene):
    for value, shown in (("inf", inf), ("minus_inf", -inf), ("negative", -1.0)):
        scene.faults.start("bad_value", meter="power_w", value=value)
        assert scene.client.status("power_w", 1) == shown
    scene.faults.start("bad_value", meter="impedance_ohm", value="nan")
    assert isnan(scene.client.status("impedance_ohm", 1))
    assert scene.client.status("power_w", 1) == 0.0
    scene.faults.start("bad_value", meter="temperature_c", value="huge")
    assert scene.read_c() == pytest.approx(3e38, rel=1e-6)


@shows("meter_wrong")
def _(scene):
    scene.hold(5.0)
    scene.client.renew()
    before = scene.client.status("current_ma_rms", 1)
    scene.faults.start("meter_wrong", meter="current_ma_rms", factor=0.5)
    assert scene.client.status("current_ma_rms", 1) == pytest.approx(0.5 * before, rel=0.01)
    volt, watt = scene.client.status("voltage_v_rms", 1), scene.client.status("power_w", 1)
    assert volt * before / 1000.0 == pytest.approx(watt, rel=0.01)


# Between the terminals


@shows("impedance")
def _(scene):
    scene.faults.start("impedance", ohm=300.0)
    assert scene.client.status("impedance_ohm", 1) == pytest.approx(300.0, rel=0.02)


@shows("lead_open")
def _(scene):
    scene.hold(3.0).faults.start("lead_open")
    assert isnan(scene.client.status("impedance_ohm", 1))
    assert scene.truth()["power_w"] < 0.1


@shows("lead_shorted")
def _(scene):
    before_w = scene.hold(3.0).truth()["power_w"]
    scene.faults.start("lead_shorted")
    assert scene.client.status("impedance_ohm", 1) == pytest.approx(5.0, rel=0.02)
    cooler = scene.truth()["tip_temperature_c"]
    scene.client.keep(1.0)
    assert before_w > 1.0
    assert scene.truth()["tip_temperature_c"] < cooler


@shows("charring")
def _(scene):
    before = scene.client.status("impedance_ohm", 1)
    scene.hold(6.0).faults.start("charring", per_s=0.7, most=10.0)
    hot = scene.client.status("impedance_ohm", 1)
    scene.client.keep(1.0)
    assert scene.client.status("impedance_ohm", 1) - 100.0 == pytest.approx(2.0 * (hot - 100.0), rel=0.1)
    scene.client.keep(10.0)
    assert scene.client.status("impedance_ohm", 1) > 2.0 * before


@shows("electrode_moved")
def _(scene):
    scene.hold(8.0)
    before_c, before_ohm = scene.truth()["tip_temperature_c"], scene.client.status("impedance_ohm", 1)
    scene.faults.start("electrode_moved", distance_mm=20.0, factor=1.5)
    scene.client.keep(0.1)
    assert scene.truth()["tip_temperature_c"] < before_c - 10.0
    assert scene.client.status("impedance_ohm", 1) > before_ohm * 1.2


@shows("fluid_injected")
def _(scene):
    before = scene.client.status("impedance_ohm", 1) - 100.0
    scene.faults.start("fluid_injected", share=0.4)
    scene.bench.wait(1.0)
    after = scene.client.status("impedance_ohm", 1) - 100.0
    assert after == pytest.approx(0.6 * before, rel=0.05)
    scene.bench.wait(600.0)
    assert scene.client.status("impedance_ohm", 1) - 100.0 > 0.85 * before
    assert scene.faults.active() == []


@shows("wrong_electrode")
def _(scene):
    before = scene.client.status("electrode_id", 1)
    scene.faults.start("wrong_electrode", tip_mm=5.0)
    assert scene.client.status("electrode_id", 1) != before
    scene.faults.clear("wrong_electrode")
    assert scene.client.status("electrode_id", 1) == before


@shows("pad_loosening", setup="pad-loose")
def _(scene):
    before = scene.client.status("impedance_ohm", 2)
    scene.faults.start("pad_loosening", ohm_per_s=10.0, contact_ohm=400.0)
    scene.bench.wait(5.0)
    assert scene.client.status("impedance_ohm", 2) == pytest.approx(before + 50.0, rel=0.02)
    assert (scene.client.status("pad_status"), scene.client.status("pad_ohm")) == (2, 400.0)
    scene.faults.clear("pad_loosening")
    assert scene.client.status("impedance_ohm", 2) == pytest.approx(before, rel=0.02)
    assert scene.client.status("pad_ohm") == 190.0


@shows("pad_detached", setup="pad-loose")
def _(scene):
    scene.faults.start("pad_detached")
    assert isnan(scene.client.status("impedance_ohm", 1))
    assert isnan(scene.client.status("impedance_ohm", 2))
    assert scene.client.status("pad_status") == 3


def cooled(scene):
    scene.client.claim()
    scene.client.renew()
    scene.client.write("mode", 7, 1)
    scene.client.write("pump_flow_ml_min", 10.0, 1)
    scene.client.keep(3.0)
    assert scene.truth()["pump_flow_ml_min"] == 10.0


@shows("coolant_flow_low", setup="cooled")
def _(scene):
    cooled(scene)
    scene.faults.start("coolant_flow_low", share=0.4)
    scene.client.keep(3.0)
    assert scene.client.modes("pump_flow_ml_min") == scene.truth()["pump_flow_ml_min"] == pytest.approx(4.0)
    scene.faults.clear("coolant_flow_low")
    scene.client.keep(3.0)
    assert scene.truth()["pump_flow_ml_min"] == 10.0


@shows("pump_stopped", setup="cooled")
def _(scene):
    cooled(scene)
    scene.faults.start("pump_stopped")
    scene.client.keep(3.0)
    assert scene.truth()["pump_flow_ml_min"] == 0.0


@pytest.mark.parametrize("name", ["coolant_flow_low", "pump_stopped"])
def test_without_a_pump_there_is_no_fault_of_one(bench, name):
    with pytest.raises(ConfigError, match=r"channel 1 has no pump\. Choose a set-up with one"):
        bench.faults.start(name)


# Output stage


@shows("ignore_off")
def _(scene):
    scene.hold(3.0).faults.start("ignore_off")
    scene.off()
    scene.bench.wait(1.0)
    assert scene.truth()["rf_on"]
    scene.faults.clear("ignore_off")
    assert not scene.truth()["rf_on"]


@shows("rf_without_command")
def _(scene):
    scene.faults.start("rf_without_command", power_w=5.0)
    scene.bench.wait(3.0)
    assert scene.truth()["rf_on"]
    assert scene.truth()["tip_temperature_c"] > 45.0
    assert (scene.client.status("rf_actual"), scene.client.status("rf_commanded")) == (1, 0)


@shows("rf_does_not_start")
def _(scene):
    scene.faults.start("rf_does_not_start")
    scene.hold(1.0)
    assert (scene.client.status("rf_actual"), scene.client.status("rf_commanded")) == (0, 1)
    assert scene.truth()["energy_j"] == 0.0
    scene.faults.clear("rf_does_not_start")
    assert scene.truth()["rf_on"]


@shows("wrong_power")
def _(scene):
    scene.power(2.0)
    assert scene.truth()["power_w"] == pytest.approx(2.0, rel=0.02)
    scene.faults.start("wrong_power", factor=1.5)
    assert scene.truth()["power_w"] == pytest.approx(3.0, rel=0.02)


@shows("power_over_limit")
def _(scene):
    scene.hold(3.0).faults.start("power_over_limit", power_w=25.0)
    assert scene.truth()["power_w"] > 40.0
    assert scene.client.held("power_limit_w", 1) == 26.0
    scene.off()
    assert scene.truth()["power_w"] == 0.0


@shows("power_limit_ignored")
def _(scene):
    scene.faults.start("power_limit_ignored")
    scene.client.claim()
    scene.client.renew()
    scene.client.set_lesion(power_limit_w=2.0)
    scene.client.fire()
    scene.client.keep(3.0)
    assert scene.truth()["power_w"] > 4.0
    scene.faults.clear("power_limit_ignored")
    scene.client.keep(0.1)
    assert scene.truth()["power_w"] == pytest.approx(2.0, rel=0.02)


@shows("wide_pulse", setup="pulsed")
def _(scene):
    scene.faults.start("wide_pulse", factor=3.0)
    scene.client.claim()
    scene.client.renew()
    settings = {
        "mode": 6,
        "set_temperature_c": 42.0,
        "max_on_s": 60.0,
        "power_limit_w": 5.0,
        "pulse_width_us": 20_000,
        "pulse_rate_dhz": 20,
        "pulse_voltage_v_peak": 30.0,
    }
    for name, value in settings.items():
        scene.client.write(name, value, 1)
    scene.client.fire()
    scene.client.keep(1.2)
    assert scene.client.modes("pulse_width_us") == 60_000
    assert scene.truth()["pulse"]["width_ms"] == 60.0
    assert scene.truth()["power_w"] == pytest.approx(0.12 * scene.truth()["pulse"]["power_w"], rel=0.02)


@shows("stimulation_too_strong")
def _(scene):
    scene.stimulate(0.5).faults.start("stimulation_too_strong", factor=3.0)
    scene.client.keep(1.0)
    assert scene.client.status("stimulation_amplitude", 1) == pytest.approx(1.5)
    assert scene.client.held("stimulation_amplitude", 1) == 0.5


@shows("stimulation_without_command")
def _(scene):
    scene.hold(2.0).faults.start("stimulation_without_command", amplitude=2.0)
    assert scene.truth()["rf_on"]
    assert scene.truth()["stimulating"]
    scene.client.keep(1.0)
    assert scene.client.status("stimulation_actual") == 1
    assert scene.client.status("stimulation_amplitude", 1) == pytest.approx(2.0)
    scene.faults.clear("stimulation_without_command")
    assert not scene.truth()["stimulating"]


# Firmware


@shows("firmware_hang")
def _(scene):
    scene.hold(10.0).faults.start("firmware_hang")
    assert scene.bench.server.answer(1, 1, 7, bytes.fromhex("0400400002")) is None
    scene.bench.wait(20.0)
    assert scene.truth()["rf_on"]  # the lease, too, hangs
    scene.faults.clear("firmware_hang")
    assert not scene.truth()["rf_on"]
    assert int(scene.client.status("fault_bits")) & 0b10


@shows("firmware_reset")
def _(scene):
    scene.hold(2.0).faults.start("firmware_reset")
    assert not scene.truth()["rf_on"]
    assert scene.bench.server.answer(1, 1, 7, bytes.fromhex("0400400002")) is None
    scene.bench.wait(2.1)
    assert scene.client.status("uptime_ms") == pytest.approx(2100, abs=25)
    assert scene.client.status("owner") == 0
    assert scene.client.held("set_temperature_c", 1) == 0.0


@shows("emergency_stop_ignored")
def _(scene):
    scene.hold(2.0).faults.start("emergency_stop_ignored")
    scene.bench.person(press="emergency_stop")
    scene.client.keep(0.5)
    assert scene.truth()["rf_on"]
    scene.faults.clear("emergency_stop_ignored")
    assert not scene.truth()["rf_on"]


@shows("calibration_expired")
def _(scene):
    before = scene.client.read_words(246, 2)
    scene.faults.start("calibration_expired", due=20200131)
    assert int.from_bytes(scene.client.read_words(246, 2), "big") == 20200131
    scene.faults.clear("calibration_expired")
    assert scene.client.read_words(246, 2) == before


@shows("counter_frozen")
def _(scene):
    scene.hold(2.0).faults.start("counter_frozen")
    sample, read_c = scene.client.status("sample_counter"), scene.read_c()
    scene.client.keep(2.0)
    assert (scene.client.status("sample_counter"), scene.read_c()) == (sample, read_c)
    assert scene.truth()["tip_temperature_c"] > read_c + 3.0


@shows("clock_rate")
def _(scene):
    scene.hold(2.0).faults.start("clock_rate", rate=1.5)
    uptime_ms, sample, on_ms = (
        scene.client.status("uptime_ms"),
        scene.client.status("sample_counter"),
        scene.client.status("rf_on_ms", 1),
    )
    scene.client.keep(2.0)
    assert scene.client.status("uptime_ms") == uptime_ms + 3000
    assert scene.client.status("sample_counter") == sample + 150
    assert scene.client.status("rf_on_ms", 1) == pytest.approx(on_ms + 3000, abs=2)
    assert scene.truth()["rf_on"]


@shows("lease_dead")
def _(scene):
    scene.hold(2.0).faults.start("lease_dead")
    assert not scene.truth()["rf_on"]
    assert int(scene.client.status("fault_bits")) & 0b10


@shows("lease_endless")
def _(scene):
    scene.hold(2.0).faults.start("lease_endless")
    scene.bench.wait(5.0)
    assert scene.truth()["rf_on"]
    assert scene.client.status("lease_remaining_ms") == 1
    scene.faults.clear("lease_endless")
    assert not scene.truth()["rf_on"]


@shows("lesion_timer_dead")
def _(scene):
    scene.client.claim()
    scene.client.renew()
    scene.client.set_lesion()
    scene.client.write("max_on_s", 2.0, 1)
    scene.client.fire()
    scene.faults.start("lesion_timer_dead")
    scene.client.keep(4.0)
    assert scene.truth()["rf_on"]
    scene.faults.clear("lesion_timer_dead")
    assert not scene.truth()["rf_on"]
    assert int(scene.client.status("fault_bits", 1)) & 0b10000


@shows("refuse_write")
def _(scene):
    scene.hold(1.0).faults.start("refuse_write", register="all_off")
    assert scene.bench.server.answer(1, 1, 7, bytes.fromhex("0600000001"))[7:] == bytes((0x86, 4))
    assert scene.truth()["rf_on"]


@shows("write_ignored")
def _(scene):
    scene.client.claim()
    scene.faults.start("write_ignored", register="lease_ms")
    scene.client.write("lease_ms", 300)
    assert scene.client.held("lease_ms") == 500
    scene.faults.clear("write_ignored")
    scene.client.write("lease_ms", 300)
    assert scene.client.held("lease_ms") == 300


@shows("write_partial")
def _(scene):
    scene.client.claim()
    scene.client.renew()
    scene.client.write("mode", 3, 1)
    scene.faults.start("write_partial")
    scene.client.write_words(16 + 3, 0x42A0, 0, 0x4080, 0)  # 80 degC and 4 K/s in one request
    assert (scene.client.held("set_temperature_c", 1), scene.client.held("ramp_c_per_s", 1)) == (80.0, 0.0)
    scene.client.write("max_on_s", 60.0, 1)
    assert scene.client.held("max_on_s", 1) == 0.0
    scene.off()


@shows("off_ignored")
def _(scene):
    scene.hold(1.0).faults.start("off_ignored")
    scene.off()
    scene.client.write("command", 0, 1)
    assert scene.truth()["rf_on"]
    scene.bench.wait(0.6)
    assert not scene.truth()["rf_on"]  # the lease


@shows("set_point_corrupted")
def _(scene):
    scene.faults.start("set_point_corrupted", register="set_temperature_c", factor=1.1)
    scene.client.claim()
    scene.client.renew()
    scene.client.set_lesion(set_temperature_c=60.0)
    assert scene.client.held("set_temperature_c", 1) == pytest.approx(66.0)
    scene.client.fire()
    scene.client.keep(15.0)
    assert scene.truth()["tip_temperature_c"] == pytest.approx(66.0, abs=1.0)


@shows("stimulation_wrong_rate")
def _(scene):
    scene.faults.start("stimulation_wrong_rate", rate_hz=2.0)
    scene.stimulate()
    assert scene.client.held("stimulation_rate_dhz", 1) == scene.client.status("stimulation_rate_dhz", 1) == 20


@shows("stimulation_wrong_width")
def _(scene):
    scene.faults.start("stimulation_wrong_width", width_us=100.0)
    scene.stimulate()
    assert scene.client.held("stimulation_width_us", 1) == scene.client.status("stimulation_width_us", 1) == 100


@shows("stimulation_wrong_unit")
def _(scene):
    scene.faults.start("stimulation_wrong_unit")
    scene.stimulate()
    assert scene.client.status("mode", 1) == 2


@shows("setting_changed")
def _(scene):
    scene.hold(15.0).faults.start("setting_changed", register="set_temperature_c", value=90.0)
    assert scene.client.held("set_temperature_c", 1) == 90.0
    scene.client.keep(10.0)
    assert scene.truth()["tip_temperature_c"] == pytest.approx(90.0, abs=1.0)
    assert scene.faults.active() == []


@shows("mode_changed")
def _(scene):
    scene.hold(15.0).faults.start("mode_changed", mode=5.0)
    assert scene.client.status("mode", 1) == 5
    scene.client.keep(1.0)
    assert scene.truth()["power_w"] == 0.0


@shows("other_controller")
def _(scene):
    scene.hold(1.0).faults.start("other_controller", session=4711)
    assert scene.client.status("owner") == 4711
    reply = scene.bench.server.answer(1, 1, 7, bytes.fromhex("06000201f4"))
    assert reply[7:] == bytes((0x86, 6))


@shows("wrong_map_id")
def _(scene):
    before = scene.client.read_words(0, 8)
    scene.faults.start("wrong_map_id")
    after = scene.client.read_words(0, 8)
    assert (after[:4], after[4:]) == (b"XXXX", before[4:])


def identity_of(scene):
    words = scene.client.read_words(0, 40)
    return {"model": words[16:32], "firmware": words[48:56], "backend": words[6:8]}


def test_identities_differ_in_nothing_but_what_the_fault_says(make_bench):
    scene = Scene(make_bench)
    true = identity_of(scene)
    for name, field in (("wrong_model", "model"), ("wrong_firmware", "firmware"), ("poses_as_device", "backend")):
        scene.faults.start(name)
        shown = identity_of(scene)
        assert {each for each in true if shown[each] != true[each]} == {field}
        scene.faults.clear(name)


@shows("wrong_model")
def _(scene):
    scene.faults.start("wrong_model")
    assert identity_of(scene)["model"].rstrip(b"\0") == b"another generato"


@shows("wrong_firmware")
def _(scene):
    scene.faults.start("wrong_firmware")
    assert identity_of(scene)["firmware"].rstrip(b"\0") == b"sim 9.9"


@shows("poses_as_device")
def _(scene):
    scene.faults.start("poses_as_device")
    assert identity_of(scene)["backend"] == b"\0\1"
