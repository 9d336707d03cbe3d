"""A generator that is switched off and on in the middle, and what its service registers tell."""

import struct

import pytest

from rfctl.clock import ScaledClock
from rfctl_sim.firmware import RestartCause, SelfTest

SERVICE = struct.Struct(">HHHHII")


def service(client):
    return SERVICE.unpack(client.read_words(240, 8))


def power_cycle(bench, *, off_s=0.0):
    bench.person(power="off")
    bench.wait(off_s)
    bench.person(power="on")


def test_a_power_cycle_forgets_everything_but_serial_calibration_and_the_heat(bench, client, refused):
    client.start_lesion()
    client.keep(20.0)
    serial, before = client.read_words(16, 8), service(client)
    power_cycle(bench)
    hot_c = bench.truth()["tip_temperature_c"]
    assert not bench.truth()["rf_on"]
    bench.wait(2.01)
    assert 2000 <= client.status("uptime_ms") <= 2050
    assert client.status("sample_counter") == client.status("uptime_ms") // 20
    assert (client.status("owner"), client.status("lease_remaining_ms"), client.status("fault_bits")) == (0, 0, 0)
    assert (client.status("mode", 1), client.held("set_temperature_c", 1), client.held("lease_ms")) == (0, 0.0, 500)
    with refused(6, 20):
        client.renew()
    assert client.read_words(16, 8) == serial
    assert service(client) == (0, 0, before[2] + 1, *before[3:])
    assert 60.0 < hot_c < 85.0
    assert client.status("temperature_c", 1) == pytest.approx(bench.truth()["tip_temperature_c"], abs=5.0)


def test_it_answers_nothing_while_it_is_off_or_boots_and_a_panel_without_power_does_nothing(bench, client):
    def answered():
        return bench.server.answer(1, 1, 1, bytes.fromhex("0400000002")) is not None

    bench.person(power="off")
    bench.wait(100.0)
    bench.person(press="start", channel=1)
    assert not answered()
    bench.person(power="on")
    bench.person(press="start", channel=1)
    bench.wait(1.999)
    assert not answered()
    bench.wait(0.002)
    assert answered()
    assert bench.events("rf_on") == []
    assert service(client)[3] == 2000


def test_a_token_from_before_a_power_cycle_fires_nothing(bench, client, refused):
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("command", 1, 1)
    token = client.status("arm_token", 1)
    power_cycle(bench)
    bench.wait(2.1)
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("command", 1, 1)
    assert client.status("arm_token", 1) != token
    with refused(4, 7):
        client.write("fire", token, 1)


def test_a_stuck_output_fails_the_self_test_and_nothing_energises_until_it_is_mended(bench, client, refused):
    bench.faults.start("rf_without_command", channel=2)
    bench.person(power="cycle")
    bench.wait(2.1)
    assert service(client)[0] == SelfTest.OUTPUT_STAGE
    assert int(client.status("fault_bits")) & 1
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("fault_clear", 1)
    with refused(4, 11):
        client.write("command", 1, 1)
    bench.faults.clear("rf_without_command")
    bench.person(power="cycle")
    bench.wait(2.1)
    assert (service(client)[0], client.status("fault_bits")) == (0, 0)


def test_an_injected_broken_part_is_in_the_result(bench, client):
    bench.generator.broken = SelfTest.METERS | SelfTest.STIMULATOR
    bench.person(power="cycle")
    bench.wait(2.1)
    assert service(client)[0] == 0b10100


def test_the_watchdog_s_restart_is_told_until_it_is_cleared(bench, client):
    client.start_lesion()
    bench.generator.restart(bench.clock.now_ns, RestartCause.WATCHDOG)
    assert not bench.truth()["rf_on"]
    assert (client.status("fault_bits"), service(client)[1]) == (1 << 4, 1)
    client.claim()
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == 0


def test_an_emergency_stop_that_is_pressed_at_power_up_is_seen(bench, client):
    bench.person(press="emergency_stop")
    bench.person(power="cycle")
    bench.wait(2.1)
    assert client.status("fault_bits") == 1 << 3


def test_a_lesion_after_a_restart_is_the_same_wherever_on_the_grid_it_fell(bench, client):
    bench.wait(0.013)
    bench.person(power="cycle")
    bench.wait(2.1)
    client.start_lesion()
    client.keep(40.0)
    assert bench.truth()["tip_temperature_c"] == pytest.approx(80.0, abs=1.0)


def test_calibration_and_time_scale_are_told(bench, client):
    assert service(client)[4:] == (20260105, 20360105)
    assert client.read_words(39, 1) == b"\0\0"
    bench.generator.pace = ScaledClock(60.0)
    assert client.read_words(39, 1) == (6000).to_bytes(2, "big")


@pytest.mark.parametrize("make", ["kestrel-2", "orrin-v"])
def test_other_makes_forget_too(make_bench, make):
    bench = make_bench(channels=2 if make == "kestrel-2" else 1, make=make)
    bench.wait(100.0)
    bench.person(power="cycle")
    assert bench.server.answer(1, 1, 1, bytes.fromhex("0300000001")) is None
    bench.wait(2.01)
    if make == "kestrel-2":
        assert int.from_bytes(bench.socket().read(4, 101, 2)[:2], "big") == 2  # low word first, s
    else:
        assert 2000 <= int.from_bytes(bench.socket().read(3, 0x101, 1), "big") <= 2050


def test_looking_changes_nothing_after_a_restart_either(make_bench):
    def sample(*looks_s):
        """A lesion's status 3.0171 s after it began, with looks before that."""
        bench = make_bench(seed=3)
        bench.wait(0.133)
        bench.person(power="cycle")
        bench.wait(2.1)
        client = bench.client()
        client.start_lesion()
        client.keep(3.0)
        for look_s in looks_s:
            bench.wait(look_s)
            client.read_words(64, 70)
        bench.wait(0.0171 - sum(looks_s))
        return client.read_words(64, 70)

    assert sample() == sample(0.001, 0.002, 0.008, 0.003) == sample(0.009)
