"""``rfctl sim setups``: what a simulated generator can stand in."""

from __future__ import annotations

import click


@click.command(epilog="Example: rfctl sim setups --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def setups(as_json: bool) -> None:
    """List the shipped set-ups: electrodes, what they stand in, leads, pad and coolant.

    One is chosen by `rfctl sim serve --setup NAME`, or at the back door by POST /setup/NAME. A file of your own is
    given by its path, which ends in .toml.
    """
    import json

    from rfctl_sim import setups as shipped

    catalogue = shipped.catalogue()
    if as_json:
        found = [
            {"name": name, **setup.model_dump(mode="json"), "file": str(shipped.path_of(name))}
            for name, setup in catalogue.items()
        ]
        click.echo(json.dumps({"default": shipped.DEFAULT, "setups": found}))
        return
    wide = max(len(name) for name in catalogue)
    for name, setup in catalogue.items():
        click.echo(f"{name:{wide}}  {setup.title}{' (default)' if name == shipped.DEFAULT else ''}")
