"""rfctl record: verify, show, replay, report, export, migrate and retire."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rfctl.record.sessions import Session

PATH = click.argument("path", type=click.Path(path_type=Path))
SHOWN = 160
"""Characters of a payload that are shown to people."""
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
SESSION = click.option("--session", "which", help="Number of its epoch, or procedure_id; default the newest.")
SESSION_OR_ALL = click.option(
    "--session", "which", help="Number of its epoch, procedure_id, or all; default the newest."
)
LATER = {"parquet": "tables for statistics programs", "fhir": "resources for clinical systems"}


@click.group()
def record() -> None:
    """Verify, show or replay a record, make its report, or go on behind it, offline.

    Example: rfctl record verify log --key root.pub
    """


@record.command()
@PATH
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The root's public key file (.pub).")
@click.option("--head", multiple=True, type=click.Path(path_type=Path), help="Heads seen elsewhere; repeatable.")
@click.option("--witness", multiple=True, help="Verifier key of a witness, or a file with it; repeatable.")
@JSON
def verify(*, path: Path, key: Path, head: tuple[Path, ...], witness: tuple[str, ...], as_json: bool) -> None:
    """Say whether the record is as it was written: 0 only when it is VALID-*, else 1.

    PATH is the folder of a log, or a record of format 0. Without a head the verdict is at best VALID-UNANCHORED.

    Example: rfctl record verify log --key root.pub --head heads.txt
    """
    from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE
    from rfctl.record.verify import verify_files

    verdict = verify_files(path, key, heads=head, witnesses=witness)
    if as_json:
        click.echo(json.dumps({"path": str(path.resolve())} | verdict.as_json()))
    else:
        click.echo(str(verdict))
    sys.exit(EXIT_DONE if verdict.verdict.good else EXIT_BAD_VERDICT)


@record.command()
@PATH
@SESSION_OR_ALL
@JSON
def replay(*, path: Path, which: str | None, as_json: bool) -> None:
    """Decide a session again from its recorded events and compare each decision: 0 when all agree, else 1.

    A record that this version cannot decide again is not shown to agree: 1 as well, with the reason.

    Example: rfctl record replay record
    """
    from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE, RecordError
    from rfctl.record.replay import replay as replay_record

    members: dict[str, object] = {"path": str(path.resolve())}
    try:
        only = _session(path, which)
        members["session"] = only.epoch if only is not None else None
        replayed = replay_record(path, only=only)
    except RecordError as problem:
        if as_json:
            members |= dict.fromkeys(("decisions", "differences", "first_difference")) | {"error": str(problem)}
            click.echo(json.dumps(members))
        click.echo(f"rfctl: {problem}", err=True)
        sys.exit(EXIT_BAD_VERDICT)
    if as_json:
        members |= {
            "decisions": replayed.decisions,
            "differences": replayed.differences,
            "first_difference": replayed.first_difference or None,
            "error": None,
        }
        click.echo(json.dumps(members))
    elif replayed.differences:
        click.echo(f"{replayed.differences} of {replayed.decisions} decisions differ. {replayed.first_difference}")
    else:
        click.echo(f"{replayed.decisions} decisions, all the same again")
    sys.exit(EXIT_DONE if replayed.decisions and not replayed.differences else EXIT_BAD_VERDICT)


@record.command()
@PATH
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The public key file (.pub).")
@click.option("--out", type=click.Path(path_type=Path), help="The PDF; default report.pdf beside the record.")
@SESSION
@JSON
def report(*, path: Path, key: Path, out: Path | None, which: str | None, as_json: bool) -> None:
    """Make the PDF report of a session: 0 when the record is VALID-* and all decisions come out the same again, else 1.

    The same record gives the same bytes. A report of a record that does not hold says so in red on its first page.

    Example: rfctl record report record --key record.pub --out report.pdf
    """
    from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE
    from rfctl.report.report import write

    written = write(path, key, out, which)
    evidence = written.evidence
    if as_json:
        members = {
            "path": str(path.resolve()),
            "report": str(written.path),
            "verdict": str(evidence.verdict.verdict),
            "records": evidence.verdict.records,
            "decisions": evidence.replayed.decisions,
            "differences": evidence.replayed.differences,
        }
        click.echo(json.dumps(members))
    else:
        click.echo(str(written.path))
        for doubt in evidence.doubts:
            click.echo(f"rfctl: {doubt}", err=True)
    sys.exit(EXIT_DONE if evidence.good else EXIT_BAD_VERDICT)


@record.command()
@PATH
@click.option("--session", "which", help="Only this one: number of its epoch, or procedure_id.")
@JSON
def show(*, path: Path, which: str | None, as_json: bool) -> None:
    """Print every record in its order, one a line; readings stand in chunks and are counted. Nothing is verified.

    Example: rfctl record show record
    """
    from rfctl.record.reader import read_entries
    from rfctl.record.segments import entries
    from rfctl.record.values import text_of

    only = _session(path, which) if which is not None else None
    segments = only.segments if only is not None else None
    for entry in entries(path, segments) if path.is_dir() else read_entries(path):
        if as_json:
            members = entry._asdict() | {"t_ns": str(entry.t_ns), "mono_ns": str(entry.mono_ns)}
            click.echo(text_of(members))
        else:
            told = text_of(entry.members)
            told = told if len(told) <= SHOWN else f"{told[:SHOWN]}..."
            click.echo(f"{entry.seq:6} {entry.wall or entry.t_ns} {entry.kind:13} {entry.actor} {told}")


@record.command()
@PATH
@click.option("--format", "form", type=click.Choice(["json", "csv", *LATER]), default="json", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="File for json, else standard output; folder for csv.")
@SESSION_OR_ALL
def export(*, path: Path, form: str, out: Path | None, which: str | None) -> None:
    """Write sessions, events, decisions and samples as tables for other programs. Nothing is verified: verify first.

    json is one document with a list for each table, csv a folder with a file for each. Columns carry their units in
    their names. Decisions that only renew a lease or a permit are left out of the decisions.

    Example: rfctl record export record --format csv --out tables/
    """
    from rfctl.errors import ConfigError
    from rfctl.record import export as tables

    if form in LATER:
        raise ConfigError(
            f"--format {form}: {LATER[form]} are not made by this version", remedy="Use --format csv or json."
        )
    if form == "csv" and out is None:
        raise click.UsageError("csv is one file for each table: give a folder, --out FOLDER")
    only = _session(path, which)
    if form == "csv" and out is not None:
        for file in tables.write_csv(path, only, out):
            click.echo(str(file))
    elif out is None:
        tables.write_json(path, only, sys.stdout)
    else:
        tables.write_json_file(path, only, out)
        click.echo(str(out))


@record.command()
@PATH
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The public key file of the old record.")
@click.option("--epochs", type=click.Path(path_type=Path), help="Folder of keys for the new log (rfctl keys epoch).")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the new log comes to lie.")
@JSON
def migrate(*, path: Path, key: Path, epochs: Path | None, out: Path, as_json: bool) -> None:
    """Begin a new log behind a record of format 0, or behind a log that a station refuses to go on with.

    The new log says what was before it: origin, verdict and hash. The old record stays as it is, keep both. Without
    --epochs a root is made for the new log and thrown away.

    Example: rfctl record migrate record.jsonl --key record.pub --epochs station-keys/ --out log
    """
    import asyncio

    from rfctl.clock import RealClock
    from rfctl.record import continuing, keys
    from rfctl.record.epochs import write_public_key
    from rfctl.record.opening import ThrowAway
    from rfctl.record.prepared import Prepared

    old_key = keys.load_public_key(key)
    station = continuing.header_of(path)["station"]
    log_keys = ThrowAway(station) if epochs is None else Prepared.of(epochs)
    before = asyncio.run(continuing.continue_in(out, path, old_key, keys=log_keys, clock=RealClock()))
    public = out.with_name(f"{out.name}.pub")
    write_public_key(public, log_keys.public)
    if as_json:
        click.echo(json.dumps({"record": str(out.resolve()), "public_key": str(public.resolve()), "continues": before}))
    else:
        click.echo(f"before      {path}: {before['verdict']}, {before['records']} records")
        click.echo(f"record      {out}")
        click.echo(f"public key  {public}")


@record.command()
@PATH
@click.option("--epochs", required=True, type=click.Path(path_type=Path), help="The station's folder of keys.")
@click.option("--keep-days", required=True, type=click.IntRange(1, 36_500), help="How much of the log is kept.")
@JSON
def retire(*, path: Path, epochs: Path, keep_days: int, as_json: bool) -> None:
    """Delete whole old segments of a log. The log says so, signed, and what is left verifies; give copies away first.

    Example: rfctl record retire log --epochs station-keys/ --keep-days 3650
    """
    import asyncio
    from datetime import timedelta

    from rfctl.clock import RealClock
    from rfctl.record import continuing, retention
    from rfctl.record.prepared import Prepared

    keys, clock = Prepared.of(epochs), RealClock()
    since, header = clock.utc() - timedelta(days=keep_days), continuing.header_of(path)
    first = asyncio.run(retention.retire(path, since, keys=keys, clock=clock, header=header))
    if as_json:
        click.echo(json.dumps({"record": str(path.resolve()), "first_segment": first, "since": since.isoformat()}))
    else:
        click.echo(f"{path} begins with segment {first}")


def _session(path: Path, which: str | None) -> Session | None:
    """The session that is asked for; None for all, and for a record of format 0, which has one."""
    from rfctl.errors import ConfigError
    from rfctl.record.sessions import ALL, chosen

    if path.is_dir():
        return None if which == ALL else chosen(path, which)
    if which not in {None, ALL}:
        raise ConfigError("a record of format 0 has one session", where=str(path), remedy="Leave --session out.")
    return None
