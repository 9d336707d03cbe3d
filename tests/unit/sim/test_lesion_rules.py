"""A lesion in two acts: what is accepted, in which order, and what off does."""

import math

import pytest


@pytest.fixture
def owner(client):
    client.claim()
    client.renew()
    return client


@pytest.mark.parametrize(
    ("name", "low", "high", "below", "above"),
    [
        ("set_temperature_c", 42.0, 95.0, 41.99, 95.01),
        ("ramp_c_per_s", 0.1, 10.0, 0.099, 10.01),
        ("max_on_s", 1.0, 720.0, 0.99, 720.1),
    ],
)
def test_set_points_are_bounded(owner, refused, name, low, high, below, above):
    owner.write("mode", 3, 1)
    for value in (low, high):
        owner.write(name, value, 1)
        assert owner.held(name, 1) == pytest.approx(value, rel=1e-6)
    for value in (below, above, math.inf, -math.inf):
        with refused(3, 2):
            owner.write(name, value, 1)
    with refused(3, 4):
        owner.write(name, math.nan, 1)
    assert owner.held(name, 1) == pytest.approx(high)


def test_the_power_limit_is_above_0_and_within_the_rating(owner, refused):
    owner.write("mode", 3, 1)
    owner.write("power_limit_w", 50.0, 1)
    with refused(3, 3):
        owner.write("power_limit_w", 50.01, 1)
    for value in (0.0, -1.0):
        with refused(3, 2):
            owner.write("power_limit_w", value, 1)


def test_a_set_point_needs_its_mode(owner, refused):
    with refused(4, 9):
        owner.write("set_temperature_c", 80.0, 1)
    owner.write("mode", 1, 1)
    with refused(4, 14):
        owner.write("set_temperature_c", 80.0, 1)
    with refused(3, 2):
        owner.write("mode", 8, 1)


def test_arming_needs_every_set_point_written_since_the_mode_was_set(owner, refused):
    owner.set_lesion()
    owner.write("mode", 3, 1)
    for name, value in (
        ("set_temperature_c", 80.0),
        ("ramp_c_per_s", 4.3),
        ("max_on_s", 100.0),
        ("power_limit_w", 9.0),
    ):
        with refused(4, 10):
            owner.write("command", 1, 1)
        owner.write(name, value, 1)
    owner.write("command", 1, 1)
    assert owner.status("armed") == 1


def test_arming_needs_a_lease_and_the_right_mode(client, refused):
    client.claim()
    client.set_lesion()
    with refused(4, 12):
        client.write("command", 1, 1)
    client.renew()
    with refused(4, 9):
        client.write("command", 1, 2)
    client.write("mode", 1, 2)
    with refused(4, 14):
        client.write("command", 1, 2)
    with refused(3, 2):
        client.write("command", 3, 1)


def test_the_token_fires_once(bench, owner, refused):
    owner.set_lesion()
    owner.write("command", 1, 1)
    token = owner.status("arm_token", 1)
    assert token != 0
    assert owner.held("command", 1) == 1
    owner.write("fire", token, 1)
    assert owner.status("rf_actual") == owner.status("rf_commanded") == 1
    assert owner.status("armed") == owner.status("arm_token", 1) == owner.held("fire", 1) == 0
    assert owner.held("command", 1) == 1
    with refused(4, 7):
        owner.write("fire", token, 1)
    assert bench.truth()["rf_on"]


def test_every_arming_draws_another_token(owner):
    owner.set_lesion()
    tokens = set()
    for _ in range(20):
        owner.write("command", 1, 1)
        tokens.add(owner.status("arm_token", 1))
    assert len(tokens) == 20


def test_a_wrong_token_disarms(bench, owner, refused):
    owner.set_lesion()
    owner.write("command", 1, 1)
    token = owner.status("arm_token", 1)
    with refused(4, 7):
        owner.write("fire", token ^ 1, 1)
    assert owner.status("armed") == 0
    with refused(4, 6):
        owner.write("fire", token, 1)
    assert not bench.truth()["rf_on"]


def test_the_token_of_one_channel_does_not_fire_another(owner, refused):
    owner.set_lesion(1)
    owner.set_lesion(2)
    owner.write("command", 1, 1)
    owner.write("command", 1, 2)
    with refused(4, 7):
        owner.write("fire", owner.status("arm_token", 1), 2)
    assert owner.status("armed") == 0b01


@pytest.mark.parametrize(("waited_s", "fires"), [(4.9, True), (5.0, False)])
def test_the_token_is_valid_for_5_s(bench, owner, refused, waited_s, fires):
    owner.set_lesion()
    owner.write("command", 1, 1)
    token = owner.status("arm_token", 1)
    owner.keep(waited_s)
    if fires:
        owner.write("fire", token, 1)
    else:
        with refused(4, 6):
            owner.write("fire", token, 1)
    assert bench.truth()["rf_on"] is fires


def test_set_points_are_refused_while_rf_is_on_and_the_power_limit_may_only_fall(bench, owner, refused):
    owner.set_lesion()
    owner.fire()
    owner.keep(3.0)
    for name, value in (("set_temperature_c", 70.0), ("ramp_c_per_s", 1.0), ("max_on_s", 10.0), ("mode", 3)):
        with refused(4, 8):
            owner.write(name, value, 1)
    with refused(4, 8):
        owner.write("command", 1, 1)
    with refused(4, 8):
        owner.write("power_limit_w", 26.5, 1)
    assert bench.truth()["power_w"] > 8.0
    owner.write("power_limit_w", 4.0, 1)
    owner.keep(0.1)
    assert bench.truth()["power_w"] <= 4.0 + 1e-9
    with refused(4, 8):
        owner.write("power_limit_w", 5.0, 1)
    with refused(4, 8):
        owner.write("fault_clear", 1)


@pytest.mark.parametrize("way", ["all off", "command", "all off by a stranger", "command by a stranger"])
def test_off_acts_at_the_instant_it_arrives_and_is_accepted_from_anyone(bench, owner, way):
    owner.set_lesion()
    owner.fire()
    owner.keep(2.0)
    bench.wait(0.0123456)
    who = bench.client(2) if "stranger" in way else owner
    if "all off" in way:
        who.write("all_off", 0)
    else:
        who.write("command", 0, 1)
    truth = bench.truth()
    assert (truth["rf_on"], truth["power_w"], truth["voltage_v_rms"]) == (False, 0.0, 0.0)
    assert truth["last_off_s"] == pytest.approx(bench.now_s, abs=1e-9)
    assert owner.status("rf_actual") == owner.status("rf_commanded") == 0
    assert owner.status("power_w", 1) == owner.status("current_ma_rms", 1) == owner.status("rf_on_ms", 1) == 0


def test_all_off_is_idempotent_and_needs_no_owner(bench, client):
    for value in (0, 1, 65535):
        client.write("all_off", value)
    assert client.held("all_off") == 0
    assert client.status("owner") == 0


def test_all_off_is_done_even_when_the_rest_of_its_request_is_refused(bench, owner, refused):
    owner.set_lesion()
    owner.fire()
    stranger = bench.client(2)
    with refused(6, 20):
        stranger.write_words(0, 1, 8)
    assert not bench.truth()["rf_on"]
    owner.set_lesion()
    owner.fire()
    with refused(2, 1):
        stranger.write_words(0, *[1] * 10)
    assert not bench.truth()["rf_on"]


def test_set_points_of_a_lesion_do_not_outlive_it(owner, refused):
    owner.set_lesion()
    owner.fire()
    owner.write("command", 0, 1)
    for name in ("set_temperature_c", "ramp_c_per_s", "max_on_s", "power_limit_w", "command"):
        assert owner.held(name, 1) == 0
    assert owner.held("mode", 1) == 3
    with refused(4, 10):
        owner.write("command", 1, 1)


def test_all_off_disarms(owner, refused):
    owner.set_lesion()
    owner.write("command", 1, 1)
    token = owner.status("arm_token", 1)
    owner.write("all_off", 1)
    with refused(4, 6):
        owner.write("fire", token, 1)


def test_channels_lesion_together(bench, owner):
    for channel in (1, 2):
        owner.set_lesion(channel)
        owner.fire(channel)
    owner.keep(12.0)
    assert owner.status("rf_actual") == 0b11
    owner.write("command", 0, 1)
    assert owner.status("rf_actual") == 0b10
    assert bench.truth(2)["tip_temperature_c"] == pytest.approx(80.0, abs=2.0)


def test_one_request_may_set_a_whole_lesion(owner):
    words = [3, 0x42A0, 0, 0x4089, 0x999A, 0x4348, 0, 0x41D0, 0]  # mode 3, 80, 4.3, 200, 26
    owner.write_words(18, *words)
    assert owner.held("power_limit_w", 1) == 26.0
    owner.write("command", 1, 1)


def test_a_request_of_several_values_is_done_wholly_or_not_at_all(owner, refused):
    owner.set_lesion()
    with refused(3, 2):
        owner.write_words(18, 3, 0x4280, 0, 0x4089, 0x999A, 0x4348, 0, 0, 0)  # a power limit of 0
    assert (owner.held("set_temperature_c", 1), owner.held("power_limit_w", 1)) == (80.0, 26.0)


def test_half_a_value_cannot_be_written(owner, refused):
    owner.write("mode", 3, 1)
    with refused(2, 1):
        owner.write_words(19, 0x42A0)
    with refused(2, 1):
        owner.write_words(20, 0, 0x4089)


def test_the_last_refusal_stays_until_the_next_one(owner, refused):
    with refused(3, 2):
        owner.write("mode", 9, 1)
    owner.write("mode", 3, 1)
    assert int.from_bytes(owner.read_words(38, 1), "big") == 2
