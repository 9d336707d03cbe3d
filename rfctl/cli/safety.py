"""`rfctl safety`: how each hazard is controlled, and how that was proved."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rfctl.errors import ConfigError


@click.group()
def safety() -> None:
    """How each hazard is controlled, and how that was proved.

    Example: rfctl safety matrix --json
    """


@safety.command()
@click.option("--tree", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".", show_default=True,
              help="The checkout that the results are about.")  # fmt: skip
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the results [default: TREE/build/results].")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the matrix as a page, too.")
@click.option("--brief", is_flag=True, help="Print only what is missing, and the sum.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def matrix(tree: Path, results: Path | None, html: Path | None, *, brief: bool, as_json: bool) -> None:
    """Hazard, control, requirement, test, result: from the results of `make test`.

    Exit code 0 when every hazard is proved, a statement, or belongs to a mode that is refused; 1 when one has a hole,
    a test failed, or the tree has changed since the tests ran.

    Example: rfctl safety matrix --html matrix.html
    """
    from rfctl.safety.hazards import catalogue
    from rfctl.safety.matrix import build
    from rfctl.safety.page import as_html, as_text
    from rfctl.safety.results import read_runs
    from rfctl.safety.tree import tree_hash

    try:
        tree_now = tree_hash(tree)
    except FileNotFoundError as missing:
        raise ConfigError(
            f"is no checkout of rfctl: {missing} is not there",
            where=str(tree),
            remedy="Run it in a checkout, or name one with --tree.",
        ) from None
    table = build(catalogue(), read_runs(results or tree / "build" / "results"), tree_now)
    if html:
        html.write_text(as_html(table), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(table.document()))
    else:
        click.echo(as_text(table, brief=brief))
    if not table.good:
        raise click.exceptions.Exit(1)


@safety.command()
@click.option("--edges", type=click.IntRange(min=1), help="So many decisions at most [default: 800,000].")
@click.option("--seconds", type=click.FloatRange(min=0.0, min_open=True), help="So long at most, s [default: 120].")
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), help="Folder for counter-examples.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explore(edges: int | None, seconds: float | None, save: Path | None, *, as_json: bool) -> None:
    """Everything that may happen, in every state that short procedures lead to, on the real kernel and the real guard.

    Checks the invariants I1 to I8 on every decision, and that phases, questions and interlocks were all reached. Exit
    code 0 when none was broken and every goal was reached; 1 otherwise.

    Example: rfctl safety explore --json
    """
    from rfctl.safety import counterexample
    from rfctl.safety.explore import EDGES, SECONDS, explore

    found = explore(edges=edges or EDGES, seconds=seconds or SECONDS)
    for number, violation in enumerate(found.violations, start=1):
        if save:
            save.mkdir(parents=True, exist_ok=True)
            (save / f"{number}.json").write_text(counterexample.as_text(violation), encoding="utf-8")
    click.echo(json.dumps(found.document()) if as_json else found.text())
    if found.violations or found.goals.missing:
        raise click.exceptions.Exit(1)
