"""``rfctl sim lesion``: the physics of one lesion, without generator and firmware."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rfctl.errors import ConfigError

if TYPE_CHECKING:
    from rfctl_sim.field.lesion import Heating, Lesion

SUFFIXES = (".png", ".svg")

# Lowest, highest, unit and what governs it. Beyond these nothing is known, or nobody may go.
BOUNDS: dict[str, tuple[float, float, str, str]] = {
    "--tip-mm": (2.0, 15.0, "mm", "the active tips of the electrode table"),
    "--set-c": (42.0, 90.0, "degC", "the limits of a lesion"),
    "--hold-s": (0.0, 600.0, "s", "the limits of a lesion"),
    "--ramp-s": (1.0, 120.0, "s", "what a regulator can follow, and a lesion can wait for"),
    "--start-c": (15.0, 45.0, "degC", "the limits of the baseline"),
    "--perfusion": (0.0, 0.0035, "1/s", "what is published of tissue"),
}

EPILOG = """\b
Example: rfctl sim lesion --gauge 18 --tip-mm 10 --set-c 80 --hold-s 90
         rfctl sim lesion --gauge 20 --tip-mm 5 --set-c 80 --hold-s 120 --start-c 22 --json
         rfctl sim lesion --gauge 18 --tip-mm 10 --set-c 80 --hold-s 90 --plot lesion.svg
"""


@click.command(epilog=EPILOG)
@click.option("--gauge", type=int, required=True, help="Of the cannula: 16, 17, 18, 20, 22 or 23.")
@click.option("--tip-mm", type=float, required=True, help="Active tip, its hemispherical end included: 2 to 15.")
@click.option("--set-c", type=float, required=True, help="Set temperature at the thermocouple, degC: 42 to 90.")
@click.option("--hold-s", type=float, required=True, help="From set temperature reached, s: 0 to 600.")
@click.option(
    "--ramp-s", type=float, default=10.0, show_default=True, help="From start to set temperature, s: 1 to 120."
)
@click.option(
    "--start-c", type=float, default=37.0, show_default=True, help="Of all tissue at the start (T0), degC: 15 to 45."
)
@click.option(
    "--perfusion",
    type=float,
    default=0.0,
    show_default=True,
    help="Blood flow at rest, 1/s: 0 to 0.0035; it rises where tissue is warm and ends where it is coagulated.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE", help="Draw temperature and isotherms: .png or .svg."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def lesion(plot: Path | None, as_json: bool, **asked: float) -> None:
    """Compute one lesion: size, power, impedance and energy of ramp and hold under ideal regulation.

    The thermocouple, on the axis 1 mm behind the tip's end, follows ramp and set temperature exactly. Sizes are
    those of the tissue that has been above 50, 55 and 60 degC, and that is denatured by Arrhenius, at RF off: width
    across the needle, length along it. Power, voltage and impedance are the tissue's at the last instant before
    RF off; leads and pad are not part of it. Tissue near 100 degC boils.
    """
    _check(asked, plot)

    from rfctl.clock import wall_ns
    from rfctl_sim.field.lesion import Heating, make_lesion

    heating = Heating(**asked)  # type: ignore[arg-type]
    begun_ns = wall_ns()
    made = make_lesion(heating)
    wall_s = (wall_ns() - begun_ns) * 1e-9
    if plot is not None:
        from rfctl_sim.lesion_picture import draw

        try:
            draw(heating, made, plot)
        except OSError as problem:
            raise ConfigError(f"cannot write: {problem.strerror}", where=f"--plot {plot}") from problem
    document = _document(heating, made, wall_s, plot)
    if as_json:
        import json

        click.echo(json.dumps(document))
        return
    _show(heating, made, document)


def _check(asked: dict[str, float], plot: Path | None) -> None:
    """Refuse what the model does not hold for.

    Raises:
        ConfigError: A value out of its bounds, or a file that cannot be a picture.
    """
    from rfctl_sim.field.matter import OUTER_DIAMETER_MM

    if asked["gauge"] not in OUTER_DIAMETER_MM:
        known = ", ".join(map(str, OUTER_DIAMETER_MM))
        raise ConfigError(f"no cannula of {asked['gauge']} G is known", where="--gauge", remedy=f"Known are {known}")
    for option, (low, high, unit, governs) in BOUNDS.items():
        value = asked[option.removeprefix("--").replace("-", "_")]
        if not (isfinite(value) and low <= value <= high):
            raise ConfigError(
                f"{value:g} {unit} is outside {low:g} to {high:g} {unit}, {governs}",
                where=option,
                remedy=f"Give {low:g} to {high:g}",
            )
    if asked["set_c"] <= asked["start_c"]:
        raise ConfigError(
            f"the start, {asked['start_c']:g} degC, is not below the set temperature, {asked['set_c']:g} degC",
            where="--start-c",
            remedy="Start lower or set more",
        )
    if plot is not None:
        if plot.suffix.lower() not in SUFFIXES:
            raise ConfigError(
                f"no picture is of the kind {plot.suffix or 'without suffix'!r}",
                where=f"--plot {plot}",
                remedy=f"End the name in {' or '.join(SUFFIXES)}",
            )
        if not plot.absolute().parent.is_dir():
            raise ConfigError(
                f"there is no folder {plot.absolute().parent}", where=f"--plot {plot}", remedy="Make it first"
            )


def _document(heating: Heating, made: Lesion, wall_s: float, plot: Path | None) -> dict[str, Any]:
    energy = made.field.energy
    return {
        "gauge": heating.gauge,
        "tip_mm": heating.tip_mm,
        "set_c": heating.set_c,
        "hold_s": heating.hold_s,
        "ramp_s": heating.ramp_s,
        "start_c": heating.start_c,
        "perfusion_per_s": heating.perfusion,
        "width_mm": made.width_mm,
        "length_mm": made.length_mm,
        "power_w": made.power_w,
        "peak_power_w": made.peak_power_w,
        "voltage_v_rms": made.voltage_v_rms,
        "impedance_ohm": made.impedance_ohm,
        "impedance_start_ohm": made.impedance_start_ohm,
        "tissue_max_c": made.tissue_max_c,
        "energy_j": energy.delivered,
        "energy_stored_j": made.field.stored_j,
        "energy_boundary_j": energy.boundary,
        "energy_perfused_j": energy.perfused,
        "simulated_s": made.simulated_s,
        "wall_s": wall_s,
        "plot": None if plot is None else str(plot.absolute()),
    }


def _show(heating: Heating, made: Lesion, document: dict[str, Any]) -> None:
    click.echo(
        f"{heating.gauge} G, {heating.tip_mm:g} mm, {heating.set_c:g} degC for {heating.hold_s:g} s after a ramp of "
        f"{heating.ramp_s:g} s, from T0 {heating.start_c:g} degC (simulated)"
    )
    for edge in made.width_mm:
        name = "denatured by Arrhenius" if edge == "arrhenius" else f"above {edge} degC"
        click.echo(f"  {name:23} {made.width_mm[edge]:6.2f} mm wide {made.length_mm[edge]:6.2f} mm long")
    click.echo(
        f"  {made.power_w:.2f} W at {made.voltage_v_rms:.1f} V rms in the end, {made.peak_power_w:.2f} W at most; "
        f"{document['energy_j']:.1f} J in all\n"
        f"  {made.impedance_start_ohm:.1f} ohm before, {made.impedance_ohm:.1f} ohm in the end; hottest tissue "
        f"{made.tissue_max_c:.1f} degC\n"
        f"  {made.simulated_s:g} s computed in {document['wall_s']:.3f} s"
    )
    if document["plot"]:
        click.echo(f"  drawn in {document['plot']}")
