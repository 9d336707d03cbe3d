"""What may be written to an Acme RF 1, and what each write does."""

from rfctl.link.registers import RegisterType, WordOrder
from rfctl.link.write_table import Act, Energising, Limit, Writable, WriteTable
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.reading import Mode

UNIT = 1
CHANNEL = 1
CONFIG = ((None, Act(Intent.CONFIG)),)


def _whole(quantity, address, acts=CONFIG):
    return Writable(quantity, None, address, RegisterType.U16, WordOrder.ABCD, acts)


def _of_channel(quantity, address, acts=CONFIG, scale=1.0, limit=None):
    return Writable(quantity, CHANNEL, address, RegisterType.U16, WordOrder.ABCD, acts, scale=scale, limit=limit)


def _energises(kind, name=""):
    return Act(Intent.ENERGISE, kind, name)


WRITABLES = {
    writable.quantity: writable
    for writable in (
        _whole("all_off", 200, ((1, Act(Intent.OFF)),)),
        _whole("owner", 201),
        _whole("lease_renew", 202, ((None, Act(Intent.RENEW)),)),
        _whole("fault_clear", 214),
        _of_channel(
            "command",
            203,
            (
                (0, Act(Intent.OFF, name="off")),
                (1, _energises(PermitKind.LESION, "arm")),
                (2, _energises(PermitKind.STIMULATION, "stimulate")),
            ),
        ),
        _of_channel("fire", 204, ((None, _energises(PermitKind.LESION)),)),
        _of_channel(
            "mode",
            205,
            (
                (0, Act(Intent.CONFIG, name="none")),
                (1, Act(Intent.CONFIG, name="lesion_temperature")),
                (2, Act(Intent.CONFIG, name="stimulation_voltage")),
            ),
        ),
        _of_channel("set_temperature_c", 206, scale=0.1, limit=Limit.TEMPERATURE_C),
        _of_channel("ramp_c_per_s", 207, scale=0.1),
        _of_channel("max_on_s", 208, scale=0.1, limit=Limit.DURATION_S),
        _of_channel("power_limit_w", 209, scale=0.01, limit=Limit.POWER_W),
        _of_channel("stimulation_rate_hz", 210),
        _of_channel("stimulation_width_us", 211),
        _of_channel("stimulation_limit", 212, scale=0.01, limit=Limit.STIMULATION),
        _of_channel(
            "stimulation_amplitude",
            213,
            ((None, _energises(PermitKind.STIMULATION)),),
            scale=0.01,
            limit=Limit.STIMULATION,
        ),
    )
}
TABLE = WriteTable(
    UNIT,
    tuple(WRITABLES.values()),
    (
        Energising(PermitKind.LESION, ("set_temperature_c", "max_on_s", "power_limit_w"), (Mode.LESION_TEMPERATURE,)),
        Energising(PermitKind.STIMULATION, ("stimulation_limit",), (Mode.STIMULATION_VOLTAGE,)),
    ),
)
