"""What people and an interlock relay do at the generator, as its clients and its output stage see it."""

import pytest

from rfctl.errors import ConfigError

FOOTSWITCH, EMERGENCY_STOP, ENABLE_OPEN, PANEL = (1 << bit for bit in range(4))
EMERGENCY_STOP_FAULT = 1 << 3


@pytest.mark.parametrize("deed", [{"press": "emergency_stop"}, {"enable_loop": "open"}, {"power": "off"}])
@pytest.mark.parametrize("fault", [None, "ignore_off", "rf_without_command", "power_over_limit"])
def test_hardware_cuts_rf_at_once_whatever_firmware_and_output_stage_do(bench, client, deed, fault):
    client.start_lesion()
    client.keep(2.0)
    if fault is not None:
        bench.faults.start(fault)
    assert bench.truth()["rf_on"]
    bench.person(**deed)
    truth = bench.truth()
    assert (truth["rf_on"], truth["power_w"], truth["last_off_s"]) == (False, 0.0, bench.now_s)
    bench.wait(1.0)
    assert bench.truth()["energy_j"] == truth["energy_j"]


@pytest.mark.parametrize("deed", [{"press": "emergency_stop"}, {"enable_loop": "open"}, {"power": "off"}])
def test_hardware_cuts_stimulation_at_once(bench, client, deed):
    client.start_stimulation()
    client.write("stimulation_amplitude", 1.0, 1)
    client.keep(0.6)
    assert client.status("stimulation_amplitude", 1) == 1.0
    bench.person(**deed)
    assert not bench.truth()["stimulating"]


def test_an_emergency_stop_latches_until_it_is_released_and_its_fault_until_it_is_cleared(bench, client, refused):
    client.start_lesion()
    bench.person(press="emergency_stop")
    assert client.status("inputs") == EMERGENCY_STOP
    assert client.status("fault_bits") == EMERGENCY_STOP_FAULT
    assert client.status("rf_commanded") == 0
    client.set_lesion()
    with refused(4, 15):
        client.write("command", 1, 1)
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == EMERGENCY_STOP_FAULT
    bench.person(release="emergency_stop")
    assert client.status("inputs") == 0
    with refused(4, 11):
        client.write("command", 1, 1)
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == 0
    assert not bench.truth()["rf_on"]
    client.fire()
    assert bench.truth()["rf_on"]


def test_an_enable_loop_that_opens_leaves_no_fault(bench, client, refused):
    client.start_lesion()
    bench.person(enable_loop="open")
    assert (client.status("inputs"), client.status("fault_bits")) == (ENABLE_OPEN, 0)
    client.set_lesion()
    with refused(4, 15):
        client.write("command", 1, 1)
    bench.person(enable_loop="closed")
    assert not bench.truth()["rf_on"]
    client.fire()
    assert bench.truth()["rf_on"]


def test_a_channel_that_is_armed_is_not_armed_any_more_after_an_emergency_stop(bench, client):
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("command", 1, 1)
    bench.person(press="emergency_stop")
    assert (client.status("armed"), client.status("arm_token", 1)) == (0, 0)


def test_the_footswitch_fires_what_is_armed_and_ends_it(bench, client):
    client.claim()
    client.renew()
    client.set_lesion(1)
    client.set_lesion(2)
    client.write("command", 1, 1)
    bench.person(press="footswitch")
    assert client.status("inputs") == FOOTSWITCH
    assert [bench.truth(number)["rf_on"] for number in (1, 2)] == [True, False]
    client.keep(1.0)
    bench.person(release="footswitch")
    assert client.status("inputs") == 0
    assert not bench.truth()["rf_on"]


def test_the_footswitch_does_nothing_to_what_is_not_armed_or_was_fired_by_a_token(bench, client):
    bench.person(press="footswitch")
    assert not bench.truth()["rf_on"]
    bench.person(release="footswitch")
    client.start_lesion()
    bench.person(press="footswitch")
    bench.person(release="footswitch")
    assert bench.truth()["rf_on"]


def test_the_stop_key_is_all_off_and_leaves_owner_and_lease(bench, client):
    client.start_lesion()
    bench.person(press="stop")
    assert not bench.truth()["rf_on"]
    assert client.status("owner") == 7
    client.renew()


def test_a_locked_panel_takes_control_and_keeps_it_until_it_is_unlocked(bench, client, refused):
    client.start_lesion()
    bench.person(remote="locked")
    assert not bench.truth()["rf_on"]
    assert (client.status("inputs"), client.status("owner"), client.status("lease_remaining_ms")) == (PANEL, 0, 0)
    for name, value in (("owner", 7), ("lease_renew", 2), ("fault_clear", 1)):
        with refused(6, 21):
            client.write(name, value)
    client.write("all_off", 1)
    bench.person(remote="free")
    with refused(6, 20):
        client.write("mode", 3, 1)
    client.claim(8)
    assert (client.status("inputs"), client.status("owner")) == (0, 8)


def test_a_start_at_the_panel_is_seen_and_heats_and_all_off_ends_it(bench, client, refused):
    client.claim()
    client.renew()
    client.set_lesion(1, set_temperature_c=70.0)
    bench.person(press="start", channel=1)
    bench.person(press="start", channel=2)
    assert (client.status("rf_actual"), client.status("rf_commanded")) == (0b11, 0b11)
    assert (client.status("inputs"), client.status("owner")) == (PANEL, 0)
    bench.wait(45.0)
    assert [round(bench.truth(number)["tip_temperature_c"]) for number in (1, 2)] == [70, 60]
    client.write("all_off", 1)
    assert not bench.truth(1)["rf_on"]


def test_a_start_at_the_panel_has_the_panel_s_own_timer(bench):
    bench.person(press="start", channel=1)
    bench.wait(59.9)
    assert bench.truth()["rf_on"]
    bench.wait(0.2)
    assert not bench.truth()["rf_on"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [({"press": "emergency_stop"}, "interrupted"), ({"enable_loop": "open"}, "interrupted")],
)
def test_a_start_at_the_panel_is_refused_while_the_output_is_cut(bench, before, reason):
    bench.person(**before)
    bench.person(press="start", channel=1)
    assert [event.detail["reason"] for event in bench.events("panel_refused")] == [reason]
    assert bench.events("rf_on") == []


def test_a_start_at_the_panel_is_refused_with_a_fault(bench, client):
    bench.person(press="emergency_stop")
    bench.person(release="emergency_stop")
    bench.person(press="start", channel=1)
    assert [event.detail["reason"] for event in bench.events("panel_refused")] == ["fault_present"]
    assert client.status("inputs") == 0


def test_a_knob_changes_what_is_in_force_and_the_host_can_see_it(bench, client):
    client.start_lesion()
    assert client.status("set_point", 1) == 8000
    bench.person(knob="set_temperature_c", channel=1, value=65)
    assert client.status("set_point", 1) == 6500
    assert client.held("set_temperature_c", 1) == 65.0
    client.keep(30.0)
    assert bench.truth()["tip_temperature_c"] == pytest.approx(65.0, abs=1.0)


def test_a_current_is_limited_by_the_voltage_that_drives_it(bench, client):
    client.claim()
    client.renew()
    client.set_stimulation(limit=10.0)
    client.write("mode", 2, 1)
    for name, value in (("stimulation_rate_dhz", 500), ("stimulation_width_us", 1000), ("stimulation_limit", 10.0)):
        client.write(name, value, 1)
    client.write("command", 2, 1)
    client.write("stimulation_amplitude", 10.0, 1)
    client.keep(5.0)
    assert client.status("stimulation_amplitude", 1) == 10.0
    bench.faults.start("impedance", ohm=5000.0)
    client.keep(5.0)
    assert client.status("stimulation_amplitude", 1) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        ({}, 'POST one of .*"emergency_stop"'),
        ({"press": "red_button"}, "no such key"),
        ({"press": "stop", "channel": 1}, "no such key"),
        ({"press": "start"}, "no such key"),
        ({"press": "start", "channel": 3}, "channels 1 to 2"),
        ({"press": "start", "channel": True}, "channels 1 to 2"),
        ({"knob": "ramp", "channel": 1, "value": 2}, "There are set_temperature_c"),
        ({"knob": "power_limit_w", "channel": 1, "value": 51}, "from 0.1 to 50"),
        ({"knob": "power_limit_w", "channel": 1, "value": "much"}, "from 0.1 to 50"),
    ],
)
def test_a_deed_that_cannot_be_done_is_refused_with_what_can(bench, deed, says):
    with pytest.raises(ConfigError, match=says):
        bench.person(**deed)
    assert bench.events("panel") == []


def test_the_kestrel_shows_its_emergency_stop_and_has_no_enable_loop(make_bench):
    bench = make_bench(make="kestrel-2")
    bench.person(press="emergency_stop")
    assert bench.socket().read(4, 104, 1) == b"\xff\xfb"  # 30105, active low, bit 2
    with pytest.raises(ConfigError, match="no such key"):
        bench.person(enable_loop="open")


def test_the_orrin_has_a_mains_switch_and_no_more(make_bench):
    bench = make_bench(channels=1, make="orrin-v")
    with pytest.raises(ConfigError, match='"power": "cycle"'):
        bench.person(press="emergency_stop")
    bench.person(power="cycle")


@pytest.mark.parametrize("deed", [{"press": "emergency_stop"}, {"enable_loop": "open"}])
def test_hardware_cuts_the_output_of_a_firmware_that_hangs(bench, client, deed):
    client.start_stimulation()
    client.write("stimulation_amplitude", 1.0, 1)
    client.keep(0.6)
    bench.faults.start("firmware_hang")
    bench.wait(5.0)
    bench.person(press="stop")
    assert bench.truth()["stimulating"]
    bench.person(**deed)
    assert not bench.truth()["stimulating"]


def test_hardware_cuts_a_stimulator_that_nobody_switched_on(bench):
    bench.faults.start("stimulation_without_command")
    assert bench.truth()["stimulating"]
    bench.person(press="emergency_stop")
    assert not bench.truth()["stimulating"]
