"""Every request that this driver may send: the gate's table, declared here because the protocol leaves nothing open.

Written from docs/protocols/line.md.
"""

from __future__ import annotations

from rfctl.link.line_table import LineTable, LineWrite
from rfctl.link.write_table import MODE, Act, Energising, Limit
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.reading import Mode

MODES = {
    "none": Mode.NONE,
    "stim_v": Mode.STIMULATION_VOLTAGE,
    "stim_ma": Mode.STIMULATION_CURRENT,
    "lesion": Mode.LESION_TEMPERATURE,
    "lesion_v": Mode.LESION_VOLTAGE,
    "lesion_w": Mode.LESION_POWER,
}
MOST_CHANNELS = 4

_OFF = Act(Intent.OFF)
_CONFIG = Act(Intent.CONFIG)
_RENEW = Act(Intent.RENEW)
_LESION = Act(Intent.ENERGISE, PermitKind.LESION)
_STIMULATION = Act(Intent.ENERGISE, PermitKind.STIMULATION)


def _setting(name: str, quantity: str = "", limit: Limit | None = None, *, whole: bool = False) -> LineWrite:
    return LineWrite("SET", quantity or name, _CONFIG, channel=True, name=name, limit=limit, whole=whole)


TABLE = LineTable(
    reads=(("IDENT", 0), ("TRAITS", 1), ("FIELDS", 0), ("STATUS", 1), ("GET", 1)),
    writes=(
        LineWrite("OFF", "all_off", _OFF),
        LineWrite("OFF", "command", Act(Intent.OFF, None, "off"), channel=True),
        LineWrite("CLAIM", "owner", _CONFIG, number=True, whole=True, maximum=0xFFFF),
        LineWrite("RELEASE", "owner", _CONFIG),
        LineWrite("LEASE", "lease_ms", _CONFIG, number=True, whole=True, maximum=1000),
        LineWrite("RENEW", "lease_renew", _RENEW, number=True, whole=True, maximum=0xFFFF),
        LineWrite("CLEAR LEASE", "lease_clear", _CONFIG),
        LineWrite("CLEAR FAULTS", "fault_clear", _CONFIG),
        LineWrite("EVENTS", "events", _CONFIG, number=True, whole=True, maximum=1),
        LineWrite(
            "MODE",
            MODE,
            _CONFIG,
            channel=True,
            words=tuple((word, int(mode), mode.name.lower()) for word, mode in MODES.items()),
        ),
        _setting("set_temperature_c", limit=Limit.TEMPERATURE_C),
        _setting("ramp_c_per_s"),
        _setting("max_on_s", limit=Limit.DURATION_S),
        _setting("power_limit_w", limit=Limit.POWER_W),
        _setting("stimulation_rate_hz"),
        _setting("stimulation_width_us", whole=True),
        _setting("stimulation_limit_v", "stimulation_limit", Limit.STIMULATION),
        _setting("stimulation_limit_ma", "stimulation_limit", Limit.STIMULATION),
        LineWrite("ARM", "command", Act(Intent.ENERGISE, PermitKind.LESION, "arm"), channel=True),
        LineWrite("FIRE", "fire", _LESION, channel=True, number=True, whole=True, maximum=0xFFFF),
        LineWrite("STIMULATE", "command", Act(Intent.ENERGISE, PermitKind.STIMULATION, "stimulate"), channel=True),
        LineWrite("AMPLITUDE", "stimulation_amplitude", _STIMULATION, channel=True, name="v", limit=Limit.STIMULATION),
        LineWrite("AMPLITUDE", "stimulation_amplitude", _STIMULATION, channel=True, name="ma", limit=Limit.STIMULATION),
        LineWrite(
            "SETPOINT", "voltage_set_point_v_rms", _LESION, channel=True, name="v_rms", limit=Limit.VOLTAGE_V_RMS
        ),
        LineWrite("SETPOINT", "power_set_point_w", _LESION, channel=True, name="w", limit=Limit.POWER_W),
    ),
    energising=(
        Energising(
            PermitKind.LESION,
            ("max_on_s", "power_limit_w"),
            (Mode.LESION_TEMPERATURE, Mode.LESION_VOLTAGE, Mode.LESION_POWER),
            also=((Mode.LESION_TEMPERATURE, ("set_temperature_c",)),),
        ),
        Energising(
            PermitKind.STIMULATION, ("stimulation_limit",), (Mode.STIMULATION_VOLTAGE, Mode.STIMULATION_CURRENT)
        ),
    ),
    most_channels=MOST_CHANNELS,
)
