"""Checks that only look: identity, time, and whether every quantity is what it can be with no output on."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.model.permit import Intent
from rfctl.model.plan import Medium
from rfctl.model.reading import Mode
from rfctl.profile.known import in_words, key_of, knows
from rfctl.station.connection import framing_of

if TYPE_CHECKING:
    from rfctl.check.subject import Subject
    from rfctl.model.reading import Reading

UPTIME_TOLERANCE = 0.02
"""Host against device, limits.md: clock rate."""
UPTIME_NS = 10 * NS_PER_S
RESOLUTIONS = 100
"""Of the device's counter, at least, in the time over which the clocks are compared."""
LOOKS = 20
COUNT_TOLERANCE = 0.1
SMALLEST = 1e-9
"""No meter shows less than this but 0: it is what misread halves of a number look like."""


@dataclass(frozen=True, slots=True)
class Plausible:
    """What a quantity of a channel can be with no output on.

    Attributes:
        quantity: Its name in ChannelReading.
        low: Smallest.
        high: Largest.
        unit: For messages.
        absent: Not-a-number is fine, too.
    """

    quantity: str
    low: float
    high: float
    unit: str = ""
    absent: bool = False


AT_REST = (
    Plausible("cold_junction_c", 5.0, 60.0, "degC", absent=True),
    Plausible("voltage_v_rms", 0.0, 2.0, "V"),
    Plausible("current_ma_rms", 0.0, 20.0, "mA"),
    Plausible("rf_band_current_ma_rms", 0.0, 20.0, "mA", absent=True),
    Plausible("power_w", 0.0, 0.2, "W"),
    Plausible("mode", min(Mode), max(Mode)),
    Plausible("stimulation_width_us", 0, 5000, "us"),
    Plausible("stimulation_rate_hz", 0.0, 500.0, "Hz"),
    Plausible("stimulation_amplitude", 0.0, 0.0),
    Plausible("rf_on", 0, 0),
    Plausible("stimulating", 0, 0),
    Plausible("fault_bits", 0, 0),
    Plausible("rf_on_ms", 0, 0, "ms"),
    Plausible("arm_token", 0, 0),
)
IN_MEDIUM = {
    Medium.TISSUE: (
        Plausible("temperature_c", 15.0, 45.0, "degC"),
        Plausible("impedance_ohm", 50.0, 1000.0, "ohm"),
    ),
    Medium.PHANTOM: (
        Plausible("temperature_c", 5.0, 60.0, "degC"),
        Plausible("impedance_ohm", 20.0, 2000.0, "ohm"),
    ),
    Medium.LOAD: (
        Plausible("temperature_c", 5.0, 60.0, "degC", absent=True),
        Plausible("impedance_ohm", 10.0, 3000.0, "ohm", absent=True),
    ),
}


def check_identity(subject: Subject) -> None:
    """What the generator says of itself once it has passed every expected value of the profile."""
    identity, findings, tried = subject.identity, subject.findings, subject.profile.known
    shown = f"{identity.model} {identity.serial}, firmware {identity.firmware}, {identity.channels} channels"
    findings.good("identity", shown, "every value that the profile expects")
    texts = {"model": identity.model, "serial": identity.serial, "firmware": identity.firmware}
    garbled = [name for name, text in texts.items() if not text or not text.isascii() or not text.isprintable()]
    findings.judge(
        "identity texts",
        ", ".join(f"{name} {text!r}" for name, text in texts.items()),
        "readable texts",
        *(f"identity.{name}" for name in garbled),
        good=not garbled,
    )
    findings.judge(
        "model and firmware",
        f"{identity.model!r} with firmware {identity.firmware!r}",
        f"what the profile was tried on: {in_words(tried)}",
        key_of(tried, identity.model),
        good=knows(tried, identity.model, identity.firmware),
    )
    numbers = (
        ("rated_power_w", identity.rated_power_w, 1.0, 200.0, "W"),
        ("reply_ms", float(identity.reply_ms), 1.0, 1000.0, "ms"),
        ("sample_period_ms", float(identity.sample_period_ms), 1.0, 1000.0, "ms"),
    )
    for name, value, low, high, unit in numbers:
        findings.judge(
            f"identity {name}", f"{value:g} {unit}", f"{low:g} to {high:g} {unit}", f"identity.{name}",
            good=low <= value <= high,
        )  # fmt: skip
    for number, trait in enumerate(identity.traits, 1):
        resolution, noise = trait.temperature_resolution_k, trait.temperature_noise_k
        findings.judge(
            f"thermocouple input of channel {number}",
            f"resolution {resolution:g} K, noise {noise:g} K",
            "resolution 0.001 to 2 K, noise 0 to 2 K or not stated",
            *(["traits.temperature_resolution_k"] if not 0.001 <= resolution <= 2 else []),
            *(["traits.temperature_noise_k"] if not (math.isnan(noise) or 0 <= noise <= 2) else []),
            good=0.001 <= resolution <= 2 and (math.isnan(noise) or 0 <= noise <= 2),
        )


async def check_samples(subject: Subject) -> None:
    """Block reads, time to answer, freshness, and the plausibility of every quantity, over about a second."""
    findings, identity = subject.findings, subject.identity
    readings: list[Reading] = []
    slowest_ns = 0
    await subject.fresh()  # the answers to the off at connect are over
    for _ in range(LOOKS):
        asked_ns = subject.clock.monotonic_ns()
        readings.append(await subject.generator.read())
        slowest_ns = max(slowest_ns, readings[-1].received_ns - asked_ns)
        await asyncio.sleep(max(0.05, 2 * subject.sample_s))
    findings.good("block reads", f"{LOOKS} samples of {len(readings[0].channels)} channels, each answered whole")
    deadline_ns = _deadline_ns(subject)
    findings.judge(
        "time to answer",
        f"at most {slowest_ns / NS_PER_MS:.1f} ms",
        f"{identity.reply_ms} ms stated, {deadline_ns / NS_PER_MS:.1f} ms with wire and allowance",
        "identity.reply_ms",
        good=slowest_ns <= deadline_ns,
    )
    _check_counter(subject, readings)
    for row in (*IN_MEDIUM[subject.medium], *AT_REST):
        _check_quantity(subject, readings, row)
    _check_generator(subject, readings)
    disagreeing = [
        number
        for number in range(1, identity.channels + 1)
        if any(
            r.channels[number - 1].thermocouple_open != math.isnan(r.channels[number - 1].temperature_c)
            for r in readings
        )
    ]
    findings.judge(
        "open thermocouple",
        f"channels {disagreeing} disagree" if disagreeing else "flag and temperature agree",
        "flagged exactly while the temperature is not-a-number",
        findings.status_key("thermocouple_open", channel=True),
        findings.status_key("temperature_c", channel=True),
        good=not disagreeing,
    )


async def check_clock(subject: Subject) -> None:
    """The generator's clock against ours, over 10 s or 100 steps of its counter."""
    first = await subject.generator.read()
    if first.uptime_ms is None:
        subject.findings.not_run("uptime", "the generator has no clock that can be read")
        return
    uptimes_ms = [first.uptime_ms]
    while True:
        await asyncio.sleep(0.5)
        latest = await subject.generator.read()
        uptimes_ms.append(latest.uptime_ms or 0)
        elapsed_ns = latest.received_ns - first.received_ns
        step_ms = math.gcd(*(uptime_ms - uptimes_ms[0] for uptime_ms in uptimes_ms))
        if elapsed_ns >= max(UPTIME_NS, RESOLUTIONS * (step_ms if step_ms >= 1000 else 0) * NS_PER_MS):
            break
    counted_ms = uptimes_ms[-1] - uptimes_ms[0]
    ratio = counted_ms / (elapsed_ns / NS_PER_MS)
    subject.findings.judge(
        "uptime",
        f"{counted_ms} ms counted in {elapsed_ns / NS_PER_MS:.0f} ms",
        f"the host's clock within {UPTIME_TOLERANCE:.0%}",
        subject.findings.status_key("uptime_ms", channel=False),
        good=abs(ratio - 1) <= UPTIME_TOLERANCE,
    )


def _check_counter(subject: Subject, readings: list[Reading]) -> None:
    findings, period_ms = subject.findings, subject.identity.sample_period_ms
    counted = readings[-1].sample_counter - readings[0].sample_counter
    elapsed_ms = (readings[-1].received_ns - readings[0].received_ns) / NS_PER_MS
    steps = [after.sample_counter - before.sample_counter for before, after in pairwise(readings)]
    expected = elapsed_ms / period_ms
    good = min(steps) > 0 and abs(counted - expected) <= max(2, COUNT_TOLERANCE * expected)
    findings.judge(
        "sample counter",
        f"+{counted} in {elapsed_ms:.0f} ms, steps {min(steps)} to {max(steps)}",
        f"+{expected:.0f}: one each {period_ms} ms",
        findings.status_key("sample_counter", channel=False),
        "identity.sample_period_ms",
        good=good,
    )


def _check_quantity(subject: Subject, readings: list[Reading], row: Plausible) -> None:
    findings = subject.findings
    for number in range(1, subject.identity.channels + 1):
        values = [getattr(reading.channels[number - 1], row.quantity) for reading in readings]
        known = all(isinstance(value, int | float) for value in values)
        finite = [value for value in values if not math.isnan(value)] if known else []
        if not known or (not finite and findings.lacks(row.quantity, channel=True)):
            findings.not_run(f"{row.quantity} of channel {number}", "this generator does not have it")
            continue
        good = (row.absent or len(finite) == len(values)) and all(
            row.low <= value <= row.high and not 0 < abs(value) < SMALLEST for value in finite
        )
        findings.judge(
            f"{row.quantity} of channel {number}",
            _span(values, row.unit),
            f"{row.low:g} to {row.high:g} {row.unit}".strip() + (" or not-a-number" if row.absent else ""),
            findings.status_key(row.quantity, channel=True),
            good=good,
        )


def _check_generator(subject: Subject, readings: list[Reading]) -> None:
    findings = subject.findings
    monitored = subject.identity.pad_monitored
    rows = (
        ("lease_remaining_ms", lambda v: 0 <= v <= 10_000, "0 to 10000 ms"),
        ("fault_bits", lambda v: v == 0, "0, no fault"),
        ("owner", lambda v: 0 <= v <= 0xFFFF, "0 to 65535"),
        ("pad_status", lambda v: v in ({1, 2, 3} if monitored else {0, 1, 2, 3}), "a state of the pad"),
        ("pad_ohm", lambda v: (math.isnan(v) and not monitored) or 0 < v < 5000, "0 to 5000 ohm while monitored"),
    )
    for quantity, plausible, expected in rows:
        values = [getattr(reading, quantity) for reading in readings]
        if not all(isinstance(value, int | float) for value in values):
            findings.not_run(quantity, "this generator does not have it")
            continue
        findings.judge(
            quantity,
            _span(values, ""),
            expected,
            findings.status_key(quantity, channel=False),
            good=all(plausible(value) for value in values),
        )


def _deadline_ns(subject: Subject) -> int:
    """Longest time from asking for a sample to having it: every request of it, each with its way and its allowance."""
    framing, table = framing_of(subject.connection.link.address), subject.generator.table()
    reads = [pdu for pdu in subject.generator.cycle() if table.classify(pdu).intent is Intent.READ]
    return sum(framing.exchange_ns(pdu) + framing.gap_ns + subject.connection.link.reply_ns for pdu in reads)


def _span(values: list[float], unit: str) -> str:
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        return "not-a-number"
    low, high = min(finite), max(finite)
    text = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    text = f"{text} {unit}".strip()
    return text if len(finite) == len(values) else f"{text}, not-a-number {len(values) - len(finite)} times"
