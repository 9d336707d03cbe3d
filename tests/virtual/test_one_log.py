"""A station with prepared keys: all sessions go into one log, each with the next epoch, and nothing else is trusted."""

from __future__ import annotations

import logging
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.errors import ConfigError, RecordError
from rfctl.record import epochs
from rfctl.record.body import state_folder
from rfctl.record.continuing import continue_in
from rfctl.record.opening import Damaged, ThrowAway, new_origin
from rfctl.record.prepared import Prepared, countersign
from rfctl.record.segments import entries
from rfctl.record.verify import Outcome, Verdict, verify
from rfctl.record.writer import RecordWriter
from rfctl.station import logbook
from rfctl.virtual import VirtualClock, run_virtual
from tests.station_bench import plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rfctl.station.session import Order, Result
    from tests.station_bench import Bench

HEADER = {"station": "bench-1", "backend": "simulated", "medium": "load"}
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
SHORT = plan_text(set_temperature_c=45, hold_s=3)


def root_of(folder: Path, count: int, **times: Any) -> epochs.Signer:
    """A root, and a folder of keys that it prepared."""
    root = epochs.Signer(new_origin("bench-1"), epochs.generate())
    prepare(root, folder, count=count, **times)
    epochs.write_public_key(folder / "root.pub", root.public)
    return root


def prepare(root: epochs.Signer, folder: Path, *, first: int = 1, count: int, until: datetime | None = None) -> None:
    epochs.prepare(root, folder, first=first, count=count, not_before=SINCE, not_after=until)


def private_keys(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.json"))


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


# whole sessions of a station


def damage(log: Path) -> None:
    path = log / "00000000.seg"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def order(bench: Bench, log: str = "out/log/record") -> Order:
    text = station_text(bench.simulator.address) + f'keys = "keys"\nlog = "{log}"\n'
    return bench.order(station=text, plan=SHORT)


@contextmanager
def warned(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    found: list[str] = []
    with caplog.at_level(logging.WARNING, "rfctl.logbook"):
        yield found
        found += [each.getMessage() for each in caplog.records]


class Cut(RecordError):
    """The session goes down where it would have closed its record."""


def three_sessions(folder: Path) -> tuple[list[Result], epochs.Signer]:
    """Three procedures into one log, of which the second does not come to close it."""
    root = root_of(folder / "keys", 4)

    async def run() -> list[Result]:
        results = []
        async with station_bench(folder, VirtualClock.running()) as bench:
            for number in range(3):
                with pytest.MonkeyPatch.context() as patch:
                    if number == 1:
                        patch.setattr(RecordWriter, "seal", _cut)
                    results.append(await bench.begin(order(bench)))
        return results

    return run_virtual(run()), root


async def _cut(record: RecordWriter) -> None:
    await record.close()
    raise Cut("cut off", where=str(record.path))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Result], epochs.Signer, Path]:
    folder = tmp_path_factory.mktemp("three")
    return *three_sessions(folder), folder


def test_three_sessions_stand_in_one_log_and_the_third_says_how_the_second_ended(
    three: tuple[list[Result], epochs.Signer, Path],
) -> None:
    results, root, folder = three
    documents = [result.document for result in results]
    log = folder / "out" / "log" / "record"
    assert {document["record"] for document in documents} == {str(log)}
    assert [document["session"] for document in documents] == [1, 2, 3]
    assert [document["outcome"] for document in documents] == ["complete", "failed", "complete"]
    assert [document["unclean_end"] is None for document in documents] == [True, True, False]
    assert documents[2]["unclean_end"]["verdict"] == "OPEN-TAIL"
    assert {(folder / document["public_key"]).read_text() for document in documents} == {f"{root.public.text}\n"}
    assert len({document["public_key"] for document in documents}) == 3
    verdict = verify(log, root.public)
    assert verdict.verdict is Outcome.VALID_UNANCHORED, verdict
    recovered = [entry for entry in entries(log) if entry.kind == "recovered"]
    assert [entry.epoch for entry in recovered] == [3]
    assert [entry.epoch for entry in entries(log) if entry.kind == "session_close"] == [1, 3]
    assert private_keys(folder / "keys") == ["epoch-00000004.json"]
    assert [path.name for path in state_folder(log).iterdir() if path.name == "reserve"] == []


def test_a_damaged_log_is_left_and_the_session_has_a_log_of_its_own_that_names_it(
    three: tuple[list[Result], epochs.Signer, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, root, folder = three
    shutil.copytree(folder / "out" / "log", tmp_path / "log")
    shutil.copytree(folder / "keys", tmp_path / "keys")
    log = tmp_path / "log" / "record"
    damage(log)
    before = {path.name: path.read_bytes() for path in log.iterdir()}

    async def run() -> Result:
        async with station_bench(tmp_path, VirtualClock.running()) as bench:
            return await bench.begin(order(bench, "log/record"))

    with warned(caplog) as said:
        document = run_virtual(run()).document
    assert document["outcome"] == "complete"
    assert document["record"] != str(log)
    assert document["key"] == logbook.THROW_AWAY
    assert document["key_warning"] == said[0]
    assert "Have keys made for a new log" in said[0]
    assert {path.name: path.read_bytes() for path in log.iterdir()} == before
    about: Any = next(entries(tmp_path / document["record"])).members["about"]
    assert about["continues"]["origin"] == root.origin
    assert about["continues"]["verdict"] == "CORRUPT"


def test_expired_keys_energise_nothing(tmp_path: Path) -> None:
    root_of(tmp_path / "keys", 2, until=SINCE + timedelta(days=1))

    async def run() -> list[str]:
        async with station_bench(tmp_path, VirtualClock.running()) as bench:
            with pytest.raises(ConfigError, match="it holds from"):
                await bench.begin(order(bench))
            return [event.kind for event in bench.simulator.events if event.kind in {"rf_on", "owner"}]

    assert run_virtual(run()) == []


def test_a_station_goes_on_in_a_log_that_was_begun_behind_an_older_one(tmp_path: Path) -> None:
    root = root_of(tmp_path / "keys", 3)
    log = tmp_path / "out" / "log" / "record"

    async def run() -> Result:
        clock, thrown_away = VirtualClock.running(), ThrowAway("bench")
        old = await RecordWriter.open(tmp_path / "old", clock=clock, keys=thrown_away, header=HEADER)
        await old.seal()
        keys = Prepared.of(tmp_path / "keys")
        log.parent.mkdir(parents=True)
        await continue_in(log, tmp_path / "old", thrown_away.public, keys=keys, clock=clock)
        async with station_bench(tmp_path, clock) as bench:
            return await bench.begin(order(bench))

    document = run_virtual(run()).document
    assert (document["outcome"], document["session"]) == ("complete", 2)
    assert verify(log, root.public).verdict is Outcome.VALID_UNANCHORED
    about: Any = next(entries(log)).members["about"]
    assert about["continues"]["name"] == "old"


def test_a_log_without_keys_is_refused_in_the_station_file(tmp_path: Path) -> None:
    from rfctl.station import station_file

    path = tmp_path / "station.toml"
    path.write_text(station_text("sim:reference") + 'log = "log"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="a log without keys"):
        station_file.load(str(path))
