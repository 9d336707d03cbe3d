"""Checks with an output on: stimulation at amplitude 0 and one short lesion at the least power. See decision 0007."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from itertools import combinations
from typing import TYPE_CHECKING

from rfctl.check.control import SESSION
from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl.errors import DeviceRefused, RefusedError
from rfctl.kernel.interlocks import has_output
from rfctl.model.capability import Capability, SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from rfctl.check.subject import Subject
    from rfctl.model.reading import ChannelReading
    from rfctl.record.writer import RecordWriter

CYCLE_S = 0.05
PERMIT_NS = 300 * NS_PER_MS
LESION = LesionSettings(set_temperature_c=45.0, ramp_c_per_s=1.0, max_on_s=4.0, power_limit_w=2.0)
VOLTAGE_V_RMS = 10.0
"""At most 2 W, the power limit, into 50 ohm and more."""
STIMULATION = StimulationSettings(unit="V", rate_hz=2.0, width_us=100, amplitude_limit=0.1)
ENVELOPE = Envelope(
    temperature_c=LESION.set_temperature_c,
    power_w=LESION.power_limit_w,
    duration_s=LESION.max_on_s,
    stimulation_v=STIMULATION.amplitude_limit,
    voltage_v_rms=VOLTAGE_V_RMS,
)
RF_S = 1.5
"""Within the generator's own timer, and below 3 J."""
RENEWED_S = 1.5
"""Longer than any lease: what is on after it is on because the lease was renewed."""
LEASE_OVER_S = 1.6
OFF_WITHIN_S = 1.0
HOTTEST_C = 50.0
POWER_ALLOWED = 1.2
LEAST_RISE_K = 0.2
"""Of the tip in that time: half a watt in the tissue of the coarsest electrode gives more."""
AGREE = 0.1
"""Between the meters of one channel."""
LEAST_W = 0.05
"""Below this the meters' steps are too coarse to compare."""


class Energy:
    """The only place of a check that grants permits: after the intent is durable, and while each sample is harmless."""

    def __init__(self, subject: Subject, record: RecordWriter) -> None:
        self._subject = subject
        self._record = record
        self._samples: list[ChannelReading] = []
        self._uptimes: list[tuple[int | None, int]] = []

    async def intend(self) -> None:
        """Put on disk what may be done, before the first energising frame.

        Raises:
            RecordError: It is not on disk.
        """
        now_ns = self._subject.clock.monotonic_ns()
        envelope = {"channel": self._subject.channel, **asdict(ENVELOPE)}
        self._record.append("check_intent", now_ns, envelope, significant=True)
        await self._record.durable()

    async def check_lease(self) -> None:
        """Renewals keep the stimulator on, at amplitude 0; without them it stops, however often it is read."""
        subject, findings = self._subject, self._subject.findings
        await self._prepare(PermitKind.STIMULATION)
        await subject.generator.configure_stimulation(subject.channel, STIMULATION)
        await subject.generator.start_stimulation(subject.channel)
        shown = await self._cycles(RENEWED_S, PermitKind.STIMULATION)
        findings.judge(
            "lease renewed", _outputs(shown), f"stimulating at 0 V after {RENEWED_S:g} s of renewals",
            "write.lease_renew", findings.status_key("stimulating", channel=True),
            good=shown.stimulating is True and shown.stimulation_amplitude == 0.0,
        )  # fmt: skip
        left_ms = (await subject.generator.read()).lease_remaining_ms
        lease_ms = subject.profile.file.lease.duration_ms
        findings.judge(
            "lease remaining", f"{left_ms} ms", f"1 to {lease_ms} ms while the lease runs",
            findings.status_key("lease_remaining_ms", channel=False), "lease.duration_ms",
            good=0 < left_ms <= lease_ms,
        )  # fmt: skip
        ended_s = await self._until_off(LEASE_OVER_S)
        findings.judge(
            "lease expiry",
            "still on" if ended_s is None else f"off {ended_s * 1000:.0f} ms after the last renewal",
            f"off within {lease_ms} ms and a sample, though it is read all the time",
            "lease.duration_ms", "write.lease_renew",
            good=ended_s is not None and ended_s <= lease_ms / 1000 + 0.1 + 2 * subject.sample_s,
        )  # fmt: skip
        await self._off("off after the lease")

    async def check_lesion(self) -> None:
        """Arm, fire, RF as measured, off while on, and a token that fires once."""
        subject, findings = self._subject, self._subject.findings
        token = await self._armed()
        shown = await subject.generator.read()
        if shown.channels[subject.channel - 1].arm_token:
            findings.good("arm", f"token {token}")
        self._grant(PermitKind.LESION)
        await subject.generator.fire(subject.channel, token)
        if Capability.THERMAL not in subject.identity.capabilities:
            self._grant(PermitKind.LESION)
            await subject.generator.set_voltage(subject.channel, VOLTAGE_V_RMS)
        before_c = shown.channels[subject.channel - 1].temperature_c
        after = await self._cycles(RF_S, PermitKind.LESION)
        findings.judge(
            "fire", _outputs(after), "RF measured on", findings.status_key("rf_on", channel=True), "write.fire",
            good=after.rf_on,
        )  # fmt: skip
        self._check_rf_clock()
        self._check_meters()
        self._check_heating(before_c, after.temperature_c)
        await self._off("off while on")
        await self._refuse_token(token, "a used token")

    async def check_wrong_token(self) -> None:
        """A token that the generator did not give fires nothing."""
        token = await self._armed()
        if not (await self._subject.generator.read()).channels[self._subject.channel - 1].arm_token:
            self._subject.findings.not_run("fire with a wrong token", "the generator gives no token")
            self._subject.connection.off()
            return
        await self._refuse_token(token ^ 1, "a wrong token", armed=True)

    async def end(self) -> None:
        """Everything off, and given back."""
        self._subject.connection.off()
        await asyncio.sleep(CYCLE_S)
        await self._subject.generator.release()

    async def _refuse_token(self, token: int, name: str, *, armed: bool = False) -> None:
        subject = self._subject
        if not armed:
            await self._prepare(PermitKind.LESION)
            await self._configure()
        self._grant(PermitKind.LESION)
        try:
            await subject.generator.fire(subject.channel, token)
        except DeviceRefused as refused:
            seen, good = refused.what, True
        else:
            seen, good = "accepted", False
        shown = await subject.fresh_channel()
        subject.findings.judge(
            f"fire with {name}", f"{seen}; {_outputs(shown)}", "refused, and nothing on", "write.fire",
            good=good and not has_output(shown),
        )  # fmt: skip
        subject.connection.off()
        await asyncio.sleep(CYCLE_S)

    async def _armed(self) -> int:
        await self._prepare(PermitKind.LESION)
        await self._configure()
        self._grant(PermitKind.LESION)
        return await self._subject.generator.arm(self._subject.channel)

    async def _prepare(self, kind: PermitKind) -> None:
        """Off, owned, no fault, and a lease that runs."""
        subject = self._subject
        subject.connection.off()
        await asyncio.sleep(CYCLE_S)
        await subject.generator.claim(SESSION)
        await subject.generator.clear_faults()
        self._grant(kind)
        await subject.generator.renew()

    async def _configure(self) -> None:
        subject = self._subject
        self._grant(PermitKind.LESION)
        if Capability.THERMAL in subject.identity.capabilities:
            await subject.generator.configure_lesion(subject.channel, LESION)
        else:
            bounds = SetPointSettings(SetPoint.VOLTAGE, LESION.max_on_s, LESION.power_limit_w)
            await subject.generator.configure_set_point(subject.channel, bounds)

    async def _cycles(self, seconds: float, kind: PermitKind) -> ChannelReading:
        """Sample, judge, and only then let the output stay on. Returns: the last sample.

        Raises:
            RefusedError: A sample was not harmless; off has been sent.
        """
        subject = self._subject
        self._samples, self._uptimes = [], []
        shown = None
        for _ in range(round(seconds / CYCLE_S)):
            reading = await subject.generator.read()
            shown = reading.channels[subject.channel - 1]
            self._require_harmless(shown)
            self._samples.append(shown)
            self._uptimes.append((reading.uptime_ms, reading.received_ns))
            self._grant(kind)
            await subject.generator.renew()
            await asyncio.sleep(CYCLE_S)
        assert shown is not None  # noqa: S101 - there is at least one cycle
        return shown

    def _require_harmless(self, shown: ChannelReading) -> None:
        most_w = POWER_ALLOWED * LESION.power_limit_w
        open_ = math.isnan(shown.temperature_c) and self._subject.medium is not Medium.LOAD
        for what, wrong in (
            ("the thermocouple is open", open_),
            (f"{shown.temperature_c:g} degC, above {HOTTEST_C:g}", shown.temperature_c > HOTTEST_C),
            (f"{shown.power_w:g} W, above {most_w:g}", shown.power_w > most_w),
            (f"{shown.stimulation_amplitude:g} V of stimulation, above 0", shown.stimulation_amplitude > 0.0),
            (f"fault bits {shown.fault_bits:#x}", shown.fault_bits != 0),
        ):
            if wrong:
                self._subject.connection.off()
                raise RefusedError(f"turned off by the check: {what}", remedy="See the rows above.")

    def _grant(self, kind: PermitKind) -> None:
        subject = self._subject
        expires_ns = subject.clock.monotonic_ns() + PERMIT_NS
        subject.connection.link.grant(Permit(subject.channel, kind, ENVELOPE, expires_ns))

    async def _until_off(self, within_s: float) -> float | None:
        """Read until nothing is on. Returns: after how many seconds; None for not at all."""
        subject = self._subject
        begun_ns = subject.clock.monotonic_ns()
        while (elapsed_ns := subject.clock.monotonic_ns() - begun_ns) < within_s * NS_PER_S:
            reading = await subject.generator.read()
            if not any(has_output(channel) for channel in reading.channels):
                return elapsed_ns / NS_PER_S
            await asyncio.sleep(0.01)
        return None

    async def _off(self, name: str) -> None:
        subject = self._subject
        subject.connection.off()
        after_s = await self._until_off(OFF_WITHIN_S)
        subject.findings.judge(
            name,
            "still on" if after_s is None else f"measured off after {after_s * 1000:.0f} ms",
            f"measured off within {OFF_WITHIN_S * 1000:.0f} ms",
            "write.all_off", subject.findings.status_key("rf_on", channel=True),
            good=after_s is not None,
        )  # fmt: skip

    def _check_rf_clock(self) -> None:
        """The time since RF on advances as our clock does."""
        on = [(s.rf_on_ms, at[1]) for s, at in zip(self._samples, self._uptimes, strict=True) if s.rf_on]
        counted = [rf_on_ms for rf_on_ms, _ in on if rf_on_ms is not None]
        findings, key = self._subject.findings, self._subject.findings.status_key("rf_on_ms", channel=True)
        if len(on) < 2:
            findings.not_run("time since RF on", "RF was not seen on twice")
            return
        if len(counted) < len(on):
            findings.not_run("time since RF on", "the generator does not count it")
            return
        counted_ms, elapsed_ms = counted[-1] - counted[0], (on[-1][1] - on[0][1]) / NS_PER_MS
        findings.judge(
            "time since RF on", f"+{counted_ms} ms in {elapsed_ms:.0f} ms", "our clock within 100 ms", key,
            good=abs(counted_ms - elapsed_ms) <= 100 + 2 * self._subject.identity.sample_period_ms,
        )  # fmt: skip

    def _check_meters(self) -> None:
        """Voltage, current, power and impedance agree; where they do not, which one would mend it."""
        findings = self._subject.findings
        sample = max(self._samples, key=lambda s: s.power_w if math.isfinite(s.power_w) else -1.0)
        meters = {
            "voltage_v_rms": sample.voltage_v_rms,
            "current_ma_rms": sample.current_ma_rms,
            "power_w": sample.power_w,
            "impedance_ohm": sample.impedance_ohm,
        }
        shown = ", ".join(f"{name} {value:.4g}" for name, value in meters.items())
        if not any(value > LEAST_W for value in (sample.power_w, sample.voltage_v_rms * sample.current_ma_rms / 1000)):
            findings.bad("meters", shown, f"above {LEAST_W:g} W while RF is on", *self._keys(("power_w",)))
            return
        findings.judge(
            "meters", shown, f"V = I Z and P = V I within {AGREE:.0%}", *self._keys(wrong_meters(meters)),
            good=not wrong_meters(meters),
        )  # fmt: skip
        band, current = sample.rf_band_current_ma_rms, sample.current_ma_rms
        if not math.isnan(band):
            findings.judge(
                "second current meter", f"{band:.4g} mA, first {current:.4g} mA", f"the same within {2 * AGREE:.0%}",
                *self._keys(("rf_band_current_ma_rms", "current_ma_rms")),
                good=abs(band - current) <= 2 * AGREE * max(band, current),
            )  # fmt: skip

    def _check_heating(self, before_c: float, after_c: float) -> None:
        findings = self._subject.findings
        if self._subject.medium is Medium.LOAD:
            findings.not_run("heating", "a test load has no tip")
            return
        findings.judge(
            "heating", f"{before_c:g} to {after_c:g} degC in {RF_S:g} s", "the tip's thermocouple sees the power",
            *self._keys(("temperature_c", "cold_junction_c")),
            good=after_c >= before_c + max(LEAST_RISE_K, 2 * self._resolution_k()),
        )  # fmt: skip

    def _resolution_k(self) -> float:
        return self._subject.identity.traits[self._subject.channel - 1].temperature_resolution_k

    def _keys(self, quantities: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._subject.findings.status_key(quantity, channel=True) for quantity in quantities)


def wrong_meters(meters: dict[str, float]) -> tuple[str, ...]:
    """Which meters may be wrong, for with them mended all agree: none, one, a swapped pair, or all of them.

    A swapped pair goes before a single meter, because it is the rarer agreement.

    Args:
        meters: V rms, mA rms, W and ohm, by the names of ChannelReading.
    """
    if _agree(meters):
        return ()
    swapped = [
        name
        for one, other in combinations(meters, 2)
        if _agree(meters | {one: meters[other], other: meters[one]})
        for name in (one, other)
    ]
    single = [name for name in meters if any(_agree(meters | {name: value}) for value in _mended(meters, name))]
    return tuple(dict.fromkeys([*swapped, *single])) or tuple(meters)


def _mended(meters: dict[str, float], name: str) -> list[float]:
    """What a meter would have to show, by each pair of the others."""
    volt, ampere, ohm = meters["voltage_v_rms"], meters["current_ma_rms"] / 1000, meters["impedance_ohm"]
    ways: dict[str, Callable[[], float]] = {
        "voltage_v_rms": lambda: ampere * ohm,
        "current_ma_rms": lambda: volt / ohm * 1000,
        "power_w": lambda: volt * ampere,
        "impedance_ohm": lambda: volt / ampere,
    }
    try:
        return [ways[name]()]
    except ZeroDivisionError:
        return []


def _agree(meters: dict[str, float]) -> bool:
    volt, ampere = meters["voltage_v_rms"], meters["current_ma_rms"] / 1000
    watt, ohm = meters["power_w"], meters["impedance_ohm"]
    if not all(math.isfinite(value) and value > 0 for value in (volt, ampere, watt, ohm)):
        return False
    return abs(volt / (ampere * ohm) - 1) <= AGREE and abs(watt / (volt * ampere) - 1) <= AGREE


def _outputs(shown: ChannelReading) -> str:
    parts = [f"RF {'on' if shown.rf_on else 'off'}, {shown.power_w:.3g} W"]
    parts.append(f"stimulator {'on' if shown.stimulating else 'off'}, {shown.stimulation_amplitude:g}")
    return "; ".join(parts)
