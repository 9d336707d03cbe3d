"""The same seed gives the same bytes on the wire, both ways and at the same instants, over a whole procedure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from rfctl.station import session
from rfctl.virtual import VirtualClock, run_virtual
from rfctl_sim.simulator import start
from tests.station_bench import Bench, plan_text

if TYPE_CHECKING:
    from pathlib import Path

Crossed = list[tuple[int, str, bytes]]


def procedure(folder: Path, address: str, seed: int) -> Crossed:
    """Everything that crosses the wire in one procedure, sensory check included."""

    async def run() -> Crossed:
        clock = VirtualClock.running()
        simulator = await start(clock, address=address, seed=seed, tissue="poles")
        bench = Bench(folder, clock, simulator)
        result = await bench.begin(bench.order(plan=plan_text(sensory="required", hold_s=5)))
        assert result.document["outcome"] == "complete"
        await simulator.close()
        return [(frame.monotonic_ns, frame.direction, frame.data) for frame in simulator.wire]

    folder.mkdir()
    return run_virtual(run(), utc_start=datetime(2026, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "pty:"])
def test_the_same_seed_gives_the_same_bytes_over_a_whole_procedure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    # Of all that a station sends, only its session number is drawn by chance.
    monkeypatch.setattr(session.secrets, "randbelow", lambda most: 4710)
    first, second = (procedure(tmp_path / name, address, 5) for name in ("first", "second"))
    assert len(first) > 1000
    assert {direction for _, direction, _ in first} == {"in", "out"}
    assert first == second
    another = procedure(tmp_path / "another", address, 6)
    assert [data for _, _, data in another] != [data for _, _, data in first]
