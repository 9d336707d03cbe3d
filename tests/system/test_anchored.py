"""Heads in other hands, and what a verifier makes of them: the whole way from a log to the verdict."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from rfctl.anchors.collector import Collector
from rfctl.anchors.cosignature import WitnessKey
from rfctl.record.epochs import write_public_key
from rfctl.record.notes import VerifierKey
from rfctl_verify.heads import read_heads, read_witness
from rfctl_verify.verdict import Outcome
from rfctl_verify.verify import verify
from tests.commands import Done, rfctl
from tests.log_forge import Forge, golden, write
from tests.system.test_anchors import listening_witness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl_verify.verdict import Verdict


def grown(log: Forge, text: str) -> Forge:
    """The log after one more session, by its real keys."""
    longer = copy.deepcopy(log)
    longer.pass_s(60)
    longer.open()
    longer.add("note", f'{{"text":"{text}","kind":"checkpoint"}}')
    longer.checkpoint(why="open")
    longer.close()
    return longer


class Place:
    """A folder with a witness beside it."""

    def __init__(self, folder: Path, log: Forge, url: str) -> None:
        self.folder, self.log, self.url = folder, log, url
        self.witness = read_witness(WitnessKey.in_folder(folder / "state").text)
        self._written = 0

    def submit(self, log: Forge) -> tuple[Path, Done]:
        self._written += 1
        path = write(self.folder / f"log-{self._written}", log.content())
        return path, rfctl("anchor", "submit", path, "--witness", self.url, "--out", "heads", cwd=self.folder)

    def verify(self, path: Path, heads: Path) -> Verdict:
        found = read_heads(heads, self.log.origin)
        return verify(path, self.log.public_key, heads=found, witnesses=[self.witness])

    @property
    def heads(self) -> Path:
        return self.folder / "heads" / f"{self.log.origin.removeprefix('rfctl/')}.0001.heads"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder, log = tmp_path_factory.mktemp("anchored"), golden()
    write_public_key(folder / "root.pub", VerifierKey(log.origin, log.public_key.raw))
    with listening_witness(folder, "root.pub") as url:
        yield Place(folder, log, url)


def test_a_cosigned_head_anchors_a_log_and_convicts_a_second_history(place: Place) -> None:
    first, done = place.submit(place.log)
    assert (done.exit_code, done.err) == (0, "")
    anchored = place.verify(first, place.heads)
    assert (anchored.verdict, anchored.anchored_by) == (Outcome.VALID_ANCHORED, place.witness.name)

    one, other = grown(place.log, "as it was"), grown(place.log, "as somebody would have it")
    path, done = place.submit(one)
    assert done.exit_code == 0
    assert place.verify(path, place.heads).verdict is Outcome.VALID_ANCHORED
    forked, done = place.submit(other)
    assert done.exit_code == 3
    assert "two histories of one log" in done.err
    assert verify(forked, place.log.public_key).verdict is Outcome.VALID_UNANCHORED  # by itself it is spotless
    assert place.verify(forked, place.heads).verdict is Outcome.FORKED
    assert place.verify(first, place.heads).verdict is Outcome.TRUNCATED
    _, done = place.submit(place.log)  # the older copy
    assert done.exit_code == 3
    assert "more than these" in done.err


def test_collected_heads_anchor_a_log_and_show_a_cut_one(place: Place, tmp_path: Path) -> None:
    collector = Collector(tmp_path / "heads", lambda _: None)
    longer = grown(place.log, "one more")
    for log in (place.log, longer):
        collector.take(f"anchor/{log.origin}", log.head())
    collector.close()
    (heads,) = (tmp_path / "heads").iterdir()
    whole, cut = write(tmp_path / "whole", longer.content()), write(tmp_path / "cut", place.log.content())
    verdict = place.verify(whole, heads)
    assert (verdict.verdict, verdict.anchored_by) == (Outcome.VALID_ANCHORED, "head")
    assert place.verify(cut, heads).verdict is Outcome.TRUNCATED
    assert place.verify(write(tmp_path / "other", grown(place.log, "other").content()), heads).verdict is Outcome.FORKED


def test_what_is_no_log_is_refused(place: Place, tmp_path: Path) -> None:
    fresh = Forge()
    fresh.open()
    for name, content, words in (
        ("empty", {}, "no segment"),
        ("foreign", {"hello": b""}, "no file of a log"),
        ("unsealed", fresh.content(), "has no checkpoint"),
    ):
        path = write(tmp_path / name, content)
        done = rfctl("anchor", "submit", path, "--witness", place.url, "--out", "h", cwd=tmp_path)
        assert done.exit_code == 2
        assert words in done.err
    done = rfctl("anchor", "submit", tmp_path / "none", "--witness", place.url, "--out", "h", cwd=tmp_path)
    assert done.exit_code == 2
    done = rfctl("anchor", "submit", tmp_path / "none", "--witness", "ftp://x", "--out", "h", cwd=tmp_path)
    assert "a witness is http://HOST:PORT" in done.err
