"""``rfctl sim faults``: what can go wrong with a simulated generator."""

from __future__ import annotations

import click


@click.command(epilog="Example: rfctl sim faults thermocouple_open")
@click.argument("name", required=False)
@click.option("--hazard", metavar="HZ-NN", help="Only what produces this hazard.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def faults(name: str | None, hazard: str | None, as_json: bool) -> None:
    """List the faults that can be injected, or tell all about the one of this NAME.

    One is started at the back door by a POST to /faults of {"start": NAME, "channel": 1, ...} with its parameters and
    with when it begins and how long it lasts, and ended by {"clear": NAME}. Files of faults, the shipped ones by name,
    are started by `rfctl sim serve --faults NAME|FILE`: entries [[fault]] with the same keys.
    """
    import json

    from rfctl_sim import fault_files
    from rfctl_sim.catalogue.hazards import checked
    from rfctl_sim.catalogue.table import CATALOGUE, kind_of
    from rfctl_sim.catalogue.timing import DURATION, ONSET

    rows = [kind_of(name)] if name is not None else list(CATALOGUE.values())
    if hazard is not None:
        rows = [row for row in rows if checked(hazard) in row.hazards]
    files = fault_files.catalogue()
    if as_json:
        document = {
            "faults": [row.as_json() for row in rows],
            "onset": {key: kind.as_json() for key, kind in ONSET.items()},
            "duration": {key: kind.as_json() for key, kind in DURATION.items()},
            "files": [{"name": each, "title": file.title, "file": str(file.path)} for each, file in files.items()],
        }
        click.echo(json.dumps(document))
        return
    wide = max((len(row.name) for row in rows), default=0)
    for scope in dict.fromkeys(row.scope for row in rows):
        click.echo(f"{scope}:")
        for row in [row for row in rows if row.scope is scope]:
            click.echo(f"  {row.name:{wide}}  {row.description} {', '.join(row.hazards)}")
            for key, kind in row.parameters.items():
                click.echo(f"  {'':{wide}}  {key} = {kind.described}")
    if name is None and hazard is None:
        click.echo(f"Each begins at once, or by {', '.join(ONSET)}.")
        click.echo(f"It lasts until it is cleared, or by {', '.join(DURATION)}.")
        click.echo("Files, for rfctl sim serve --faults NAME:")
        for each, file in files.items():
            click.echo(f"  {each:{wide}}  {file.title}")
