"""Files of heads: names that no two origins share, and lines that stay."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rfctl.anchors import heads
from rfctl.anchors.collector import Collector
from rfctl.anchors.heads import HeadSeries, series_name
from tests.small_log import SmallLog, heads_in, size_of

if TYPE_CHECKING:
    from pathlib import Path

ORIGINS = [
    "rfctl/bench-1-3f1c",
    "rfctl/../../etc/passwd",
    "rfctl/.._.._etc_passwd",
    "bench-1-3f1c",
    "rfctl/rfctl/bench-1-3f1c",
    "rfctl/" + "x" * 120,
    "rfctl/" + "/" * 120,
    "rfctl/%2e%2e",
    "/",
    "rfctl/a_",
]


def test_an_ordinary_origin_keeps_its_name_and_no_two_share_one() -> None:
    assert series_name(ORIGINS[0]) == "bench-1-3f1c"
    origins = set(ORIGINS) | {f"rfctl/{series_name(origin)}" for origin in ORIGINS}
    names = {series_name(origin) for origin in origins}
    assert len(names) == len(origins)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}", name) for name in names)


def test_a_long_series_goes_on_in_a_new_file_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MOST_LINES", 3)
    log, notes = SmallLog.begin(), []
    for _ in range(7):
        notes.append(log.grow(1).checkpoint())
        with closing(HeadSeries(tmp_path, log.root.origin)) as series:
            assert series.last == (notes[-2] if len(notes) > 1 else b"")
            series.append(notes[-1])
    with closing(HeadSeries(tmp_path, log.root.origin)) as series:
        assert list(series.notes()) == notes
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        f"bench-1-test.{number:04d}.heads" for number in (1, 2, 3)
    ]


def test_the_last_head_is_found_behind_a_new_file_that_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between beginning a file and its first line."""
    log = SmallLog.begin().grow(1)
    with closing(HeadSeries(tmp_path, log.root.origin)) as series:
        series.append(log.checkpoint())
    (tmp_path / "bench-1-test.0002.heads").touch()
    with closing(HeadSeries(tmp_path, log.root.origin)) as series:
        assert series.last == log.checkpoint()


def test_a_collector_keeps_every_head_and_nothing_else(tmp_path: Path) -> None:
    said: list[str] = []
    collector = Collector(tmp_path, said.append)
    one, two = SmallLog.begin("one"), SmallLog.begin("two")
    topic, other = f"anchor/{one.root.origin}", f"anchor/{two.root.origin}"
    fork = one.grow(2).fork().grow(1, "other ")
    kept = [one.checkpoint(), one.grow(1).checkpoint(), fork.checkpoint()]
    for note in (kept[0], kept[0], kept[1], kept[2]):
        collector.take(topic, note)
    for bad in (b"", b"hello", kept[0][:-10], b"\xff" * 100, b"x" * 100_000):
        collector.take(topic, bad)
    collector.take(other, kept[0])  # of another origin than the topic says
    collector.take(other, two.grow(1).checkpoint())
    collector.close()
    assert (collector.kept, collector.refused) == (4, 6)
    assert heads_in(tmp_path / "one-test.0001.heads") == kept
    assert [size_of(note) for note in heads_in(tmp_path / "two-test.0001.heads")] == [1]
    assert any("somebody deleted the retained head" in text for text in said)


def test_topics_without_end_do_not_open_files_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfctl.anchors.collector.MOST_ORIGINS", 2)
    collector = Collector(tmp_path, lambda _: None)
    for number in range(4):
        log = SmallLog.begin(f"n{number}").grow(1)
        collector.take(f"anchor/{log.root.origin}", log.checkpoint())
    collector.close()
    assert (collector.kept, len(list(tmp_path.iterdir()))) == (2, 2)
