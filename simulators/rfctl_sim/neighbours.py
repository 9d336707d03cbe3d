"""Heat from one electrode to the next, where they stand close together.

Each electrode's tissue is computed alone; what one causes at another's place is added to that one's temperatures, and
its conductivity follows. Heat is additive while conductivities are constant; what the addition misses (the second tip
conducts heat better than tissue, and bends the current) is within the range that physics states for two tips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl_sim.channel import Channel
    from rfctl_sim.setups import Setup

# Rises below this are none.
NONE_K = 0.002


class Neighbours:
    """Electrodes in a row, channel by channel."""

    def __init__(self, channels: Sequence[Channel], spacing_mm: float) -> None:
        self._channels = channels
        self._spacing_mm = spacing_mm

    @classmethod
    def of(cls, setup: Setup, channels: Sequence[Channel]) -> Neighbours | None:
        """The neighbours of a set-up; None where each electrode stands alone."""
        return None if setup.spacing_mm is None or len(channels) < 2 else cls(channels, setup.spacing_mm)

    def warm(self) -> None:
        """Tell each tissue what the others cause at its electrode now."""
        rises = [self._rises_k(index) for index in range(len(self._channels))]
        for index, channel in enumerate(self._channels):
            rise_k = sum(row[abs(index - other)] for other, row in enumerate(rises) if other != index)
            channel.tissue.warmed_k = rise_k if rise_k > NONE_K else 0.0

    def _rises_k(self, index: int) -> list[float]:
        """What one electrode causes at itself (nothing), one place away, two, ..."""
        tissue = self._channels[index].tissue
        if tissue.at_rest:
            return [0.0] * len(self._channels)
        return [0.0, *(tissue.rise_at_k(self._spacing_mm * steps) for steps in range(1, len(self._channels)))]
