"""What the guard makes of one status of the generator: no more than its own limits compare."""

from __future__ import annotations

from typing import NamedTuple

RF_BAND_CURRENT_MA = 20.0
RF_POWER_W = 0.5


class Seen(NamedTuple):
    """One channel.

    Attributes:
        temperature_c: Tip thermocouple, degC; not-a-number where the generator marks it as none.
        rf_on: The output stage's own state.
        band_ma: Current in the RF band by the second meter, mA rms; not-a-number where there is none.
        power_w: At the generator's terminals, W.
        stimulating: The stimulator's output is on.
    """

    temperature_c: float
    rf_on: bool
    band_ma: float
    power_w: float
    stimulating: bool

    @property
    def rf(self) -> bool:
        """RF by either witness (limits: RF on without command). What is not a number speaks for RF."""
        return self.rf_on or not (self.band_ma <= RF_BAND_CURRENT_MA or self.power_w <= RF_POWER_W)


class Sample(NamedTuple):
    """One status.

    Attributes:
        counter: The generator's count of its measurements, as it is in the register.
        channels: Channel 1 first.
    """

    counter: int
    channels: tuple[Seen, ...]
