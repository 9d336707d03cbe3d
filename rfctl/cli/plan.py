"""rfctl plan: write a plan, check it, and show what it will ask for, before anything is connected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rfctl.model.plan import Plan, Site
    from rfctl.station.plan_check import PadLoad

STATION = click.option("--station", "station_name", help="Check it for this station, too: a file, or a shipped name.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
PLAN = click.argument("plan_name", metavar="PLAN")


@click.group()
def plan() -> None:
    """Write, check and show plans. No generator is asked.

    Example: rfctl plan check my-plan.toml
    """


@plan.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--site", "sites", multiple=True, required=True, metavar="CHANNEL:NAME", help="A site; once for each.")
@click.option("--preset", default="medial-branch", show_default=True, help="Name of a shipped preset, or a file.")
@click.option("--gauge", type=int, default=18, show_default=True, help="Of the cannula.")
@click.option("--tip-mm", type=float, default=10, show_default=True, help="Active tip, mm.")
@click.option("--title", default="Plan", show_default=True, help="What the plan is called.")
@click.option("--batch", is_flag=True, help="Check all, anaesthetise all, heat all together; else site by site.")
@click.option("--drop", is_flag=True, help="A fault of one channel drops it; else it stops all.")
@click.option("--medium", type=click.Choice(["tissue", "phantom"]), default="tissue", show_default=True)
@JSON
def new(
    *,
    file: Path,
    sites: tuple[str, ...],
    preset: str,
    gauge: int,
    tip_mm: float,
    title: str,
    batch: bool,
    drop: bool,
    medium: str,
    as_json: bool,
) -> None:
    """Write a plan to begin with, checked as ``rfctl plan check`` does. An existing file is left alone.

    Example: rfctl plan new back.toml --site "1:L4 left" --site "2:L5 left" --gauge 20 --batch
    """
    from rfctl.errors import ConfigError
    from rfctl.model import shipped
    from rfctl.station import plan_check, plan_file, plan_text

    if file.suffix != ".toml":
        raise ConfigError("a plan file ends in .toml", where=str(file), remedy="Rename it.")
    if file.exists():
        raise ConfigError("is there already", where=str(file), remedy="Choose another name, or edit that file.")
    found = shipped.find("presets", preset)
    named = preset if not preset.endswith(".toml") else str(found)
    text = plan_text.text_of(
        title=title,
        sites=[_channel_and_name(each) for each in sites],
        preset=named,
        gauge=gauge,
        tip_mm=tip_mm,
        batch=batch,
        drop=drop,
        medium=medium,
        agent="" if plan_file.load_preset(found)["anaesthetic"].get("use") == "not used" else "lidocaine 2 %",
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(file), remedy="Choose another folder."
        ) from None
    try:
        written = plan_file.load(str(file))
        plan_check.require_cool_pads(written, where=str(file))
        plan_check.require_time_budget(written, where=str(file))
    except ConfigError:
        file.unlink()
        raise
    if as_json:
        click.echo(json.dumps({"path": str(file.resolve()), "valid": True}))
    else:
        click.echo(f"{file}: written; edit it, then: rfctl plan check {file}")


@plan.command()
@PLAN
@STATION
@JSON
def check(*, plan_name: str, station_name: str | None, as_json: bool) -> None:
    """Check a plan: every value, the dispersive electrodes, and with --station what that station can do.

    Electrodes that heat together add up their currents in the dispersive electrode. More than 27 A2s predicted within
    60 s are refused: give some sites a second one (pad = 2), or heat fewer at once. So is a thin, short electrode at a
    temperature so high that a fault could not be ended in time (22 G 5 mm at 90 degC). Exit code 0: accepted; 2: not.

    Example: rfctl plan check batch --station demo
    """
    from rfctl.errors import RfctlError

    try:
        path, loaded, multiplexed = _accepted(plan_name, station_name)
    except RfctlError as problem:
        if as_json:
            refused = {"path": str(Path(plan_name).resolve()), "valid": False, "problem": str(problem)}
            click.echo(json.dumps(refused))
        raise
    if as_json:
        click.echo(json.dumps({"path": str(path), "valid": True, **_members(loaded, multiplexed)}))
        return
    click.echo(f"{path}: accepted")
    for line in _pad_lines(loaded, multiplexed):
        click.echo(line)


@plan.command()
@PLAN
@STATION
@JSON
def show(*, plan_name: str, station_name: str | None, as_json: bool) -> None:
    """Show a plan and what it is predicted to ask for: power, ramp, energy, and the heating of dispersive electrodes.

    Predicted in tissue that conducts as the electrode table's, from 37 degC (phantom: 22); power and energy are those
    in the tissue, the generator delivers more. A plan that ``check`` refuses is not shown.

    Example: rfctl plan show demo
    """
    path, loaded, multiplexed = _accepted(plan_name, station_name)
    if as_json:
        click.echo(json.dumps({"path": str(path), "valid": True, **_members(loaded, multiplexed)}))
        return
    click.echo(f"{loaded.title}\n{loaded.order}, a fault of one channel: {loaded.on_fault}; medium: {loaded.medium}")
    for site in loaded.sites:
        electrode = site.electrode
        click.echo(
            f"\n{site.name}: channel {site.channel}, {electrode.name}"
            + (f", dispersive electrode {site.pad}" if electrode.gauge else "")
        )
        click.echo(f"  sensory: {_check_text(site, 'sensory')}; motor: {_check_text(site, 'motor')}")
        for members in _lesion_members(loaded, site, multiplexed):
            if members["power_w"] is not None:
                click.echo("  {power_w:g} W for {hold_s:g} s: {predicted_energy_j:.0f} J".format(**members))
                continue
            after = f" after {members['after']}" if members["after"] else ""
            click.echo(
                f"  lesion{after}: {members['set_temperature_c']:g} degC for {members['hold_s']:g} s, "
                f"{members['ramp_c_per_s']:g} degC/s"
            )
            click.echo(
                "    predicted: ramp {predicted_ramp_s:.1f} s, power {predicted_peak_power_w:.1f} W at most, "
                "{predicted_hold_power_w:.2f} W at the end of the hold, {predicted_energy_j:.0f} J, pad heating "
                "{predicted_pad_heating_a2s:.1f} A2s alone".format(**members)
            )
    click.echo()
    for line in _pad_lines(loaded, multiplexed):
        click.echo(line)


def _channel_and_name(text: str) -> tuple[int, str]:
    from rfctl.errors import ConfigError

    channel, separator, name = text.partition(":")
    if not separator or not channel.isdecimal() or not name.strip():
        raise ConfigError(f"--site {text!r} is not CHANNEL:NAME", remedy='For example --site "1:L4 left".')
    return int(channel), name.strip()


def _accepted(plan_name: str, station_name: str | None) -> tuple[Path, Plan, bool]:
    """The plan and whether its outputs take turns, after all checks that can be made without a generator."""
    from rfctl.model import shipped
    from rfctl.profile import any_profile
    from rfctl.station import plan_check, plan_file, station_file

    path = shipped.find("plans", plan_name)
    loaded = plan_file.load(plan_name)
    plan_check.require_time_budget(loaded, where=str(path))
    if station_name is None:
        plan_check.require_cool_pads(loaded, where=str(path))
        return path, loaded, False
    station = station_file.load(station_name)
    profile = any_profile.load(station.profile, relative_to=station.folder)
    plan_check.require_station(loaded, station, profile, where=str(path))
    return path, loaded, profile.multiplexed


def _check_text(site: Site, name: str) -> str:
    check = getattr(site, name)
    if check.use == "not used":
        return f"not used ({check.reason})"
    return f"{check.use}, {check.rate_hz:g} Hz, {check.width_us} us"


def _members(loaded: Plan, multiplexed: bool) -> dict[str, Any]:
    from rfctl.kernel.rows_supervision import PAD_HEATING_PLANNED_A2S
    from rfctl.station import plan_check

    return {
        "title": loaded.title,
        "medium": str(loaded.medium),
        "order": str(loaded.order),
        "on_fault": str(loaded.on_fault),
        "plan_sha256": loaded.sha256,
        "sites": [
            {
                "site": site.name,
                "channel": site.channel,
                "pad": site.pad,
                "gauge": site.electrode.gauge or None,
                "tip_mm": site.electrode.tip_mm or None,
                "lesions": list(_lesion_members(loaded, site, multiplexed)),
            }
            for site in loaded.sites
        ],
        "pads": [
            {
                "pad": load.pad,
                "sites": [site.name for site in load.sites],
                "predicted_heating_a2s": round(load.heating_a2s, 2),
                "limit_a2s": PAD_HEATING_PLANNED_A2S,
            }
            for load in plan_check.pad_loads(loaded, multiplexed=multiplexed)
        ],
    }


def _lesion_members(loaded: Plan, site: Site, multiplexed: bool) -> list[dict[str, Any]]:
    from rfctl.model.heating import pad_heating_a2s
    from rfctl.station import plan_check

    found: list[dict[str, Any]] = []
    for lesion in site.lesions:
        predicted = plan_check.prediction_of(loaded, site, lesion)
        found.append(
            {
                "after": str(lesion.after) if lesion.after else None,
                "set_temperature_c": lesion.set_temperature_c if lesion.power_w is None else None,
                "power_w": lesion.power_w,
                "hold_s": lesion.hold_s,
                "ramp_c_per_s": lesion.ramp_c_per_s if lesion.power_w is None else None,
                "timer_definition": str(lesion.timer),
                "predicted_ramp_s": round(predicted.ramp_s, 2),
                "predicted_peak_power_w": round(predicted.peak_power_w, 3),
                "predicted_hold_power_w": round(predicted.hold_power_w, 3),
                "predicted_energy_j": round(predicted.energy_j, 1),
                "predicted_pad_heating_a2s": round(pad_heating_a2s([predicted], multiplexed=multiplexed), 2),
            }
        )
    return found


def _pad_lines(loaded: Plan, multiplexed: bool) -> list[str]:
    from rfctl.kernel.rows_supervision import PAD_HEATING_PLANNED_A2S
    from rfctl.station import plan_check

    return [_pad_line(load, PAD_HEATING_PLANNED_A2S) for load in plan_check.pad_loads(loaded, multiplexed=multiplexed)]


def _pad_line(load: PadLoad, limit_a2s: float) -> str:
    together = f"{len(load.sites)} channels together" if len(load.sites) > 1 else "one channel at a time"
    return (
        f"dispersive electrode {load.pad}: {load.heating_a2s:.1f} A2s predicted within 60 s, {together}; "
        f"limit {limit_a2s:g} A2s"
    )
