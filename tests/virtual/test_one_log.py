"""A station with prepared keys: all its sessions stand in one log, and each can be looked at by itself."""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import shutil
import tracemalloc
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from rfctl.cli.main import main
from rfctl.errors import ConfigError, RecordError
from rfctl.record import epochs, export
from rfctl.record.body import state_folder
from rfctl.record.continuing import continue_in
from rfctl.record.opening import ThrowAway
from rfctl.record.prepared import Prepared
from rfctl.record.segments import Entry, entries
from rfctl.record.verify import Outcome, verify
from rfctl.record.writer import RecordWriter
from rfctl.station import logbook, station_file
from rfctl.virtual import VirtualClock, run_virtual
from tests.commands import Done
from tests.prepared_keys import HEADER, SINCE, damage, private_keys, root_of
from tests.report_text import words
from tests.station_bench import plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rfctl.station.session import Order, Result
    from tests.station_bench import Bench

    Command = Callable[..., Done]

DONE, DUE = "2020-03-01", "2120-03-01"
SHORT = plan_text(set_temperature_c=45, hold_s=3)


def order(bench: Bench, log: str = "out/log/record") -> Order:
    text = station_text(bench.simulator.address) + f'keys = "keys"\nlog = "{log}"\n'
    text += f"[calibration]\ndone = {DONE}\ndue = {DUE}\n"
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
    root = root_of(folder / "keys", 2)

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


def test_each_session_says_until_when_the_generator_is_calibrated_and_whose_day_counts(
    three: tuple[list[Result], epochs.Signer, Path],
) -> None:
    found = [entry for entry in entries(three[2] / "out" / "log" / "record") if entry.kind == "calibration"]
    assert [entry.epoch for entry in found] == [1, 1, 2, 2, 3, 3]
    stated = (
        {"source": "station file", "done": DONE, "due": DUE},
        {"source": "generator", "done": "2026-01-05", "due": "2036-01-05"},  # what the simulator tells
    )
    for entry, told in zip(found, stated * 3, strict=True):
        assert entry.members | {"today": ""} == told | {"today": "", "by": "the clock"}
        assert entry.wall.startswith(str(entry.members["today"]))


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
    assert private_keys(folder / "keys") == ["chained-00000004.json"]
    assert [path.name for path in state_folder(log).iterdir() if path.name == "reserve"] == []


def test_a_damaged_log_is_left_and_the_session_has_a_log_of_its_own_that_names_it(
    three: tuple[list[Result], epochs.Signer, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, root, folder = three
    shutil.copytree(folder / "out" / "log", tmp_path / "log")
    shutil.copytree(folder / "keys", tmp_path / "keys")
    log = tmp_path / "log" / "record"
    damage(log, 2)
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

    async def run() -> None:
        async with station_bench(tmp_path, VirtualClock.running()) as bench:
            with pytest.raises(ConfigError, match="it holds from"):
                await bench.begin(order(bench))
            assert bench.written() == []

    run_virtual(run())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["log"]


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
    path = tmp_path / "station.toml"
    path.write_text(station_text("sim:reference") + 'log = "log"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="a log without keys"):
        station_file.load(str(path))


# one session of several


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main(["record", *map(str, arguments)])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def log(three: tuple[list[Result], epochs.Signer, Path]) -> Path:
    return three[2] / "out" / "log" / "record"


def procedure(three: tuple[list[Result], epochs.Signer, Path], number: int) -> str:
    return str(three[0][number - 1].document["procedure_id"])


def test_replay_decides_the_newest_session_again_and_each_other_one_that_is_asked_for(
    three: tuple[list[Result], epochs.Signer, Path], log: Path, command: Command
) -> None:
    found = {}
    for which in ("1", "2", procedure(three, 3), "all", None):
        done = command("replay", log, "--json", *(("--session", which) if which else ()))
        assert done.exit_code == 0, done
        found[which] = json.loads(done.out)
    assert found[None] == found[procedure(three, 3)]
    assert [found[which]["session"] for which in ("1", "2", "all", None)] == [1, 2, None, 3]
    assert found["all"]["decisions"] == sum(found[which]["decisions"] for which in ("1", "2", None))


def test_the_report_is_of_the_newest_session_or_of_the_one_that_is_asked_for(
    three: tuple[list[Result], epochs.Signer, Path], log: Path, command: Command, tmp_path: Path
) -> None:
    key = three[0][0].document["public_key"]
    for which, number in ((None, 3), ("1", 1), (procedure(three, 2), 2)):
        pdf = tmp_path / f"{number}.pdf"
        done = command("report", log, "--key", key, "--out", pdf, *(("--session", which) if which else ()))
        assert done.exit_code == 0, done
        text = words(pdf)
        assert procedure(three, number) in text
        assert f"--session {number}" in text
        assert all(procedure(three, other) not in text for other in {1, 2, 3} - {number})


def test_show_and_a_session_that_is_not_there(log: Path, command: Command) -> None:
    of_all, of_one = (command("show", log, *which).out.splitlines() for which in ((), ("--session", "2")))
    assert set(of_one) < set(of_all)
    assert sum(" session " in line for line in of_one) == 1
    for name in ("show", "replay", "export"):
        done = command(name, log, "--session", "4")
        assert done.exit_code == 2
        assert "has no session 4. The newest of its 3 sessions: 1 bench-" in done.err


# tables


def test_json_is_one_document_with_all_tables(
    three: tuple[list[Result], epochs.Signer, Path], log: Path, command: Command
) -> None:
    document = json.loads(command("export", log, "--session", "all").out)
    assert list(document) == ["format", *export.COLUMNS]
    assert [row["procedure_id"] for row in document["sessions"]] == [procedure(three, each) for each in (1, 2, 3)]
    assert [row["closed_utc"] is None for row in document["sessions"]] == [False, True, False]
    for name in ("events", "decisions", "samples"):
        assert {row["session"] for row in document[name]} == {1, 2, 3}
    for row in document["sessions"]:
        own = [sample for sample in document["samples"] if sample["session"] == row["session"]]
        assert {sample["channel"] for sample in own} == {1, 2}
        assert len(own) == 2 * row["readings"]
    hottest = max(sample["temperature_c"] for sample in document["samples"] if sample["session"] == 3)
    assert hottest == pytest.approx(three[0][2].document["sites"][0]["peak_temperature_c"], abs=0.2)
    assert [row["event"] for row in document["decisions"] if row["event"] == "Answered"]
    newest = json.loads(command("export", log).out)
    assert newest["samples"] == [sample for sample in document["samples"] if sample["session"] == 3]


def test_csv_has_the_same_rows_as_json(log: Path, command: Command, tmp_path: Path) -> None:
    document = json.loads(command("export", log, "--session", "all").out)
    done = command("export", log, "--session", "all", "--format", "csv", "--out", tmp_path / "tables")
    assert done.out.split() == [str(tmp_path / "tables" / f"{name}.csv") for name in export.COLUMNS]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == sorted(f"{n}.csv" for n in export.COLUMNS)
    for name, columns in export.COLUMNS.items():
        header, *rows = csv.reader(io.StringIO((tmp_path / "tables" / f"{name}.csv").read_text(), newline=""))
        assert tuple(header) == columns
        expected = [[cell(row[column]) for column in columns] for row in document[name]]
        assert rows == expected


def cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_rows_come_one_by_one_in_bounded_memory(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = Entry(seq=9, kind="note", t_ns=0, members={"text": "x" * 1000})

    def endless(path: Path, only: object) -> Iterator[Entry]:
        del path, only
        while True:
            yield note

    monkeypatch.setattr(export, "story", endless)
    tracemalloc.start()
    try:
        taken = sum(1 for _ in islice(export.rows(log), 5000))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken == 5000
    assert peak_bytes < 200_000


def test_what_a_spreadsheet_would_calculate_is_led_by_a_quote() -> None:
    assert [export._cell(each) for each in ("=1+1", "@x", "-1", -1.5, math.nan, "a=1", None, True)] == [
        "'=1+1", "'@x", "'-1", -1.5, "NaN", "a=1", None, "true",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--format", "parquet"), "--format parquet: tables for statistics programs are not made by this version"),
        (("--format", "fhir"), "--format fhir: resources for clinical systems are not made by this version"),
        (("--format", "csv"), "give a folder, --out FOLDER"),
        (("--out", "/dev/null/x"), "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_refused(log: Path, command: Command, arguments: tuple[str, ...], says: str) -> None:
    done = command("export", log, *arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert says in done.err
