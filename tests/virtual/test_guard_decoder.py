"""Two implementations of every profile: what the guard decodes from raw frames is what the station read, all along."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rfctl.guard.decoder import Decoder
from rfctl.guard.sample import Sample, Seen
from rfctl.link.trace import Trace
from rfctl.model.shipped import find
from rfctl.profile import any_profile
from rfctl.station import answers, plan_file, session, station_file
from tests.tessel.device import Tessel3

if TYPE_CHECKING:
    from rfctl.clock import Clock
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.model.reading import Reading

TESSEL = str(Path(__file__).parents[1] / "tessel" / "tessel-3.toml")
PLAN = """
[plan]
title = "One site"
checklist = ["electrode stands in the simulator"]

[[site]]
name = "bench"
channel = 1
electrode = { gauge = 18, tip_mm = 10 }
sensory = { maximum_v = 1.0 }
motor = { use = "not used", reason = "bench" }
anaesthetic = { use = "not used", reason = "bench" }
lesion = { set_temperature_c = 45, hold_s = 1, ramp_c_per_s = 4.3 }
"""
ANSWERS = """
[answers]
operator = "bench script"
checklist = "confirm"

[[site]]
name = "bench"
felt_at_v = 0.4
"""


class Listener:
    """Hears the wire by the guard's decoder and the decisions by the station's."""

    def __init__(self, profile: str, channels: int, *, serial: bool, cut: int = 0) -> None:
        self.decoder = Decoder(find("generators", profile), channels, serial=serial)
        self.samples: list[Sample] = []
        self.readings: list[Reading] = []
        self._cut = cut

    def wire(self, direction: str, data: bytes) -> None:
        if direction == "tx":
            self.decoder.sent(data)
            return
        step = self._cut or len(data)
        for at in range(0, len(data), step):
            self.samples += self.decoder.received(data[at : at + step])

    def watch(self, state: KernelState, _effects: tuple[Effect, ...]) -> None:
        reading = state.reading
        if reading is not None and (not self.readings or reading is not self.readings[-1]):
            self.readings.append(reading)


def as_seen(reading: Reading) -> tuple[Seen, ...]:
    return tuple(
        Seen(c.temperature_c, bool(c.rf_on), c.rf_band_current_ma_rms, c.power_w, bool(c.stimulating))
        for c in reading.channels
    )


def same(seen: Seen, other: Seen) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(seen, other, strict=True))


async def listened(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, link: str, profile: str, listener: Listener
) -> None:
    note = Trace.note

    def tapped(trace: Trace, at_ns: int, direction: str, data: bytes) -> None:
        note(trace, at_ns, direction, data)  # type: ignore[arg-type]
        listener.wire(direction, data)

    monkeypatch.setattr(Trace, "note", tapped)
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    (folder / "answers.toml").write_text(ANSWERS, encoding="utf-8")
    plan = plan_file.load(str(folder / "plan.toml"))
    station = replace(station_file.load("demo"), link=link, profile=profile, state_folder=folder / "state")
    station = replace(station, relay=None, guard=None)  # nothing but its decoder is tried
    order = session.Order(
        station=station,
        profile=any_profile.load(profile),
        plan=plan,
        operator=answers.load(str(folder / "answers.toml"), plan),
        out=folder / "out",
        seed=3,
        watch=listener.watch,
    )
    result = await session.run(order, clock)
    assert result.exit_code == 0, result.error


def require_same(listener: Listener) -> None:
    assert len(listener.readings) > 100
    by_counter: dict[int, list[tuple[Seen, ...]]] = {}
    for sample in listener.samples:
        by_counter.setdefault(sample.counter & 0xFFFF, []).append(sample.channels)
    for reading in listener.readings:
        mine = by_counter.get(reading.sample_counter & 0xFFFF, [])
        station = as_seen(reading)
        assert any(all(map(same, channels, station)) for channels in mine), (reading, mine)
    assert any(seen.rf for sample in listener.samples for seen in sample.channels)
    assert any(seen.stimulating for sample in listener.samples for seen in sample.channels)


@pytest.mark.parametrize(
    ("generator", "channels", "link"),
    [("rfctl-reference", 2, "tcp"), ("kestrel-2", 2, "rtu"), ("orrin-v", 1, "rtutcp")],
)
async def test_the_guard_reads_what_the_station_reads(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, generator: str, channels: int, link: str
) -> None:
    listener = Listener(generator, channels, serial=link != "tcp", cut=7 if link == "rtu" else 0)
    address = f"sim:reference?link={link}&generator={generator}&tissue=poles"
    await listened(tmp_path, clock, monkeypatch, address, generator, listener)
    require_same(listener)


async def test_also_in_the_codings_of_a_machine_that_nobody_knew(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Tessel3() as machine:
        listener = Listener(TESSEL, 2, serial=not machine.address.startswith("tcp:"))
        await listened(tmp_path, clock, monkeypatch, machine.address, TESSEL, listener)
        require_same(listener)
