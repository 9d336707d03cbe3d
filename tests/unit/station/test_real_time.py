"""The real-time option: asked of the operating system, refused with the reason, and given back."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import ConfigError
from rfctl.station import real_time as option
from rfctl.station import station_file
from rfctl.station.real_time import PRIORITY, real_time, scheduling
from tests.station_bench import station_text

if TYPE_CHECKING:
    from pathlib import Path

FIFO = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
NORMAL = os.SCHED_OTHER | os.SCHED_RESET_ON_FORK


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the operating system was asked for, all of it permitted."""
    calls: list[tuple[object, ...]] = []

    def schedule(thread: int, policy: int, parameters: os.sched_param) -> None:
        calls.append((thread, policy, parameters.sched_priority))

    def call(name: str, *flags: int) -> str:
        calls.append((name, *flags))
        return ""

    monkeypatch.setattr(os, "sched_setscheduler", schedule)
    monkeypatch.setattr(option, "_call", call)
    monkeypatch.setattr(option, "_may_lock_all", lambda: True)
    return calls


def test_a_station_that_does_not_ask_gets_nothing(asked: list[tuple[object, ...]]) -> None:
    with real_time(wanted=False, station="bench"):
        pass
    assert asked == []


def test_a_station_that_asks_runs_first_with_its_memory_locked_until_it_ends(asked: list[tuple[object, ...]]) -> None:
    with pytest.raises(ZeroDivisionError), real_time(wanted=True, station="bench"):
        assert asked == [(0, FIFO, PRIORITY), ("mlockall", 7)]
        raise ZeroDivisionError
    assert asked[2:] == [("munlockall",), (0, NORMAL, 0)]


def test_what_is_not_permitted_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with pytest.raises(ConfigError, match=r"priority 10 is not permitted: Operation not permitted.*LimitRTPRIO=10"):
        real_time(wanted=True, station="bench").__enter__()


def test_a_system_without_real_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "SCHED_RESET_ON_FORK")
    monkeypatch.setattr(option.sys, "platform", "plan9")
    with pytest.raises(ConfigError, match="plan9 has no SCHED_FIFO"):
        real_time(wanted=True, station="bench").__enter__()
    assert scheduling() == "unknown"


def test_memory_that_may_not_be_locked_for_good_is_not_locked_at_all_and_that_is_said(
    asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import resource

    monkeypatch.setattr(option, "_may_lock_all", lambda: False)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8 << 20, 8 << 20))
    with caplog.at_level(logging.WARNING), real_time(wanted=True, station="bench"):
        assert asked == [(0, FIFO, PRIORITY)]
    assert "at most 8192 KiB may be. Permit it: LimitMEMLOCK=infinity" in caplog.text


ASK = """
import threading
from rfctl.errors import ConfigError
from rfctl.station.real_time import real_time, scheduling

said = []
try:
    with real_time(wanted=True, station="bench"):
        said.append(scheduling())
        thread = threading.Thread(target=lambda: said.append(scheduling()))
        thread.start()
        thread.join()
    said.append(scheduling())
except ConfigError as refused:
    said = [refused.what.partition(":")[0]]
print(*said, sep="|")
"""


@pytest.mark.real_time
def test_the_operating_system_does_it_for_the_loops_thread_alone_or_refuses() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True)
    assert done.stdout.strip() in {f"SCHED_FIFO {PRIORITY}|SCHED_OTHER|SCHED_OTHER", "station.real_time"}


def test_the_station_file_asks_for_it(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    text = station_text("tcp:127.0.0.1:5020")
    file.write_text(text)
    assert not station_file.load(str(file)).real_time
    file.write_text(text.replace("[station]", "[station]\nreal_time = true"))
    assert station_file.load(str(file)).real_time
    file.write_text(text.replace("[station]", "[station]\nreal_time = 1"))
    with pytest.raises(ConfigError, match="real_time"):
        station_file.load(str(file))
