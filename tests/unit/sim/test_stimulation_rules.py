"""Stimulation: from 0, slowly, one channel at a time."""

import math

import pytest


def test_the_stimulator_starts_at_0_and_follows_at_no_more_than_half_a_volt_in_200_ms(bench, client):
    client.start_stimulation()
    assert client.status("stimulation_actual") == 1
    assert bench.truth()["stimulating"]
    assert client.status("stimulation_amplitude", 1) == 0.0
    client.write("stimulation_amplitude", 1.0, 1)
    delivered = []
    for _ in range(6):
        bench.wait(0.1)
        client.renew()
        delivered.append(client.status("stimulation_amplitude", 1))
    assert delivered == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0], abs=1e-6)
    client.write("stimulation_amplitude", 0.5, 1)
    bench.wait(0.1)
    assert client.status("stimulation_amplitude", 1) == pytest.approx(0.75, abs=1e-6)


def test_the_settings_in_force_are_reported(client):
    client.start_stimulation()
    assert client.status("mode", 1) == 1
    assert client.status("stimulation_width_us", 1) == 1000
    assert client.status("stimulation_rate_dhz", 1) == 500
    assert client.held("command", 1) == 2
    assert int(client.status("flags", 1)) & 0b1000


def test_off_ends_it_at_once_and_the_next_start_is_at_0_again(bench, client):
    client.start_stimulation()
    client.write("stimulation_amplitude", 1.0, 1)
    client.keep(0.4)
    client.write("all_off", 1)
    assert not bench.truth()["stimulating"]
    assert client.status("stimulation_amplitude", 1) == client.held("stimulation_amplitude", 1) == 0.0
    client.write("command", 2, 1)
    bench.wait(0.2)
    assert client.status("stimulation_amplitude", 1) == 0.0


def test_the_amplitude_is_bounded_by_the_limit_and_needs_a_running_stimulator(client, refused):
    client.claim()
    client.renew()
    client.set_stimulation(limit=2.0)
    with refused(4, 14):
        client.write("stimulation_amplitude", 0.5, 1)
    client.write("stimulation_amplitude", 0.0, 1)
    client.write("command", 2, 1)
    client.write("stimulation_amplitude", 2.0, 1)
    for value in (2.01, -0.1, math.inf):
        with refused(3, 2):
            client.write("stimulation_amplitude", value, 1)
    with refused(3, 4):
        client.write("stimulation_amplitude", math.nan, 1)
    assert client.held("stimulation_amplitude", 1) == 2.0


@pytest.mark.parametrize(
    ("name", "low", "high", "below", "above"),
    [
        ("stimulation_rate_dhz", 20, 2000, 19, 2001),
        ("stimulation_width_us", 50, 2000, 49, 2001),
        ("stimulation_limit", 0.0, 10.0, -0.1, 10.1),
    ],
)
def test_settings_are_bounded(client, refused, name, low, high, below, above):
    client.claim()
    client.write("mode", 2, 1)
    for value in (low, high):
        client.write(name, value, 1)
        assert client.held(name, 1) == value
    for value in (below, above):
        with refused(3, 2):
            client.write(name, value, 1)


def test_settings_are_refused_while_stimulating(client, refused):
    client.start_stimulation()
    for name, value in (
        ("stimulation_rate_dhz", 20),
        ("stimulation_width_us", 500),
        ("stimulation_limit", 1.0),
        ("mode", 2),
        ("command", 2),
    ):
        with refused(4, 8):
            client.write(name, value, 1)


def test_stimulation_needs_mode_settings_and_lease(client, refused):
    client.claim()
    client.set_stimulation()
    with refused(4, 12):
        client.write("command", 2, 1)
    client.renew()
    with refused(4, 9):
        client.write("command", 2, 2)
    client.write("mode", 3, 2)
    with refused(4, 14):
        client.write("command", 2, 2)
    client.write("mode", 2, 1)
    with refused(4, 10):
        client.write("command", 2, 1)


def test_a_change_of_mode_starts_from_nothing(client):
    client.claim()
    client.set_stimulation()
    client.write("mode", 2, 1)
    for name in ("stimulation_rate_dhz", "stimulation_width_us", "stimulation_limit", "stimulation_amplitude"):
        assert client.held(name, 1) == 0


def test_only_one_channel_stimulates(client, refused):
    client.start_stimulation(1)
    client.set_stimulation(2)
    with refused(4, 8):
        client.write("command", 2, 2)


def test_nothing_is_armed_while_a_channel_stimulates(client, refused):
    client.start_stimulation(1)
    client.set_lesion(2)
    with refused(4, 8):
        client.write("command", 1, 2)


@pytest.mark.parametrize("fired", [False, True])
def test_nothing_stimulates_while_a_channel_is_armed_or_has_rf_on(client, refused, fired):
    client.claim()
    client.renew()
    client.set_lesion(2)
    client.set_stimulation(1)
    client.write("command", 1, 2)
    if fired:
        client.write("fire", client.status("arm_token", 2), 2)
    with refused(4, 8):
        client.write("command", 2, 1)


def test_stimulation_heats_nothing(bench, client):
    client.start_stimulation()
    client.write("stimulation_amplitude", 3.0, 1)
    client.keep(3.0)
    truth = bench.truth()
    assert (truth["power_w"], truth["energy_j"], truth["tip_temperature_c"]) == (0.0, 0.0, 37.0)
