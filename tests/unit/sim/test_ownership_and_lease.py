"""Who may write, and the dead-man timer."""

import pytest

from rfctl.clock import NS_PER_MS


def test_nobody_owns_a_generator_that_was_just_switched_on(client, refused):
    assert client.status("owner") == 0
    with refused(6, 20):
        client.write("lease_renew", 1)
    with refused(6, 20):
        client.write("mode", 3, 1)
    with refused(6, 20):
        client.write("owner", 0)


def test_reading_is_open_to_everybody(bench, client):
    client.claim()
    assert bench.client(2).status("owner") == 7


def test_ownership_belongs_to_the_connection_that_wrote_it(bench, client, refused):
    client.claim()
    with refused(6, 20):
        bench.client(2).write("mode", 3, 1)
    with refused(6, 20):
        bench.client(2).write("owner", 0)
    client.write("mode", 3, 1)


def test_a_running_lease_keeps_other_sessions_out(bench, client, refused):
    client.claim()
    client.renew()
    with refused(6, 20):
        bench.client(2).claim(8)
    assert client.status("owner") == 7


@pytest.mark.parametrize("state", ["no lease yet", "lease expired"])
def test_an_owner_without_a_running_lease_can_be_replaced(bench, client, state):
    client.claim()
    if state == "lease expired":
        client.renew()
        bench.wait(0.501)
    bench.client(2).claim(8)
    assert client.status("owner") == 8


def test_the_same_session_moves_to_another_connection_and_every_output_is_turned_off_first(bench, client, refused):
    client.start_lesion()
    bench.wait(0.2)
    other = bench.client(2)
    other.claim(7)
    assert not bench.truth()["rf_on"]
    with refused(6, 20):
        client.renew()
    assert other.status("lease_remaining_ms") == 0


def test_a_claim_sets_the_lease_to_500_ms_and_lets_the_counter_begin_anywhere(client):
    client.claim()
    client.write("lease_ms", 900)
    client.write("lease_renew", 40_000)
    assert client.status("lease_remaining_ms") == 900
    client.claim()
    assert client.held("lease_ms") == 500
    client.write("lease_renew", 3)
    assert client.held("lease_renew") == 3


def test_releasing_turns_off_and_ends_the_lease_without_its_having_expired(bench, client):
    client.start_lesion()
    bench.wait(0.1)
    client.write("owner", 0)
    assert not bench.truth()["rf_on"]
    assert client.status("owner") == client.status("lease_remaining_ms") == client.status("fault_bits") == 0
    client.claim(9)
    client.renew()
    client.write("mode", 3, 1)


@pytest.mark.parametrize(("value", "accepted"), [(99, False), (100, True), (1000, True), (1001, False)])
def test_the_lease_is_100_to_1000_ms(client, refused, value, accepted):
    client.claim()
    if accepted:
        client.write("lease_ms", value)
        assert client.held("lease_ms") == value
    else:
        with refused(3, 2):
            client.write("lease_ms", value)
        assert client.held("lease_ms") == 500


def test_each_renewal_is_the_last_one_plus_1_modulo_65536(client, refused):
    client.claim()
    client.write("lease_renew", 65535)
    client.write("lease_renew", 0)
    for wrong in (0, 2, 65535):
        with refused(3, 2):
            client.write("lease_renew", wrong)
    assert client.held("lease_renew") == 0
    client.write("lease_renew", 1)


def test_a_refused_renewal_and_a_read_do_not_renew(bench, client, refused):
    client.claim()
    client.renew()
    bench.wait(0.3)
    with refused(3, 2):
        client.write("lease_renew", 99)
    assert client.status("lease_remaining_ms") == 200


def test_the_lease_ends_an_output_at_its_own_instant(bench, client):
    client.start_lesion()
    bench.wait(0.1234567)
    client.renew()
    renewed_s = bench.now_s
    bench.wait(0.499_999)
    assert bench.truth()["rf_on"]
    bench.wait(3.0)
    assert bench.truth()["last_off_s"] == pytest.approx(renewed_s + 0.5, abs=1e-9)
    assert bench.events("lease_expired")[0].monotonic_ns % (10 * NS_PER_MS) != 0
    assert client.status("fault_bits") == 0b10


def test_a_renewal_that_comes_a_moment_too_late_renews_nothing(bench, client, refused):
    client.start_lesion()
    bench.wait(0.5)
    with refused(4, 5):
        client.renew()
    assert not bench.truth()["rf_on"]


def test_an_expired_lease_makes_set_points_read_only_until_it_is_acknowledged(bench, client, refused):
    client.claim()
    client.renew()
    client.set_lesion()
    bench.wait(0.6)
    for name, value in (("mode", 1), ("set_temperature_c", 60.0), ("command", 1), ("lease_renew", 2)):
        with refused(4, 5):
            client.write(name, value, 0 if name == "lease_renew" else 1)
    assert client.held("set_temperature_c", 1) == 80.0
    client.claim()
    with refused(4, 5):
        client.write("set_temperature_c", 60.0, 1)
    client.write("lease_clear", 1)
    client.write("set_temperature_c", 60.0, 1)
    assert client.held("set_temperature_c", 1) == 60.0


def test_a_lease_that_expires_with_everything_off_is_no_fault(bench, client):
    client.claim()
    client.renew()
    bench.wait(1.0)
    assert client.status("fault_bits") == 0


def test_the_lease_fault_is_cleared_after_the_lease_was_acknowledged(bench, client, refused):
    client.start_lesion()
    bench.wait(1.0)
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == 0b10
    client.write("lease_clear", 1)
    client.write("fault_clear", 1)
    assert client.status("fault_bits") == 0


def test_acknowledging_a_lease_that_has_not_expired_does_nothing(bench, client, refused):
    client.claim()
    client.renew()
    client.write("lease_clear", 1)
    with refused(3, 2):
        client.write("lease_renew", 50)
    with refused(3, 2):
        client.write("lease_clear", 2)


def test_the_lease_disarms(bench, client):
    client.claim()
    client.renew()
    client.set_lesion()
    client.write("command", 1, 1)
    bench.wait(0.6)
    assert client.status("armed") == client.status("arm_token", 1) == client.held("command", 1) == 0
