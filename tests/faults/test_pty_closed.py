"""A serial port that goes away in mid-hold, and comes back: off, unknown, off first, and nothing resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import EXIT_DEVICE
from rfctl.kernel.state import Stage
from rfctl.record.keys import load_public_key
from rfctl.record.replay import replay
from rfctl.record.verify import Outcome as Verified
from rfctl.record.verify import verify
from tests.station_bench import station_bench

if TYPE_CHECKING:
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.station.session import Result

ALL_OFF = bytes.fromhex("0600000001")
RELEASE = bytes.fromhex("0600010000")
LEASE_S = 0.5
POLL_S = 0.05


def assert_sealed(result: Result, folder: Path) -> None:
    path = folder / result.document["record"]
    assert verify(path, load_public_key(path.with_suffix(".pub"))).verdict is Verified.VALID_UNANCHORED
    assert replay(path).differences == 0


async def test_a_port_that_is_closed_and_reopened_in_mid_hold_ends_the_procedure(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, address="pty:") as bench:
        running = bench.begin()
        await bench.in_hold()
        cut_ns = clock.monotonic_ns()
        bench.simulator.faults.start("socket_cut", seconds=1.0)
        await bench.until(lambda state: state.stage is Stage.ENDING)
        assert clock.monotonic_ns() - cut_ns <= POLL_S * NS_PER_S  # noticed within one cycle
        assert bench.state is not None
        assert bench.state.off_verified is not True
        result = await running
        off_ns = bench.event_ns("rf_off", channel=1, after_ns=cut_ns)
        assert (off_ns - cut_ns) / NS_PER_S <= LEASE_S  # no station reaches it: the generator's own lease
        heard = bench.asked(after_ns=cut_ns + 1)
        assert heard[0] == ALL_OFF
        assert set(bench.written(after_ns=cut_ns + 1)) <= {ALL_OFF, RELEASE}
        kinds = [event.kind for event in bench.simulator.events if event.monotonic_ns > off_ns]
        assert "rf_on" not in kinds
    assert result.exit_code == EXIT_DEVICE
    assert result.document["trips"][0]["code"] == "link_lost"
    assert result.document["off_verified"] is True
    assert_sealed(result, tmp_path)


async def test_a_port_that_stays_away_ends_with_off_not_confirmed(tmp_path: Path, clock: Clock) -> None:
    async with station_bench(tmp_path, clock, address="pty:") as bench:
        running = bench.begin()
        await bench.in_hold()
        cut_ns = clock.monotonic_ns()
        bench.simulator.faults.start("socket_cut", seconds=60.0)
        result = await running
        assert (bench.event_ns("rf_off", channel=1, after_ns=cut_ns) - cut_ns) / NS_PER_S <= LEASE_S
        assert bench.asked(after_ns=cut_ns + 1) == []
    assert result.exit_code == EXIT_DEVICE
    assert result.document["off_verified"] is False
    assert "OFF NOT CONFIRMED" in result.error
    assert_sealed(result, tmp_path)


@pytest.mark.parametrize("fault", ["no_reply", "lease_dead"])
async def test_faults_act_over_a_serial_line_as_over_a_socket(tmp_path: Path, clock: Clock, fault: str) -> None:
    async with station_bench(tmp_path, clock, address="pty:") as bench:
        running = bench.begin()
        await bench.in_hold()
        began_ns = clock.monotonic_ns()
        bench.simulator.faults.start(fault)
        result = await running
        assert (bench.event_ns("rf_off", channel=1, after_ns=began_ns) - began_ns) / NS_PER_S <= LEASE_S
    assert result.exit_code == EXIT_DEVICE
    assert result.document["off_verified"] is True
    assert_sealed(result, tmp_path)
