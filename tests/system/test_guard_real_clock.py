"""The guard as a process beside a stopped station, killed itself, and with relays that are not fit: real processes, and
the time of RF off by the simulator's own clock. The generator's lease is switched off throughout.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.record.replay import replay
from tests.commands import RFCTL
from tests.station_bench import plan_text
from tests.system.run_rig import Ended, Rig, rig, verdict_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.real_time, pytest.mark.alone]

LIMIT_S = 0.5
SETTLED_S = 1.5
RELAY = """
[relay]
link = "rtu:{relay}?baud=38400"
hold_up_ms = 0
reply_ms = 50

[guard]
"""


@asynccontextmanager
async def guarded(folder: Path, *, variant: str = "retriggers") -> AsyncIterator[Rig]:
    """A simulator with a relay board in its enable loop, a lease that never ends, and a station with a guard."""
    relay = ("--relay", f"pty:{folder / 'relay'}", "--relay-variant", variant)
    plan = plan_text(set_temperature_c=45, hold_s=20, ramp_c_per_s=5)
    async with rig(folder, *relay, station=RELAY.format(relay=folder / "relay"), plan=plan) as bench:
        await bench.ask("POST", "/faults", {"start": "lease_endless"})
        yield bench


class Struck(NamedTuple):
    """What was seen of one case.

    Attributes:
        off_s: From cause to RF off, by the simulator's clock; None: RF is still on.
        loop_open: The enable loop at the end.
        ended: The station's command.
    """

    off_s: float | None
    loop_open: bool
    ended: Ended


async def loop_is_open(bench: Rig) -> bool:
    truth: dict[str, Any] = await bench.ask("GET", "/truth")
    return bool(truth["enable_loop_open"])


async def off_after(bench: Rig, cause: dict[str, Any]) -> float | None:
    truth = await bench.channel()
    return None if truth["rf_on"] else truth["last_off_s"] - cause["now_s"]


def guard_of(process: asyncio.subprocess.Process) -> int:
    """The process that the station has started as its guard."""
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if b"rfctl.guard" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return int(pid)
    raise AssertionError("the station has no guard")


async def stopped_station(folder: Path) -> Struck:
    """SIGSTOP in mid-hold: nobody but the guard is left. Then it goes on, and must not go on heating."""
    async with guarded(folder) as bench:
        running, before = await bench.heating()
        running.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(SETTLED_S)
        off_s, loop_open = await off_after(bench, before), await loop_is_open(bench)
        running.process.send_signal(signal.SIGCONT)
        ended = await running.end()
        assert not (await bench.channel())["rf_on"]
        return Struck(off_s, loop_open, ended)


async def killed_guard(folder: Path) -> Struck:
    async with guarded(folder) as bench:
        running, before = await bench.heating()
        os.kill(guard_of(running.process), signal.SIGKILL)
        await asyncio.sleep(SETTLED_S)
        off_s, loop_open = await off_after(bench, before), await loop_is_open(bench)
        return Struck(off_s, loop_open, await running.end())


async def killed_station(folder: Path) -> Struck:
    async with guarded(folder) as bench:
        running, before = await bench.heating()
        running.process.kill()
        ended = await running.end()
        await asyncio.sleep(SETTLED_S)
        return Struck(await off_after(bench, before), await loop_is_open(bench), ended)


async def stop_command(folder: Path) -> Struck:
    async with guarded(folder) as bench:
        running, before = await bench.heating()
        stop = await asyncio.create_subprocess_exec(
            RFCTL, "stop", "--station", "station.toml", "--json", cwd=folder, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await stop.communicate()
        verdict = json.loads(out)
        assert (stop.returncode, verdict["off_measured"], verdict["relay_open"]) == (0, True, True)
        return Struck(await off_after(bench, before), await loop_is_open(bench), await running.end())


async def refused(folder: Path, *, variant: str = "retriggers", fault: str = "") -> Struck:
    async with guarded(folder, variant=variant) as bench:
        if fault:
            await bench.ask("POST", "/faults", {"start": fault})
        ended = await (await bench.run()).end()
        truth = await bench.channel()
        assert truth["energy_j"] == 0.0
        return Struck(None if truth["rf_on"] else 0.0, await loop_is_open(bench), ended)


async def in_two_turns(folder: Path) -> dict[str, Struck]:
    """Each case is three processes; with all of them at once two processors are too busy for the proof of a relay."""
    struck: dict[str, Struck] = {}
    for turn in (
        {"stopped station": stopped_station, "killed guard": killed_guard, "killed station": killed_station},
        {
            "rfctl stop": stop_command,
            "ignores": partial(refused, variant="ignored"),
            "welded": partial(refused, fault="welded"),
        },
    ):
        for name in turn:
            (folder / name).mkdir()
        ended = await asyncio.gather(*(case(folder / name) for name, case in turn.items()))
        struck |= zip(turn, ended, strict=True)
    return struck


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Struck]:
    return asyncio.run(in_two_turns(tmp_path_factory.mktemp("guard")))


@pytest.mark.parametrize("name", ["stopped station", "killed guard", "killed station"])
def test_the_relay_opens_and_rf_is_off_within_500_ms_whoever_is_gone(cases: dict[str, Struck], name: str) -> None:
    case = cases[name]
    assert case.off_s is not None, case.ended.err
    assert 0.0 < case.off_s <= LIMIT_S
    assert case.loop_open


def test_a_stop_reaches_station_and_guard(cases: dict[str, Struck]) -> None:
    case = cases["rfctl stop"]
    assert case.off_s is not None
    assert case.loop_open
    assert case.ended.exit_code == 3


def test_a_station_that_goes_on_after_it_was_stopped_ends_and_its_record_says_who_let_go(
    cases: dict[str, Struck],
) -> None:
    ended = cases["stopped station"].ended
    assert ended.exit_code in {3, 4}
    document = ended.document
    assert document["outcome"] in {"stopped", "failed"}
    assert document["off_verified"] is True
    assert replay(Path(document["record"])).differences == 0
    assert verdict_on(document["record"]).good


@pytest.mark.requirement("guard.watched")
def test_a_killed_guard_ends_the_procedure(cases: dict[str, Struck]) -> None:
    ended = cases["killed guard"].ended
    assert ended.exit_code == 4
    assert ended.document["trips"][0]["hazard"] in {"HZ-45", "HZ-44", "HZ-16"}


@pytest.mark.parametrize(
    ("name", "says"),
    [("ignores", "this board ignores a flash-on while the contact is closed"), ("welded", "still closed")],
)
@pytest.mark.requirement("relay.proof")
def test_a_relay_that_is_not_fit_is_refused_at_the_start(cases: dict[str, Struck], name: str, says: str) -> None:
    case = cases[name]
    assert case.ended.exit_code == 4
    assert says in case.ended.err
    assert case.ended.document["outcome"] == "refused"
    assert case.off_s is not None
