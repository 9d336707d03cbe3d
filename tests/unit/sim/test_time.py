"""Time: a trajectory depends on what is done and when, never on who looks."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

POWER_UP_NS = 7_000_000_123


def lesion(make_bench, looks_ns):
    """The bits of everything after a lesion that ends with its lease, with looks at it in between."""
    bench = make_bench(seed=3)
    client = bench.client()
    client.start_lesion()
    bench.clock.now_ns += 317_000_001
    client.renew()
    for look_ns in looks_ns:
        bench.clock.now_ns += look_ns
        bench.truth()
        client.read_words(64, 70)
    bench.clock.now_ns = POWER_UP_NS + 3_000_000_000
    ends = [(event.kind, event.monotonic_ns) for event in bench.events("rf_off")]
    return bench.truth(), client.read_words(64, 70), ends


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 100_000_000), min_size=10, max_size=40))
@example([7_654_321] * 350)
@example([100_000_000] * 20)
def test_looking_changes_nothing(make_bench, looks_ns):
    truth, status, ends = lesion(make_bench, [])
    assert len(ends) == 1
    assert truth["energy_j"] > 0.0
    assert lesion(make_bench, looks_ns) == (truth, status, ends)
