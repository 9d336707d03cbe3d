"""The generator's own safety, with the firmware made to see the faults."""

import pytest

from rfctl_sim import setups

OVER_TEMPERATURE, OPEN, HIGH, LOW, TIMER, UNCOMMANDED, OVERPOWER = (1 << bit for bit in range(7))


@pytest.mark.parametrize(
    ("fault", "parameters", "bit", "within_s"),
    [
        ("over_temperature", {"kelvin": 70.0}, OVER_TEMPERATURE, 0.041),
        ("thermocouple_open", {}, OPEN, 0.021),
        ("impedance", {"ohm": 2100.0}, HIGH, 0.221),
        ("impedance", {"ohm": 50_000.0}, HIGH, 0.221),
        ("impedance", {"ohm": 18.0}, LOW, 0.221),
        ("power_over_limit", {"power_w": 25.0}, OVERPOWER, 0.061),
    ],
)
def test_a_trip_turns_the_channel_off_and_latches_its_bit(bench, client, refused, fault, parameters, bit, within_s):
    client.start_lesion()
    client.keep(10.0)
    started_s = bench.now_s
    bench.faults.start(fault, firmware_blind=False, **parameters)
    client.keep(0.5)
    truth = bench.truth()
    assert not truth["rf_on"]
    assert truth["last_off_s"] - started_s <= within_s
    assert int(client.status("fault_bits", 1)) & bit
    assert not bench.truth(2)["rf_on"]
    bench.faults.clear(fault)
    assert int(client.status("fault_bits", 1)) & bit
    client.set_lesion()
    with refused(4, 11):
        client.write("command", 1, 1)
    client.write("fault_clear", 1)
    assert client.status("fault_bits", 1) == 0
    client.write("command", 1, 1)


def test_impedance_faults_of_less_than_200_ms_do_not_add_up_to_a_trip(bench, client):
    client.start_lesion()
    client.keep(5.0)
    for _ in range(3):
        bench.faults.start("impedance", ohm=5000.0, firmware_blind=False)
        bench.wait(0.17)
        bench.faults.clear("impedance")
        client.renew()
        client.keep(0.2)
    assert bench.truth()["rf_on"]


def test_what_was_seen_before_rf_went_off_counts_for_nothing_when_it_is_on_again(bench, client):
    for _ in range(2):
        client.start_lesion()
        bench.faults.start("impedance", ohm=5000.0, firmware_blind=False)
        bench.wait(0.17)
        assert bench.truth()["rf_on"]
        client.write("all_off", 1)
        bench.wait(0.1)
        bench.faults.clear("impedance")
        assert client.status("fault_bits", 1) == 0


def test_a_fault_whose_cause_remains_is_not_cleared(bench, client):
    client.start_lesion()
    bench.faults.start("thermocouple_open", firmware_blind=False)
    client.keep(0.2)
    client.write("fault_clear", 1)
    assert client.status("fault_bits", 1) == OPEN


def test_an_open_thermocouple_with_rf_off_is_shown_and_latches_nothing(bench, client):
    bench.faults.start("thermocouple_open", firmware_blind=False)
    bench.wait(1.0)
    assert int(client.status("flags", 1)) & 0b10
    assert client.status("fault_bits", 1) == 0


def test_over_temperature_is_looked_for_with_rf_off_too(bench, client):
    bench.faults.start("over_temperature", kelvin=64.0, firmware_blind=False)
    bench.wait(0.041)
    assert client.status("fault_bits", 1) == OVER_TEMPERATURE


def test_rf_without_command_is_seen(bench, client):
    bench.faults.start("rf_without_command", firmware_blind=False)
    bench.wait(0.1)
    assert client.status("fault_bits", 1) == UNCOMMANDED


def test_the_lesion_timer_turns_rf_off_by_itself(bench, client):
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("max_on_s", 1.5, 1)
    client.write("command", 1, 1)
    bench.wait(0.0031)
    fired_s = bench.now_s
    client.write("fire", client.status("arm_token", 1), 1)
    client.keep(2.0)
    assert bench.truth()["last_off_s"] == pytest.approx(fired_s + 1.5, abs=1e-9)
    assert client.status("fault_bits", 1) == TIMER
    client.write("fault_clear", 1)
    assert client.status("fault_bits", 1) == 0


def test_a_trip_leaves_the_other_channel_alone(bench, client):
    client.start_lesion(1)
    client.set_lesion(2)
    client.fire(2)
    client.keep(3.0)
    bench.faults.start("thermocouple_open", channel=2, firmware_blind=False)
    client.keep(0.5)
    assert bench.truth(1)["rf_on"]
    assert not bench.truth(2)["rf_on"]


def test_a_pad_that_comes_loose_turns_every_channel_off_where_it_is_monitored(make_bench, refused):
    setup = setups.load("tissue-37", "poles")
    bench = make_bench(setup=setup.model_copy(update={"pad": setups.PadSection(monitored=True)}))
    client = bench.client()
    client.start_lesion(1)
    client.set_lesion(2)
    client.fire(2)
    client.keep(1.0)
    bench.faults.start("pad_loosening")
    client.keep(0.1)
    assert bench.truth()["rf_on"]  # the host's interlock is measured while the firmware is blind
    bench.faults.clear("pad_loosening")
    bench.faults.start("pad_loosening", firmware_blind=False)
    started_s = bench.now_s
    client.keep(0.1)
    for channel in (1, 2):
        assert not bench.truth(channel)["rf_on"]
        assert bench.truth(channel)["last_off_s"] - started_s <= 0.021
    assert client.status("fault_bits") == 1 << 2
    client.set_lesion()
    client.write("fault_clear", 1)
    with refused(4, 11):
        client.write("command", 1, 1)
    bench.faults.clear("pad_loosening")
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == 0
    client.fire()


def test_a_loose_pad_is_not_armed_on(make_bench, refused):
    client = make_bench(setup=setups.load("pad-loose", "poles")).client()
    client.claim()
    client.renew()
    client.set_lesion()
    with refused(4, 11):
        client.write("command", 1, 1)
    assert client.status("fault_bits") == 0
