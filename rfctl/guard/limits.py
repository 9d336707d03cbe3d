"""The guard's own limits, as data: few, wide, and none of them taken from the station's table."""

from __future__ import annotations

from typing import NamedTuple

from rfctl.clock import NS_PER_MS

TEMPERATURE_MAX_C = 95.0
"""Hard maximum of any reading (limits: set temperature)."""
SAMPLE_AGE_NS = 300 * NS_PER_MS
"""Limits: sample age."""
FRESH_NS = 100 * NS_PER_MS
"""A sample by which the contact is kept closed is no older; two periods of the station's poll loop."""
COUNTER_AGE_NS = 300 * NS_PER_MS
"""Limits: frozen."""
STATION_AGE_NS = 200 * NS_PER_MS
"""Limits: supervision, gap between cycles. The contact falls open by itself not much later."""
BEAT_NS = 100 * NS_PER_MS
"""Longest time between good cycles that a hold is planned for: two periods of the station's poll loop."""
UNDERWAY_NS = 150 * NS_PER_MS
"""A heartbeat that took longer is old news: whoever was stopped and wakes up finds a queue of them."""
OFF_NS = 250 * NS_PER_MS
"""Limits: off verified. For so long an output may still be on that the station does not want any more."""


class Limit(NamedTuple):
    """Why the guard lets go.

    Attributes:
        code: Its name, for ever.
        hazard: The hazard it controls.
        text: What a person reads; ``{measured}``, ``{limit}`` and ``{channel}`` are filled in.
    """

    code: str
    hazard: str
    text: str


TEMPERATURE_MAX = Limit(
    "temperature_max", "HZ-01", "channel {channel}: the guard decodes {measured} degC, its limit is {limit} degC"
)
RF_WITHOUT_COMMAND = Limit(
    "rf_without_command",
    "HZ-14",
    "channel {channel}: the guard decodes RF that the station does not want, in 2 of 3 samples and {limit} ms after it "
    "wanted any",
)
STIMULATION_WITHOUT_COMMAND = Limit(
    "stimulation_without_command",
    "HZ-28",
    "channel {channel}: the guard decodes stimulation that the station does not want, in 2 of 3 samples and {limit} ms "
    "after it wanted any",
)
SAMPLE_STALE = Limit("sample_stale", "HZ-18", "the guard decoded nothing for {measured} ms, limit {limit} ms")
COUNTER_FROZEN = Limit(
    "counter_frozen", "HZ-05", "the generator's sample counter stands still for {measured} ms, limit {limit} ms"
)
STATION_STANDS = Limit(
    "station_stands_still",
    "HZ-20",
    "the station has decided nothing new for {measured} ms (cycle counter or digest stand still), limit {limit} ms",
)
STATION_SILENT = Limit("station_silent", "HZ-21", "the station is silent for {measured} ms, limit {limit} ms")
STATION_GONE = Limit("station_gone", "HZ-22", "the station has hung up while it held the enable loop")
STOPPED = Limit("stop", "HZ-43", "{measured}")

LIMITS = (
    TEMPERATURE_MAX,
    RF_WITHOUT_COMMAND,
    STIMULATION_WITHOUT_COMMAND,
    SAMPLE_STALE,
    COUNTER_FROZEN,
    STATION_STANDS,
    STATION_SILENT,
    STATION_GONE,
    STOPPED,
)
"""What the relay itself does wrong has the codes of rfctl.link.relay_proof.RelayFault, hazard HZ-44."""
