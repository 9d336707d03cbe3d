"""What stands around a simulated generator: electrodes, what they stand in, leads, pad and coolant, as data.

The shipped ones are ``config/setups/*.toml``; ``rfctl sim setups`` lists them.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rfctl.errors import ConfigError
from rfctl_sim import shipped
from rfctl_sim.tissue import BODY_TEMPERATURE_C, LoadResistor, ThreePoleTissue

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from rfctl_sim.tissue import Tissue

DEFAULT = "tissue-37"

GAUGES = (16, 17, 18, 20, 22, 23)

TissueModel = Literal["field", "poles", "load"]
TISSUES: tuple[TissueModel, ...] = ("field", "poles", "load")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ElectrodeSection(_Section):
    """A cannula and its active tip.

    Attributes:
        gauge: Of the cannula, G.
        tip_mm: Length of the active tip, mm.
    """

    gauge: int = 18
    tip_mm: float = Field(default=10.0, ge=2.0, le=15.0)

    @model_validator(mode="after")
    def _known(self) -> ElectrodeSection:
        if self.gauge not in GAUGES:
            raise ValueError(f"gauge {self.gauge} is not one of {', '.join(map(str, GAUGES))}")
        return self

    @property
    def shown(self) -> str:
        """As people say it."""
        return f"{self.gauge} G, {self.tip_mm:g} mm"


class ThermocoupleSection(_Section):
    """The thermocouple in the tip.

    Attributes:
        fitted: False: nothing is connected, the input is open.
        lag_s: Time constant, s.
        start_c: Where the needle was before it was put in, degC; as the tissue when not given.
    """

    fitted: bool = True
    lag_s: float = Field(default=0.3, ge=0.02, le=2.0)
    start_c: float | None = Field(default=None, ge=0.0, le=60.0)


class PadSection(_Section):
    """The dispersive electrode.

    Attributes:
        monitored: The generator measures its contact.
        contact_ohm: Between its two halves and skin, ohm.
    """

    monitored: bool = False
    contact_ohm: float = Field(default=30.0, ge=1.0, le=5000.0)


class CoolingSection(_Section):
    """A pump, and an electrode that its coolant flows through.

    Attributes:
        coolant_c: Temperature of what flows in, degC.
        conductance_w_per_k: From the tip's metal to the coolant at 10 mL/min, W/K. With the default the tissue is at 75
            to 80 degC while the tip is held at 60.
    """

    coolant_c: float = Field(default=22.0, ge=1.0, le=37.0)
    conductance_w_per_k: float = Field(default=0.018, gt=0.0, le=1.0)


class Setup(_Section):
    """One set-up.

    Attributes:
        title: In one line.
        medium: What the electrodes stand in, as station files call it.
        tissue: How that is computed: by the field around each electrode, by three poles (18 G, 10 mm, quick), or a
            resistor.
        start_c: Temperature of the medium, degC.
        series_ohm: Body, pad and leads: takes voltage and heats nothing near the tip, ohm.
        load_ohm: The resistor of a load, ohm.
        electrode: On each channel, unless ``electrodes`` says otherwise.
        electrodes: Channel by channel; those that follow have ``electrode``.
        spacing_mm: Between the tips of neighbouring channels, which stand in a row, mm; far apart when not given.
        bipolar: Channel 1 returns through the electrode of channel 2 instead of the pad.
        thermocouple: In each tip.
        pad: The dispersive electrode.
        cooling: A pump on each channel; none when not given.
    """

    title: str = Field(min_length=1)
    medium: Literal["tissue", "phantom", "load"] = "tissue"
    tissue: TissueModel = "field"
    start_c: float = Field(default=BODY_TEMPERATURE_C, ge=5.0, le=45.0)
    series_ohm: float = Field(default=100.0, ge=0.0, le=500.0)
    load_ohm: float = Field(default=200.0, ge=1.0, le=10_000.0)
    electrode: ElectrodeSection = ElectrodeSection()
    electrodes: tuple[ElectrodeSection, ...] = Field(default=(), max_length=4, strict=False)
    spacing_mm: float | None = Field(default=None, ge=4.0, le=50.0)
    bipolar: bool = False
    thermocouple: ThermocoupleSection = ThermocoupleSection()
    pad: PadSection = PadSection()
    cooling: CoolingSection | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Setup:
        if (self.medium == "load") != (self.tissue == "load"):
            raise ValueError("medium = 'load' and tissue = 'load' go together")
        if self.bipolar and self.spacing_mm is None:
            raise ValueError("bipolar needs spacing_mm: the distance of the two tips")
        return self

    def electrode_of(self, channel: int) -> ElectrodeSection:
        """The electrode of a channel, by its number from 1."""
        return self.electrodes[channel - 1] if channel <= len(self.electrodes) else self.electrode

    def new_tissue(self, channel: int) -> Tissue:
        """What surrounds the electrode of a channel, at rest."""
        if self.tissue == "load":
            return LoadResistor(self.load_ohm, self.start_c)
        if self.tissue == "poles":
            return ThreePoleTissue(rest_c=self.start_c)
        from rfctl_sim.field.electrode import ElectrodeTissue

        electrode = self.electrode_of(channel)
        return ElectrodeTissue(electrode.gauge, electrode.tip_mm, self.start_c)


def load(name_or_path: str = DEFAULT, tissue: str | None = None) -> Setup:
    """A set-up by its shipped name, or from a file of one's own.

    Args:
        name_or_path: ``tissue-37``, or a path that ends in ``.toml``.
        tissue: Another way to compute the medium than the set-up says, one of TISSUES.

    Raises:
        ConfigError: No such set-up, or a file that is not accepted; each problem is named with the nearest valid word.
    """
    path = path_of(name_or_path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"cannot be read: {problem}", where=str(path), remedy="Correct the file.") from None
    try:
        setup = Setup.model_validate(data)
    except ValidationError as problem:
        lines = [_line(error) for error in problem.errors()]
        raise ConfigError("\n  ".join(["not accepted:", *lines]), where=str(path)) from None
    return setup if tissue is None else with_tissue(setup, tissue, where=str(path))


def path_of(name_or_path: str) -> Path:
    """The file of a set-up. Raises ConfigError where there is none."""
    return shipped.find("setups", name_or_path)


def with_tissue(setup: Setup, tissue: str, *, where: str = "") -> Setup:
    """The same set-up, its medium computed in another way.

    Raises:
        ConfigError: There is no such way, or the medium is a resistor and has only one.
    """
    if tissue not in TISSUES:
        raise ConfigError(f"no tissue named {tissue!r}", remedy=shipped.nearest(tissue, TISSUES))
    if (setup.medium == "load") != (tissue == "load"):
        raise ConfigError(
            f"tissue {tissue!r} for the medium {setup.medium}",
            where=where,
            remedy="A load is computed as load, a tissue or phantom as field or poles.",
        )
    return setup.model_copy(update={"tissue": tissue})


def catalogue() -> dict[str, Setup]:
    """Every shipped set-up, by name. Raises ConfigError as ``load``."""
    return {name: load(name) for name in shipped.names("setups")}


def _line(error: ErrorDetails) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key. {shipped.nearest(error['loc'][-1], _keys(error['loc'][:-1]))}"
    shown = "" if isinstance(error["input"], dict | list) else f" (is {error['input']!r})"
    return f"{path or 'file'}: {error['msg'].removeprefix('Value error, ')}{shown}"


def _keys(place: tuple[int | str, ...]) -> list[str]:
    sections: dict[int | str, type[BaseModel]] = {
        "electrode": ElectrodeSection,
        "electrodes": ElectrodeSection,
        "thermocouple": ThermocoupleSection,
        "pad": PadSection,
        "cooling": CoolingSection,
    }
    return list(sections.get(place[0], Setup).model_fields if place else Setup.model_fields)
