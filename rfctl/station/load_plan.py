"""The sites of a plan for a test load: a resistor takes a power for a time. No electrode, no thermocouple, nobody."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfctl.kernel import limits
from rfctl.model import strict_toml
from rfctl.model.electrode import load_of
from rfctl.model.plan import Anaesthetic, Lesion, Site, StimulationCheck, TimerDefinition, Use

POWER_MAX_W = 50.0
"""No generator of the profiles has more in a channel; the rating of the one at hand narrows it."""
NOBODY = "a load feels nothing"


class LoadLesionSection(strict_toml.Strict):
    """``[site.lesion]``."""

    power_w: Annotated[float, Field(gt=0.0, le=POWER_MAX_W)]
    hold_s: Annotated[float, Field(gt=0.0, le=limits.HOLD_MAX_S)]


class LoadSiteSection(strict_toml.Strict):
    """``[[site]]``."""

    name: str = Field(min_length=1)
    channel: int = Field(ge=1, le=4)
    lesion: LoadLesionSection


def site_of(section: LoadSiteSection) -> Site:
    """As every site of a plan: with no checks, and with an electrode that is the resistor."""
    power_w = section.lesion.power_w
    check = StimulationCheck(Use.NOT_USED, NOBODY, 0.0, 0, 0.0, 0.0)
    return Site(
        name=section.name,
        channel=section.channel,
        electrode=load_of(power_w),
        sensory=check,
        motor=check,
        anaesthetic=Anaesthetic(Use.NOT_USED, NOBODY, "", 0.0, 0.0),
        lesions=(Lesion(0.0, section.lesion.hold_s, 0.0, TimerDefinition.SET_TEMPERATURE, power_w=power_w),),
    )
