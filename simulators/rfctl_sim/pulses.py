"""A train of RF pulses: when it delivers, and what each pulse was, kept until the next one has ended."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from rfctl.clock import NS_PER_MS, NS_PER_S


class Pulse(NamedTuple):
    """One pulse as it was delivered.

    Attributes:
        number: From 1.
        voltage_v_peak: Of the RF in it, V peak.
        current_ma_peak: Of the RF in it, mA peak.
        power_w: Mean over the pulse, at the terminals, W.
        width_ns: How long it lasted.
        period_ns: From its beginning to the next one's.
        begin_ns: When it began.
        end_ns: When it ended.
    """

    number: int
    voltage_v_peak: float
    current_ma_peak: float
    power_w: float
    width_ns: int
    period_ns: int
    begin_ns: int
    end_ns: int


class PulseTrain:
    """Pulses from ``start_ns`` on, the first one at once.

    Attributes:
        power_w: Of a pulse, at the terminals, W.
        tissue_power_w: Of a pulse, in the tissue, W.
        last: The pulse that ended last; None before the first has.
    """

    __slots__ = (
        "_current_a",
        "_period_ns",
        "_start_ns",
        "_told_ns",
        "_voltage_v",
        "_width_ns",
        "last",
        "power_w",
        "tissue_power_w",
    )

    def __init__(self, start_ns: int, width_ns: int, period_ns: int) -> None:
        self._start_ns = start_ns
        self._told_ns = self._width_ns = width_ns
        self._period_ns = period_ns
        self._voltage_v = self._current_a = 0.0
        self.power_w = self.tissue_power_w = 0.0
        self.last: Pulse | None = None

    def as_json(self) -> dict[str, object] | None:
        """The pulse that ended last, as the back door shows it."""
        last = self.last
        if last is None:
            return None
        return {
            "count": last.number,
            "voltage_v_peak": last.voltage_v_peak,
            "current_ma_peak": last.current_ma_peak,
            "power_w": last.power_w,
            "width_ms": last.width_ns / NS_PER_MS,
            "period_ms": last.period_ns / NS_PER_MS,
        }

    @property
    def duty(self) -> float:
        """Share of the time that pulses take."""
        return self._width_ns / self._period_ns

    @property
    def told_duty(self) -> float:
        """As it was told."""
        return self._told_ns / self._period_ns

    def deliver(
        self, voltage_v_rms: float, current_a_rms: float, power_w: float, tissue_power_w: float, ratio: float
    ) -> None:
        """What a pulse carries from now on: V rms, A rms and W within it, and so many times the width it was told."""
        self._voltage_v, self._current_a = voltage_v_rms, current_a_rms
        self.power_w, self.tissue_power_w = power_w, tissue_power_w
        self._width_ns = min(round(self._told_ns * ratio), self._period_ns)

    def on_s(self, from_ns: int, to_ns: int) -> float:
        """How long of this time it delivers, s."""
        return (self._delivered_ns(to_ns) - self._delivered_ns(from_ns)) / NS_PER_S

    def advance(self, from_ns: int, to_ns: int) -> float:
        """As ``on_s``; a pulse that ended by then is kept."""
        since_ns = to_ns - self._start_ns - self._width_ns
        number = since_ns // self._period_ns + 1
        if since_ns >= 0 and (self.last is None or number > self.last.number):
            begin_ns = self._start_ns + (number - 1) * self._period_ns
            root2 = sqrt(2.0)
            self.last = Pulse(
                number,
                root2 * self._voltage_v,
                1000.0 * root2 * self._current_a,
                self.power_w,
                self._width_ns,
                self._period_ns,
                begin_ns,
                begin_ns + self._width_ns,
            )
        return self.on_s(from_ns, to_ns)

    def _delivered_ns(self, at_ns: int) -> int:
        whole, part = divmod(at_ns - self._start_ns, self._period_ns)
        return whole * self._width_ns + min(part, self._width_ns)
