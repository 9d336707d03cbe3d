"""A service that watches for days: one epoch each, in the station's one log, and nothing is open in between."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_S
from rfctl.profile import any_profile
from rfctl.record.pointer import StateFolder
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, verify
from rfctl.station import service as service_module
from rfctl.station import station_file
from rfctl.station.service import Service
from rfctl.station.stop_desk import StopDesk
from rfctl.station.supervisor import Supervisor
from tests.prepared_keys import private_keys, root_of
from tests.station_bench import station_bench, station_text

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from rfctl.virtual import VirtualClock

DAY_S = 12
"""A whole one is 1.7 million cycles."""


async def test_a_service_with_keys_takes_an_epoch_a_day_in_one_log(
    clock: VirtualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "NEW_EPOCH_NS", DAY_S * NS_PER_S)
    root = root_of(tmp_path / "keys", 5)
    said: list[str] = []
    async with station_bench(tmp_path, clock) as bench:
        text = station_text(bench.simulator.address) + 'keys = "keys"\nlog = "out/log/record"\nfolder = "out"\n'
        (tmp_path / "station.toml").write_text(text, encoding="utf-8")
        station = station_file.load(str(tmp_path / "station.toml"))
        with StateFolder.claim(station.state_folder) as state_folder, StopDesk(station.state_folder) as desk:
            service = Service(
                station,
                any_profile.load(station.profile),
                clock,
                source=str(tmp_path / "station.toml"),
                state_folder=state_folder,
                desk=desk,
                supervisor=Supervisor({}, clock),
                progress=lambda *_: None,
                say=said.append,
                finished=lambda _: None,
            )
            asyncio.get_running_loop().call_later(3.5 * DAY_S, signal.raise_signal, signal.SIGTERM)
            assert await service.run() == 0, said
    log = tmp_path / "out" / "log" / "record"
    found = verify(log, root.public)
    assert found.verdict is Outcome.VALID_UNANCHORED, found
    told = list(entries(log))
    begun = [entry for entry in told if entry.kind == "session"]
    closed = [entry for entry in told if entry.kind == "session_close"]
    assert [entry.epoch for entry in begun] == [entry.epoch for entry in closed] == [1, 2, 3, 4]
    lasted_s = [(end.t_ns - start.t_ns) / NS_PER_S for start, end in zip(begun, closed, strict=True)]
    assert all(DAY_S <= each < DAY_S + 2 for each in lasted_s[:3]), lasted_s
    assert lasted_s[3] < DAY_S
    assert all(after.t_ns - before.t_ns < NS_PER_S for before, after in zip(closed, begun[1:], strict=False)), (
        "what happens in between is recorded nowhere"
    )
    assert private_keys(tmp_path / "keys") == ["epoch-00000005.json"]
