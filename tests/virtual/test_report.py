"""Reports of sessions that really ran: complete, tripped, stopped, refused, cut short, changed afterwards."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rfctl.cli.main import main
from rfctl.cli.session_report import add_report
from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE, EXIT_USAGE
from rfctl.model.shipped import find
from rfctl.record import keys
from rfctl.record.body import framed
from rfctl.record.notes import decode64
from rfctl.record.segments import entries
from rfctl.report.contents import STATEMENT, contents
from rfctl.report.evidence import gather
from rfctl.report.plot import LABEL_GAP_MM, MARKER_GAP_MM, WIDTH_MM
from rfctl.report.report import render, write
from rfctl.virtual import VirtualClock, run_virtual
from tests.log_tools import bodies, copied, segment, signed_anew
from tests.report_text import pages, words
from tests.station_bench import answers_text, plan_text, station_bench, station_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.station.session import Result
    from tests.station_bench import Bench

MARKUP = '#panic("x") $x^2$ *bold* _it_ @ref [c] <label> \\ `raw` // = #{1}'


class Ended(NamedTuple):
    """A session that is over."""

    record: Path
    key: Path
    document: dict[str, Any]


async def _session(folder: Path, act: Callable[[Bench], None] | None, texts: dict[str, str]) -> Result:
    async with station_bench(folder, VirtualClock.running()) as bench:
        task = bench.begin(bench.order(**texts))
        if act is not None:
            await bench.in_hold(for_s=8.0)
            act(bench)
        return await task


def session(folder: Path, act: Callable[[Bench], None] | None = None, **texts: str) -> Ended:
    """Run one to its end; ``act`` is done in mid-hold."""
    document = run_virtual(_session(folder, act, texts)).document
    return Ended(Path(document["record"]), Path(document["public_key"]), document)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Two sites with every check, as the demonstration has them."""
    plan, answers = (find("plans", name).read_text(encoding="utf-8") for name in ("demo", "demo-answers"))
    return session(tmp_path_factory.mktemp("complete"), plan=plan, script=answers)


@pytest.fixture(scope="module")
def tripped(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The impedance rose to 5000 ohm in mid-hold."""
    folder = tmp_path_factory.mktemp("tripped")
    return session(folder, lambda bench: bench.simulator.faults.start("impedance", channel=1, ohm=5000.0) and None)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One lesion without checks."""
    return session(tmp_path_factory.mktemp("plain"), plan=plan_text(hold_s=5))


@pytest.fixture(scope="module")
def plain_contents(plain: Ended) -> dict[str, Any]:
    """What the template is given of it."""
    key = keys.load_public_key(plain.key)
    return contents(gather(plain.record, key), plain.record, plain.key, key)


def copy(ended: Ended, folder: Path) -> Ended:
    """The record and its key in another folder, to be changed there."""
    record = copied(ended.record, folder)
    return Ended(record, record.with_suffix(".pub"), ended.document)


def command(*arguments: object) -> int:
    """Exit code of rfctl."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


# a complete procedure


def test_a_report_says_what_the_document_says(complete: Ended, tmp_path: Path):
    pdf = write(complete.record, complete.key, tmp_path / "report.pdf").path
    assert pdf.read_bytes().startswith(b"%PDF-")
    each = pages(pdf)
    document = complete.document
    for value in (document["plan"], document["procedure_id"], document["software"], "SIM-00000001", "bench"):
        assert value in each[0]
    assert "Outcome: complete. Delivered as planned." in each[0]
    for site, page in zip(document["sites"], each[1:], strict=False):
        assert f"{site['site']}, channel {site['channel']}" in page
        for quantity in (
            f"{site['peak_temperature_c']:.1f} degC",
            f"{site['mean_hold_temperature_c']:.1f} degC",
            f"{site['seconds_within_2c']:.1f} of {site['hold_s']:g} s",
            f"{site['overshoot_c']:.1f} K",
            f"{site['ramp_s']:.1f} s from",
            f"{site['energy_j']:.1f} J",
            f"{site['generator_energy_j']:.1f} J",
            f"{site['impedance_start_ohm']:.1f} ohm",
            f"counted from {site['timer_definition']}",
            f"felt at {site['sensory_threshold_v']:.1f} V, 50 Hz, 1 ms",
            f"no limb or radicular response to {site['motor_negative_to_v']:.1f} V, 2 Hz, 1 ms",
            "18 G, active tip 10 mm",
            "lidocaine 2 %, 0.5 mL, 60 s waited",
            site["end_reason"],
        ):
            assert quantity in page


def test_it_names_the_record_its_head_its_verdict_and_how_to_check_both(complete: Ended, tmp_path: Path):
    last = words(write(complete.record, complete.key, tmp_path / "report.pdf").path)
    *_, checkpoint = entries(complete.record)
    text = decode64(str(checkpoint.members["note"])).decode("utf-8").split("\n")
    assert f"{decode64(text[2]).hex()} over {text[1]}" in last
    assert text[1] == str(checkpoint.seq)
    assert "VALID-UNANCHORED: every record is as signed" in last
    assert "all the same again" in last
    assert "rfctl record verify record --key record.pub" in last
    assert keys.load_public_key(complete.key).raw.hex() in last


def test_its_head_is_printed_as_text_and_as_a_code_that_a_camera_reads(complete: Ended, tmp_path: Path):
    pdf = write(complete.record, complete.key, tmp_path / "report.pdf").path
    last = json.loads([*bodies(max(complete.record.glob("*.seg")).read_bytes())][-1])
    origin, size, root, *_ = decode64(last["payload"]["note"]).decode("utf-8").split("\n")
    line = f"{origin} {size} {decode64(root).hex()[:16]}"
    assert line in pages(pdf)[0]
    for dots_per_inch in ("100", "300"):
        picture = tmp_path / dots_per_inch
        subprocess.run(
            ["pdftoppm", "-f", "1", "-l", "1", "-singlefile", "-r", dots_per_inch, "-png", pdf, picture], check=True
        )
        read = subprocess.run(
            ["zbarimg", "--quiet", "--raw", f"{picture}.png"], check=True, capture_output=True, text=True
        )
        assert read.stdout == f"{line}\n"


def test_the_head_of_a_long_origin_can_be_copied_whole(plain_contents: dict[str, Any], tmp_path: Path):
    line = "rfctl/operating-theatre-2-3f1c0000-0000-4000-8000-000000000001 12345 0123456789abcdef"
    (tmp_path / "report.pdf").write_bytes(render(plain_contents | {"head": line}))
    assert line in pages(tmp_path / "report.pdf")[0]


def test_simulated_stands_on_every_page(complete: Ended, tmp_path: Path):
    each = pages(write(complete.record, complete.key, tmp_path / "report.pdf").path)
    assert len(each) == 4
    assert all(page.count("SIMULATED") >= 2 for page in each)


def test_the_same_record_gives_the_same_bytes_wherever_it_lies(plain: Ended, tmp_path: Path):
    first = write(plain.record, plain.key, tmp_path / "one.pdf").path.read_bytes()
    moved = copy(plain, tmp_path)
    assert write(moved.record, moved.key).path.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.pdf", "record", "record.pub", "report.pdf"]


def test_it_claims_nothing_that_the_field_does_not_say(complete: Ended, tripped: Ended, tmp_path: Path):
    for ended in (complete, tripped):
        text = words(write(ended.record, ended.key, tmp_path / "report.pdf").path).lower()
        assert not [claim for claim in ("safe", "passed", "successful", "lesion size") if claim in text]


def test_what_rfctl_is_stands_there_as_in_the_documentation():
    page = " ".join((Path(__file__).parents[2] / "docs" / "safety.md").read_text(encoding="utf-8").split())
    for sentence in STATEMENT[0].split(". ")[:2]:
        assert sentence in page


def test_what_is_drawn_lies_on_the_paper_and_its_words_stand_apart(complete: Ended, tripped: Ended):
    for ended in (complete, tripped):
        key = keys.load_public_key(ended.key)
        for site in contents(gather(ended.record, key), ended.record, ended.key, key)["sites"]:
            for lesion in site["lesions"]:
                drawing = lesion["drawing"]
                for curve, _ in drawing["curves"]:
                    assert all(0.0 <= x <= WIDTH_MM and 0.0 <= y <= drawing["height_mm"] for x, y in curve)
                labels = sorted(y for _, y, _, style, _ in drawing["words"] if style == "label")
                markers = sorted(x for x, _, _, _ in drawing["markers"])
                assert all(after - before >= LABEL_GAP_MM - 0.02 for before, after in pairwise(labels))
                assert all(after - before >= MARKER_GAP_MM - 0.02 for before, after in pairwise(markers))


# other endings


def test_a_trip_is_told_with_its_numbers_and_the_lesion_as_it_was_until_then(tripped: Ended, tmp_path: Path):
    first, site, *_ = pages(write(tripped.record, tripped.key, tmp_path / "report.pdf").path)
    (trip,) = tripped.document["trips"]
    (treated,) = tripped.document["sites"]
    assert "Outcome: stopped." in first
    for value in (trip["code"], trip["hazard"], f"{trip['measured']:.0f} ohm", "1200 ohm", trip["text"]):
        assert value in first
    assert f"TRIP: {trip['text']}" in site
    assert f"{treated['seconds_within_2c']:.1f} of 20 s" in site
    assert "not performed: bench" in site


def test_a_stop_is_told_with_who_stopped(tmp_path: Path):
    stopped = session(tmp_path, lambda bench: bench.started[-1].get_loop().call_soon(_raise_sigint) and None)
    text = words(write(stopped.record, stopped.key).path)
    assert "Outcome: stopped. Stopped by SIGINT. Every output was verified off by measurement." in text
    assert "STOP: stopped by SIGINT" in text


def _raise_sigint() -> None:
    import signal

    signal.raise_signal(signal.SIGINT)


def test_a_session_that_never_reached_a_procedure_has_a_report_with_the_reason(tmp_path: Path):
    refused = session(tmp_path, station=station_text("tcp:127.0.0.1:1"))
    text = words(write(refused.record, refused.key).path)
    assert "No procedure took place" in text
    assert "127.0.0.1:1" in text


def test_sites_that_were_not_begun_are_named(tmp_path: Path):
    declined = session(tmp_path, script=answers_text(checklist="decline"))
    text = words(write(declined.record, declined.key).path)
    assert "Outcome: refused. The checklist was not confirmed." in text
    assert "not begun" in text


def test_a_record_that_was_not_closed_says_where_it_ends_and_what_is_not_known(plain: Ended, tmp_path: Path):
    cut = copy(plain, tmp_path)
    path = segment(cut.record)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert command("record", "report", cut.record, "--key", cut.key) == EXIT_BAD_VERDICT
    text = words(cut.record.with_name("report.pdf"))
    assert "UNCLEAN END" in text
    assert "not known: the record ends here" in text
    assert ", not closed" in text


def test_a_changed_record_says_so_before_anything_else(plain: Ended, tmp_path: Path):
    changed = copy(plain, tmp_path)
    path = segment(changed.record)
    altered = [body.replace(b"bench script", b"some body el", 1) for body in bodies(path.read_bytes())]
    path.write_bytes(b"".join(framed(body) for body in altered))
    assert command("record", "report", changed.record, "--key", changed.key) == EXIT_BAD_VERDICT
    first = pages(changed.record.with_name("report.pdf"))[0]
    assert first.index("MODIFIED: the record is not as it was signed") < first.index("Outcome")


def test_a_record_that_decides_otherwise_now_says_so(plain: Ended, tmp_path: Path):
    other = copy(plain, tmp_path)
    signed_anew(other.record, lambda body: body.replace(b'["Fire",1,', b'["Fire",2,'))
    assert command("record", "report", other.record, "--key", other.key) == EXIT_BAD_VERDICT
    first = pages(other.record.with_name("report.pdf"))[0]
    assert "REPLAY DIFFERS: 1 of" in first
    assert '["Fire", 1,' in first
    assert "MODIFIED" not in first


def test_a_device_is_not_called_simulated_and_an_unclean_end_before_is_told(plain: Ended, tmp_path: Path):
    key = keys.load_public_key(plain.key)
    evidence = gather(plain.record, key)
    before = {"record": "/records/demo-yesterday/record", "verdict": "UNCLEAN-END", "records": 7}
    header = {**evidence.header, "backend": "device", "previous_record_unclean": before}
    data = contents(replace(evidence, header=header), plain.record, plain.key, key)
    (tmp_path / "device.pdf").write_bytes(render(data))
    text = words(tmp_path / "device.pdf")
    assert "DEVICE" in text
    assert "SIMULATED" not in text
    assert "simulated" not in text
    assert "demo-yesterday: ended without a seal (UNCLEAN-END)" in text


# names and files


def test_names_are_printed_as_they_are_and_never_obeyed(tmp_path: Path):
    plan = plan_text(hold_s=5).replace('name = "bench"', f"name = '{MARKUP}'").replace("electrode stands", MARKUP, 1)
    plan = plan.replace('"' + MARKUP, "'" + MARKUP).replace('in the simulator"', "in the simulator'")
    script = answers_text().replace('name = "bench"', f"name = '{MARKUP}'")
    named = session(tmp_path, plan=plan, script=script)
    text = words(write(named.record, named.key).path)
    assert f"{MARKUP}, channel 1" in text
    assert f"{MARKUP} in the simulator" in text


@pytest.mark.parametrize("sign", [*"#$*@[]<>\\_`=-+/~'\"{}&%^|", "//", "/*", "```", "#let", "\\u{41}"])
def test_no_sign_of_the_markup_language_means_anything(plain_contents: dict[str, Any], tmp_path: Path, sign: str):
    name = f"{sign}left{sign}1 right{sign}x"
    (tmp_path / "named.pdf").write_bytes(render(plain_contents | {"title": name}))
    assert name in pages(tmp_path / "named.pdf")[0]


def test_a_character_without_a_shape_is_printed_as_its_code(plain_contents: dict[str, Any], tmp_path: Path):
    (tmp_path / "named.pdf").write_bytes(render(plain_contents | {"title": "left\u202ethgir\x00\ud800"}))
    assert "left\\u202ethgir\\u0000\\ud800" in pages(tmp_path / "named.pdf")[0]


def test_the_command_tells_where_the_report_is(plain: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "made.pdf"
    assert command("record", "report", plain.record, "--key", plain.key, "--out", out, "--json") == EXIT_DONE
    members = json.loads(capsys.readouterr().out)
    assert members["report"] == str(out)
    assert members["verdict"] == "VALID-UNANCHORED"
    assert (members["differences"], members["decisions"] > 100) == (0, True)
    assert out.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\n", b'{"seq":0}\n', b"\x00" * 100, b'{"a":1}'])
def test_what_is_no_record_is_refused(plain: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes):
    (tmp_path / "other").write_bytes(content)
    assert command("record", "report", tmp_path / "other", "--key", plain.key) == EXIT_USAGE
    assert "is no record" in capsys.readouterr().err
    assert not (tmp_path / "report.pdf").exists()


def test_a_report_that_cannot_be_stored_leaves_nothing_behind(
    plain: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "folder.pdf"
    out.mkdir()
    assert command("record", "report", plain.record, "--key", plain.key, "--out", out) == EXIT_USAGE
    assert str(out) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["folder.pdf"]


def test_a_session_has_its_report_beside_its_record(plain: Ended):
    document = dict(plain.document)
    add_report(document)
    assert document["report"] == str(plain.record.with_name("report.pdf"))


def test_a_report_that_fails_is_said_and_changes_nothing_else(
    plain: Ended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    document = plain.document | {"record": str(tmp_path / "gone.jsonl")}
    before = dict(document)
    add_report(document)
    assert document == before
    assert document["report"] is None
    assert "there is no report" in capsys.readouterr().err
