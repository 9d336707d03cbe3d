"""The keys of one log: each session takes the next epoch, and where they cannot be used no session begins."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.cli.main import main
from rfctl.errors import ConfigError
from rfctl.record import epochs, root_file
from rfctl.record.certificate import Certificate
from rfctl.record.notes import decode64, parse
from rfctl.record.opening import Damaged, new_origin
from rfctl.record.prepared import Prepared, countersign
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, Verdict, verify
from rfctl.record.writer import RecordWriter
from rfctl.virtual import VirtualClock, run_virtual
from tests.prepared_keys import HEADER, SINCE, damage, prepare, private_keys, root_of

if TYPE_CHECKING:
    from pathlib import Path


async def session(log: Path, keys: Path, clock: VirtualClock, *, sealed: bool = True) -> Prepared:
    prepared = Prepared.of(keys)
    record = await RecordWriter.open(log, clock=clock, keys=prepared, header=HEADER)
    record.append("note", 0, {"text": "it went on"})
    await record.durable()
    await (record.seal() if sealed else record.close())
    return prepared


async def test_each_session_takes_the_next_epoch_and_its_key_is_gone_afterwards(
    clock: VirtualClock, tmp_path: Path
) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 4)
    for number, left in ((1, 3), (2, 2), (3, 1)):
        prepared = await session(log, keys, clock)
        assert (prepared.number, prepared.left, prepared.chained) == (number, left, False)
        assert private_keys(keys) == [f"epoch-{each:08d}.json" for each in range(number + 1, 5)]
        assert ("prepared epochs left" in prepared.warning) == (left < 3)
    assert [path.name for path in sorted(log.iterdir())] == ["00000000.seg", "00000001.seg", "00000002.seg"]
    assert verify(log, root.public).verdict is Outcome.VALID_UNANCHORED


@pytest.mark.parametrize("crash", [False, True])
async def test_when_they_are_used_up_each_epoch_certifies_the_next_until_there_are_more(
    clock: VirtualClock, tmp_path: Path, *, crash: bool
) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 1)
    await session(log, keys, clock, sealed=not crash)
    for number in (2, 3):
        prepared = await session(log, keys, clock, sealed=not crash)
        assert (prepared.number, prepared.chained) == (number, True)
        assert f"--first {number + 1}" in prepared.warning
        assert len(private_keys(keys)) == 1
    assert only_chained(verify_log(log, root)) == 2
    notes = [decode64(str(entry.members["certificate"])) for entry in entries(log) if entry.kind == "epoch"]
    assert {Certificate.parse(parse(note).text).not_before for note in notes} == {SINCE}
    assert countersign(root, log, keys) == ([2, 3], 3)
    prepare(root, keys, first=4, count=1)
    prepared = await session(log, keys, clock)
    assert (prepared.number, prepared.chained) == (4, False)
    assert only_chained(verify_log(log, root)) == 0
    assert not list(keys.glob("countersigned-*"))
    assert countersign(root, log, keys) == ([], 4)


def verify_log(log: Path, root: epochs.Signer) -> Verdict:
    verdict = verify(log, root.public)
    assert verdict.verdict in {Outcome.VALID_UNANCHORED, Outcome.OPEN_TAIL}, verdict
    return verdict


def only_chained(verdict: Verdict) -> int:
    found = re.search(r"(\d+) epochs are certified only by the epoch before", verdict.detail)
    return int(found[1]) if found else 0


def test_the_command_goes_on_behind_the_log_and_countersigns_what_was_chained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 1)
    root_file.save(tmp_path / "root.key", root, None)

    async def sessions(count: int) -> None:
        for _ in range(count):
            await session(log, keys, VirtualClock.running())

    run_virtual(sessions(3))
    with pytest.raises(SystemExit) as ended:
        main(["keys", "epoch", "--root", f"{tmp_path}/root.key", "--out", str(keys), "--log", str(log), "--count", "2"])
    said = capsys.readouterr().out
    assert (ended.value.code, said.splitlines()[0]) == (0, f"epochs 4 to 5 of {root.origin} in {keys}, 2 files")
    assert "countersigned: epochs 2, 3; the next session records it" in said
    run_virtual(sessions(1))
    assert only_chained(verify_log(log, root)) == 0


async def test_the_root_countersigns_no_log_that_was_changed(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 1)
    await session(log, keys, clock)
    await session(log, keys, clock)
    damage(log)
    with pytest.raises(ConfigError, match="The root signs for no such log"):
        countersign(root, log, keys)


async def test_a_signature_that_is_not_of_the_root_is_not_recorded(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root_of(keys, 1)
    await session(log, keys, clock)
    await session(log, keys, clock)
    certificate = [entry for entry in entries(log) if entry.kind == "epoch"][1].members["certificate"]
    (keys / "countersigned-00000002.note").write_text(str(certificate))
    with pytest.raises(ConfigError, match="no certificate that the root signed"):
        await session(log, keys, clock)


async def test_a_crash_of_the_session_that_countersigns_repeats_nothing(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 1)
    await session(log, keys, clock)
    await session(log, keys, clock)
    countersign(root, log, keys)
    await session(log, keys, clock, sealed=False)
    await session(log, keys, clock)
    assert [entry.epoch for entry in entries(log) if entry.kind == "countersigned"] == [3]
    assert only_chained(verify_log(log, root)) == 2


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda keys: shutil.rmtree(keys), "is no folder of keys"),
        (lambda keys: (keys / "root.pub").unlink(), "root.pub: cannot be read"),
        (
            lambda keys: (keys / "epoch-00000002.json").unlink(),
            "epoch 2 was not prepared, and the epoch before left no",
        ),
        (lambda keys: (keys / "epoch-00000002.json").write_text("{}"), "is no prepared epoch"),
        (lambda keys: foreign(keys), "key .* did not sign it|it is for rfctl/"),
        (lambda keys: shutil.copy(keys / "epoch-00000003.json", keys / "epoch-00000002.json"), "it is epoch 3, not 2"),
        (lambda keys: (shutil.rmtree(keys), root_of(keys, 2)), "the log is not of rfctl/bench-1-"),
    ],
)
async def test_keys_that_cannot_be_used_begin_no_session(
    clock: VirtualClock, tmp_path: Path, spoil: Any, says: str
) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 3)
    await session(log, keys, clock)
    before = (log / "00000000.seg").read_bytes()
    spoil(keys)
    with pytest.raises(ConfigError, match=says):
        await session(log, keys, clock)
    assert [path.read_bytes() for path in log.iterdir()] == [before]
    assert verify(log, root.public).verdict is Outcome.VALID_UNANCHORED


def foreign(keys: Path) -> None:
    (keys / "epoch-00000002.json").unlink()
    other = epochs.Signer(new_origin("bench-2"), epochs.generate())
    prepare(other, keys, first=2, count=1)


async def test_an_expired_epoch_begins_no_session_and_the_remedy_names_its_number(
    clock: VirtualClock, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    root_of(keys, 2, until=clock.utc() - timedelta(days=1))
    with pytest.raises(ConfigError, match="rfctl keys epoch --first 1"):
        await session(tmp_path / "log", keys, clock)
    assert private_keys(keys) == ["epoch-00000001.json", "epoch-00000002.json"]


async def test_two_stations_cannot_write_one_log(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root_of(keys, 3)
    record = await RecordWriter.open(log, clock=clock, keys=Prepared.of(keys), header=HEADER)
    with pytest.raises(ConfigError, match="another process writes this log"):
        await session(log, keys, clock)
    await record.seal()


async def test_an_older_copy_of_several_sessions_is_refused(clock: VirtualClock, tmp_path: Path) -> None:
    log, keys = tmp_path / "log", tmp_path / "keys"
    root = root_of(keys, 5)
    await session(log, keys, clock)
    await session(log, keys, clock)
    shutil.copytree(log, tmp_path / "old")
    await session(log, keys, clock)
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "old", log)
    assert verify(log, root.public).verdict is Outcome.VALID_UNANCHORED
    with pytest.raises(Damaged, match="this station has signed"):
        await session(log, keys, clock)
