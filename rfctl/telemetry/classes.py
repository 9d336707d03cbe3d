"""The classes of messages: what each is for, how it is delivered and which keys its payload has."""

from __future__ import annotations

import re
from enum import StrEnum

SCHEMA = "rfctl/1"
ROOT = "rfctl/v1"


class Class(StrEnum):
    """Last level of a topic, but for ``record``, which has one topic a record below it."""

    META = "meta"
    STATUS = "status"
    STATE = "state"
    TELEMETRY = "telemetry"
    BATCH = "batch"
    EVENT = "event"
    RECORD = "record"


COMMON = ("schema", "boot_id", "seq", "ts", "mono_ns", "quality", "historical", "simulated", "time_scale")
MEASURED = (
    "temperature_c",
    "impedance_ohm",
    "power_w",
    "voltage_v_rms",
    "current_ma_rms",
    "rf_on",
    "stimulating",
    "stimulation_amplitude",
)
"""Quantities of one channel, by their names in rfctl.model.reading."""
FLAGS = frozenset({"rf_on", "stimulating"})

KEYS: dict[Class, tuple[str, ...]] = {
    Class.META: (
        "station",
        "title",
        "backend",
        "medium",
        "model",
        "serial",
        "firmware",
        "software",
        "map_version",
        "channels",
        "rated_power_w",
        "station_sha256",
        "profile_sha256",
        "unit_temperature_c",
        "unit_impedance_ohm",
        "unit_power_w",
        "unit_voltage_v_rms",
        "unit_current_ma_rms",
    ),
    Class.STATUS: ("status", "reason"),
    Class.STATE: ("procedure_id", "stage", "phases", "energised", "interlock"),
    Class.TELEMETRY: ("channel", "phase", "energised", "sample_seq", *MEASURED),
    Class.BATCH: ("channel", "energised", "sample_seq", "offset_ms", *MEASURED),
    Class.EVENT: ("level", "priority", "channel", "code", "text"),
    Class.RECORD: ("procedure_id", "outcome", "file", "bytes", "lines", "sha256", "head", "sealed"),
}
"""Keys of each payload beside COMMON."""
QOS = {kind: 0 if kind is Class.TELEMETRY else 1 for kind in Class}
"""Quality of service of MQTT. Telemetry has 1 while a channel is energised."""
RETAINED = frozenset({Class.META, Class.STATUS, Class.STATE, Class.RECORD})
"""The broker keeps the last one for whoever subscribes later. Never what is measured: a retained value looks live."""
UNITS = {
    "unit_temperature_c": "Cel",
    "unit_impedance_ohm": "Ohm",
    "unit_power_w": "W",
    "unit_voltage_v_rms": "V",
    "unit_current_ma_rms": "mA",
}
"""UCUM units of the measured quantities."""


ANCHORS = "anchor/"
"""Heads of records have topics outside ROOT: this and the origin. Their payload is the signed note itself: whoever
keeps it for years must be able to check it without this profile."""


def prefix(site: str, station: str, device: str) -> str:
    """Topic up to the class: ``rfctl/v1/{site}/{station}/{device}``."""
    return "/".join([ROOT, *(level(name) for name in (site, station, device))])


def level(name: str) -> str:
    """A name as one level of a topic: what MQTT or a path could misread becomes ``_``, and nothing is left empty."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "_"
