"""Plan files: the procedure as a person writes it, checked against the hard limits when it is read."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rfctl.errors import ConfigError
from rfctl.kernel import limits, rows_later, stimulation
from rfctl.model import shipped, strict_toml
from rfctl.model.electrode import find_electrode
from rfctl.model.plan import (
    Anaesthetic,
    FaultPolicy,
    Lesion,
    Medium,
    Move,
    OrderOfWork,
    Plan,
    Site,
    StimulationCheck,
    TimerDefinition,
    Use,
)
from rfctl.station import load_plan

if TYPE_CHECKING:
    from pathlib import Path


class PlanSection(strict_toml.Strict):
    """``[plan]``."""

    title: str = Field(min_length=1)
    checklist: list[str] = Field(min_length=1)
    order: Literal["site by site", "batch"] = "site by site"
    on_fault: Literal["stop all", "drop the channel"] = "stop all"
    medium: Literal["tissue", "phantom", "load"] = "tissue"


class ElectrodeSection(strict_toml.Strict):
    """``[site.electrode]``."""

    gauge: int
    tip_mm: float


class _Usable(strict_toml.Strict):
    use: Literal["required", "not used"] = "required"
    reason: str = ""

    @model_validator(mode="after")
    def _reason_given(self) -> Self:
        if self.use == "not used" and not self.reason.strip():
            raise ValueError("use = 'not used' needs a reason")
        return self


class _Stimulation(strict_toml.Strict):
    """Amplitudes are in V or in mA, by ``unit``; a key bears the unit that it is in."""

    use: Literal["required", "optional", "not used"] = "required"
    reason: str = ""
    unit: Literal["V", "mA"] = "V"
    target_v: float
    maximum_v: float
    target_ma: float | None = None
    maximum_ma: float | None = None

    @model_validator(mode="after")
    def _stated(self) -> Self:
        if self.use == "not used" and not self.reason.strip():
            raise ValueError("use = 'not used' needs a reason")
        foreign = ("target_v", "maximum_v") if self.unit == "mA" else ("target_ma", "maximum_ma")
        for name in foreign:
            if name in self.model_fields_set:
                raise ValueError(f"{name} does not go with unit = {self.unit!r}")
        if self.target is None or self.maximum is None:
            raise ValueError("unit = 'mA' needs target_ma and maximum_ma: nothing is assumed for a current")
        for name, value in (("target", self.target), ("maximum", self.maximum)):
            if abs(value / stimulation.STIMULATION_STEP - round(value / stimulation.STIMULATION_STEP)) > 1e-6:
                key = f"{name}_{self.unit.lower()}"
                raise ValueError(
                    f"{key} = {value:g} is not reached in steps of {stimulation.STIMULATION_STEP:g} {self.unit}"
                )
        return self

    @property
    def target(self) -> float | None:
        return self.target_v if self.unit == "V" else self.target_ma

    @property
    def maximum(self) -> float | None:
        return self.maximum_v if self.unit == "V" else self.maximum_ma


class SensorySection(_Stimulation):
    """``[site.sensory]``."""

    rate_hz: float = Field(default=50.0, ge=2.0, le=200.0)
    width_us: int = Field(default=1000, ge=50, le=2000)
    target_v: float = Field(default=0.5, gt=0.0, le=stimulation.SENSORY_MAX)
    maximum_v: float = Field(default=1.0, gt=0.0, le=stimulation.SENSORY_MAX)
    target_ma: float | None = Field(default=None, gt=0.0, le=stimulation.SENSORY_MAX)
    maximum_ma: float | None = Field(default=None, gt=0.0, le=stimulation.SENSORY_MAX)


class MotorSection(_Stimulation):
    """``[site.motor]``."""

    rate_hz: float = Field(default=2.0, ge=2.0, le=200.0)
    width_us: int = Field(default=1000, ge=50, le=2000)
    target_v: float = Field(default=2.0, gt=0.0, le=stimulation.MOTOR_MAX)
    maximum_v: float = Field(default=stimulation.MOTOR_MAX, gt=0.0, le=stimulation.MOTOR_MAX)
    target_ma: float | None = Field(default=None, gt=0.0, le=stimulation.MOTOR_MAX)
    maximum_ma: float | None = Field(default=None, gt=0.0, le=stimulation.MOTOR_MAX)


class AnaestheticSection(_Usable):
    """``[site.anaesthetic]``."""

    agent: str = ""
    volume_ml: float = Field(default=0.0, ge=0.0, le=20.0)
    wait_s: float = Field(default=60.0, ge=60.0, le=120.0)


class LesionSection(strict_toml.Strict):
    """``[site.lesion]``."""

    mode: Literal["thermal"] = "thermal"
    set_temperature_c: float = Field(ge=limits.SET_TEMPERATURE_MIN_C, le=limits.SET_TEMPERATURE_MAX_C)
    hold_s: float = Field(gt=0.0, le=limits.HOLD_MAX_S)
    ramp_c_per_s: float = Field(default=4.3, ge=limits.RAMP_MIN_C_PER_S, le=limits.RAMP_MAX_C_PER_S)
    timer: Literal["set temperature reached", "RF on"] = "set temperature reached"

    @field_validator("mode", mode="before")
    @classmethod
    def _guarded(cls, mode: object) -> object:
        if mode in rows_later.MODES:
            raise ValueError(rows_later.why_refused(str(mode)))
        return mode


class FurtherLesionSection(LesionSection):
    """``[[site.further]]``: a lesion after the first, which had the electrode moved as planned."""

    after: Literal["rotation", "withdrawal"]


class SiteSection(strict_toml.Strict):
    """``[[site]]``."""

    name: str = Field(min_length=1)
    preset: str = ""
    channel: int = Field(ge=1, le=4)
    pad: int = Field(default=1, ge=1, le=4)
    electrode: ElectrodeSection
    sensory: SensorySection = SensorySection()
    motor: MotorSection = MotorSection()
    anaesthetic: AnaestheticSection
    lesion: LesionSection
    further: list[FurtherLesionSection] = Field(default=[], max_length=5)
    result_valid_min: float = Field(
        default=20.0, ge=stimulation.RESULT_VALID_MIN_S / 60.0, le=stimulation.RESULT_VALID_MAX_S / 60.0
    )

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if self.sensory.unit != self.motor.unit and "not used" not in {self.sensory.use, self.motor.use}:
            raise ValueError("sensory and motor have one unit: the motor check goes to twice the sensory threshold")
        return self


class PresetSection(strict_toml.Strict):
    """``[preset]``."""

    title: str = Field(min_length=1)
    source: str = Field(min_length=1)


class PresetFile(strict_toml.Strict):
    """A preset: what a site takes where its plan says nothing else."""

    preset: PresetSection
    sensory: SensorySection
    motor: MotorSection
    anaesthetic: AnaestheticSection
    lesion: LesionSection


class LoadPlanFile(strict_toml.Strict):
    """The whole file of a plan for a test load."""

    plan: PlanSection
    site: list[load_plan.LoadSiteSection] = Field(min_length=1)


class PlanFile(strict_toml.Strict):
    """The whole file."""

    plan: PlanSection
    site: list[SiteSection] = Field(min_length=1)


def load(name_or_path: str) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: As rfctl.model.strict_toml.read; a value beyond a hard limit is named with that limit.
    """
    path = shipped.find("plans", name_or_path)
    digest = hashlib.sha256(path.read_bytes())
    data = strict_toml.parse(path)
    for site in data.get("site", []) if isinstance(data.get("site"), list) else []:
        if isinstance(site, dict) and isinstance(site.get("preset"), str):
            _fill(site, shipped.find("presets", site["preset"], relative_to=path.parent), digest)
    head = data.get("plan")
    file: PlanFile | LoadPlanFile
    if isinstance(head, dict) and head.get("medium") == "load":
        file = strict_toml.validate(data, LoadPlanFile, where=str(path))
        if file.plan.order == "batch":
            raise ConfigError(
                "plan.order is 'batch': channels that heat together are probed by their temperatures; a load has none",
                where=str(path),
                remedy="Set plan.order = 'site by site'.",
            )
        sites = tuple(load_plan.site_of(section) for section in file.site)
    else:
        file = strict_toml.validate(data, PlanFile, where=str(path))
        try:
            sites = tuple(_site(section) for section in file.site)
        except ConfigError as problem:
            raise ConfigError(problem.what, where=str(path), remedy=problem.remedy) from None
    order = OrderOfWork(file.plan.order)
    if order is OrderOfWork.BATCH:
        _require_own_channels(sites, str(path))
    return Plan(
        title=file.plan.title,
        checklist=tuple(file.plan.checklist),
        sites=sites,
        sha256=digest.hexdigest(),
        order=order,
        on_fault=FaultPolicy(file.plan.on_fault),
        medium=Medium(file.plan.medium),
    )


def _require_own_channels(sites: tuple[Site, ...], where: str) -> None:
    """In batch every electrode stays where it was checked until it heats."""
    first: dict[int, str] = {}
    for site in sites:
        other = first.setdefault(site.channel, site.name)
        if other != site.name:
            raise ConfigError(
                f"sites {other!r} and {site.name!r} are both on channel {site.channel}; in batch each electrode "
                "stays in place from its check to its lesion",
                where=where,
                remedy="Give each site a channel of its own, or set plan.order = 'site by site'.",
            )


def load_preset(path: Path) -> dict[str, Any]:
    """A preset file, checked as a whole, as the tables that it holds.

    Raises:
        ConfigError: As rfctl.model.strict_toml.read.
    """
    data = strict_toml.parse(path)
    strict_toml.validate(data, PresetFile, where=str(path))
    return {name: table for name, table in data.items() if name != "preset"}


def _fill(site: dict[str, Any], preset: Path, digest: hashlib._Hash) -> None:
    """What the site does not say, the preset says; the plan's hash covers it."""
    digest.update(preset.read_bytes())
    for name, table in load_preset(preset).items():
        own = site.get(name, {})
        if isinstance(own, dict):
            other_unit = own.get("unit", "V") != table.get("unit", "V")
            kept = {key: value for key, value in table.items() if not (other_unit and key.endswith(("_v", "_ma")))}
            site[name] = {**kept, **own}


def _lesion(section: SiteSection, lesion: LesionSection) -> Lesion:
    if section.electrode.gauge <= 16 and lesion.set_temperature_c >= 90.0 and lesion.ramp_c_per_s > 2.0:
        raise ConfigError(
            f"site {section.name!r}: lesion.ramp_c_per_s is {lesion.ramp_c_per_s:g}; a 16 G electrode at 90 degC ramps "
            f"at most 2 K/s",
            remedy="Lower the ramp rate.",
        )
    after = Move(lesion.after) if isinstance(lesion, FurtherLesionSection) else None
    return Lesion(lesion.set_temperature_c, lesion.hold_s, lesion.ramp_c_per_s, TimerDefinition(lesion.timer), after)


def _site(section: SiteSection) -> Site:
    return Site(
        name=section.name,
        channel=section.channel,
        electrode=find_electrode(section.electrode.gauge, section.electrode.tip_mm),
        sensory=_check(section.sensory),
        motor=_check(section.motor),
        anaesthetic=Anaesthetic(
            Use(section.anaesthetic.use),
            section.anaesthetic.reason,
            section.anaesthetic.agent,
            section.anaesthetic.volume_ml,
            section.anaesthetic.wait_s,
        ),
        lesions=tuple(_lesion(section, lesion) for lesion in (section.lesion, *section.further)),
        pad=section.pad,
        result_valid_s=section.result_valid_min * 60.0,
    )


def _check(section: SensorySection | MotorSection) -> StimulationCheck:
    return StimulationCheck(
        Use(section.use),
        section.reason,
        section.rate_hz,
        section.width_us,
        section.target or math.nan,
        section.maximum or math.nan,
        section.unit,
    )
