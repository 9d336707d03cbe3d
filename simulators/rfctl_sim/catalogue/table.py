"""Every fault that can be injected, by its name."""

from __future__ import annotations

from rfctl.errors import ConfigError
from rfctl_sim.catalogue.firmware import FIRMWARE_FAULTS
from rfctl_sim.catalogue.kinds import FaultKind
from rfctl_sim.catalogue.output import OUTPUT_FAULTS
from rfctl_sim.catalogue.relay import RELAY_FAULTS
from rfctl_sim.catalogue.sensor import SENSOR_FAULTS
from rfctl_sim.catalogue.tissue import TISSUE_FAULTS
from rfctl_sim.catalogue.wire import WIRE_FAULTS
from rfctl_sim.shipped import nearest

CATALOGUE: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        *SENSOR_FAULTS,
        *TISSUE_FAULTS,
        *OUTPUT_FAULTS,
        *FIRMWARE_FAULTS,
        *WIRE_FAULTS,
        *RELAY_FAULTS,
    )
}


def kind_of(name: object) -> FaultKind:
    """The fault of that name.

    Raises:
        ConfigError: There is none; the message has the nearest name.
    """
    if not isinstance(name, str) or name not in CATALOGUE:
        raise ConfigError(f"no fault named {name!r}", remedy=nearest(name, sorted(CATALOGUE)))
    return CATALOGUE[name]
