"""rfctl check generator: whether a generator is what its profile says, and which line of the profile is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rfctl.cli.password import PASSWORD_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl.accounts.deeds import Done
    from rfctl.check.findings import Finding
    from rfctl.check.run import Report
    from rfctl.profile.any_profile import AnyProfile
    from rfctl.station.station_file import Station


@click.group()
def check() -> None:
    """Check that things are what their descriptions say.

    Example: rfctl check generator --station demo
    """


@check.command()
@click.option("--station", "station_name", required=True, help="Station file, or the name of a shipped one.")
@click.option("--energise", is_flag=True, help="Turn outputs on, too: needs a load, a phantom or a simulator.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JUnit XML, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where the record of --energise goes.")
@click.option("--operator", "operator_name", help="Who begins --energise; default the user's name.")
@PASSWORD_FILE
def generator(
    *,
    station_name: str,
    energise: bool,
    junit: Path | None,
    as_json: bool,
    out: Path | None,
    operator_name: str | None,
    password_file: Path | None,
) -> None:
    """Check a generator against its profile.

    Reads and writes through the same link and gate as a procedure. Without --energise nothing is turned on and no
    permit exists that could: identity, probes, word order, every quantity, clocks, time to answer, set points held,
    refusals noticed, off. With --energise also stimulation at amplitude 0 until its lease runs out, and 1.5 s of RF
    with at most 2 W: lease, arm, fire, meters against each other, off while on, tokens.

    A model or firmware that [[known]] of the profile does not list fails, and nothing is turned on: once all else has
    passed on a load, add it there.

    What fails names the line of the profile that may be wrong. Exit code 0: everything passed; 1: something failed.

    Example: rfctl check generator --station demo --energise
    """
    import getpass
    import json
    from dataclasses import asdict

    from rfctl.cli.login import began, log_in
    from rfctl.errors import EXIT_BAD_VERDICT, EXIT_DONE, ConfigError
    from rfctl.profile import any_profile
    from rfctl.station import station_file

    station = station_file.load(station_name)
    generator_profile = any_profile.load(station.profile, relative_to=station.folder)
    if junit is not None and not junit.resolve().parent.is_dir():
        raise ConfigError("no such folder", where=str(junit.resolve().parent), remedy="Make it, or write elsewhere.")
    acts: tuple[Done, ...] = ()
    if energise:
        station_file.require_layers(station)
        station_file.require_accounts(station)
        login = log_in(station, operator_name or getpass.getuser(), password_file)
        acts = began(login, "check generator --energise")
    report = _run(station, generator_profile, energise=energise, out=out or station.record_folder, acts=acts)
    if junit is not None:
        from rfctl.check import junit as xml

        junit.write_text(xml.document(report.findings, station=station.id), encoding="utf-8")
    if as_json:
        document = {
            "station": station.id,
            "backend": "simulated" if station.simulated else "device",
            "medium": str(station.medium),
            "profile": str(generator_profile.path.resolve()),
            "verdict": "fail" if report.failed else "pass",
            "checks": [asdict(finding) for finding in report.findings],
            "record": str(report.record) if report.record else None,
        }
        click.echo(json.dumps(document, allow_nan=False))
    else:
        _show(station, generator_profile, report)
    sys.exit(EXIT_BAD_VERDICT if report.failed else EXIT_DONE)


def _run(station: Station, profile: AnyProfile, *, energise: bool, out: Path, acts: tuple[Done, ...]) -> Report:
    """On the clock that the station's generator lives in."""
    import asyncio

    from rfctl.check.run import run
    from rfctl.clock import RealClock
    from rfctl.virtual import VirtualClock, run_virtual

    if station.in_process:

        async def on_virtual_clock() -> Report:
            return await run(station, profile, VirtualClock.running(), energise=energise, out=out, acts=acts)

        return run_virtual(on_virtual_clock())
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(run(station, profile, RealClock(), energise=energise, out=out, acts=acts))


def _show(station: Station, profile: AnyProfile, report: Report) -> None:
    banner = "SIMULATED, " if station.simulated else ""
    click.echo(f"{banner}station {station.id}, medium {station.medium}, profile {profile.path}")
    click.echo()
    for line in _table(report.findings):
        click.echo(line)
    click.echo()
    counts = {
        verdict: sum(str(f.verdict) == verdict for f in report.findings) for verdict in ("pass", "fail", "not run")
    }
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if report.record:
        click.echo(f"record      {report.record}")
    failed = [finding for finding in report.findings if finding.places]
    if failed:
        click.echo("Lines of the profile to look at, the likeliest first:")
        for finding in failed:
            for place, line in zip(finding.places, finding.lines, strict=True):
                click.echo(f"  {place}: {line}    ({finding.check})")


def _table(findings: Sequence[Finding]) -> list[str]:
    rows = [("check", "verdict", "seen", "expected")]
    rows += [(f.check, str(f.verdict), f.seen, f.expected) for f in findings]
    widths = [min(60, max(len(row[column]) for row in rows)) for column in range(3)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[3]]).rstrip())
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
