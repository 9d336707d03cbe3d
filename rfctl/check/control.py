"""Checks that write, with every output off and nothing that could turn one on: no permit is ever granted here."""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl.errors import DeviceError, DeviceRefused, ReadBackMismatch, RefusedError
from rfctl.kernel.interlocks import has_output
from rfctl.link.modbus import write
from rfctl.link.registers import Space, encode
from rfctl.model.capability import Capability, SetPoint
from rfctl.model.permit import Intent
from rfctl.model.reading import Mode
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
from rfctl.profile.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rfctl.check.subject import Subject

SESSION = 1
OFF_WITHIN_NS = 500 * NS_PER_MS
TOO_MUCH = 10
"""Times the rating: no machine may take it for a power limit."""
LOWEST = (45.0, 0.1, 1.0, 0.5)
"""Set temperature, ramp, lesion timer, power limit: near the lower end of every machine, so that a scale that is ten
times too large falls out of its range."""
HIGHEST = (90.0, 5.0, 720.0)
"""The same near the upper end, for a scale that is ten times too small; the power limit is the rating."""
PULSES = ((2.0, 100), (200.0, 1000))
"""Rate and width near both ends."""


async def check_off(subject: Subject) -> None:
    """The generator accepts every off frame, and measures off afterwards."""
    findings, link = subject.findings, subject.connection.link
    table, frames = subject.generator.table(), subject.generator.off_frames()
    for number, frame in enumerate(frames, 1):
        key = f"write.{table.classify(frame).actions[0].target.quantity}"
        name = f"off frame {number} of {len(frames)}"
        try:
            await link.transact(frame, Intent.OFF, unit=table.unit)
        except DeviceRefused as refused:
            findings.bad(name, f"{refused}", "off is accepted from anyone, in any state", key)
        else:
            findings.good(name, f"{frame.hex()} accepted")
    subject.connection.off()
    reading = await subject.fresh()
    on = [number for number, channel in enumerate(reading.channels, 1) if has_output(channel)]
    findings.judge(
        "measured off",
        f"an output on channels {on}" if on else "no output on any channel",
        "no output after off",
        findings.status_key("rf_on", channel=True),
        findings.status_key("stimulating", channel=True),
        good=not on,
    )


async def check_claim(subject: Subject) -> bool:
    """Claim and release. Returns: the generator can be claimed."""
    findings = subject.findings
    try:
        before = list(subject.connection.link.trace)[-1]
        await subject.generator.claim(SESSION)
        if list(subject.connection.link.trace)[-1] == before:
            findings.not_run("claim and release", "this generator has no log-on but its lease")
            return True
        owner = (await subject.fresh()).owner
        findings.judge(
            "claim",
            f"owner {owner}",
            f"owner {SESSION}",
            findings.status_key("owner", channel=False),
            good=owner == SESSION,
        )
        await subject.generator.release()
        owner = (await subject.fresh()).owner
        findings.judge(
            "release", f"owner {owner}", "owner 0", findings.status_key("owner", channel=False), good=owner == 0
        )
        await subject.generator.claim(SESSION)
    except DeviceError as problem:
        findings.bad("claim and release", str(problem), "accepted and read back", *(problem.keys or ("write.owner",)))
        return False
    return True


async def check_set_points(subject: Subject) -> None:
    """Set points at both ends of what machines take are held as they were written."""
    identity, generator, channel = subject.identity, subject.generator, subject.channel
    highest_w = identity.rated_power_w
    if Capability.THERMAL in identity.capabilities:
        for settings in (LesionSettings(*LOWEST), LesionSettings(*HIGHEST, highest_w)):
            name = f"set points {settings.set_temperature_c:g} degC, {settings.power_limit_w:g} W"
            await _held(subject, name, partial(generator.configure_lesion, channel, settings), settings)
        mode = (await subject.fresh_channel()).mode
        if mode is not None:
            subject.findings.judge(
                "mode in force", _mode(mode), _mode(Mode.LESION_TEMPERATURE),
                subject.findings.status_key("mode", channel=True), "write.mode",
                good=mode == Mode.LESION_TEMPERATURE,
            )  # fmt: skip
    elif Capability.VOLTAGE_SET_POINT in identity.capabilities:
        for power_w, on_s in ((0.5, 1.0), (highest_w, 720.0)):
            bounds = SetPointSettings(SetPoint.VOLTAGE, on_s, power_w)
            await _energy_refused(subject, partial(generator.configure_set_point, channel, bounds), bounds)
    if Capability.STIMULATION_V in identity.capabilities:
        for rate_hz, width_us in PULSES:
            await _check_pulses(subject, StimulationSettings("V", rate_hz, width_us, 1.0))
    subject.connection.off()


async def check_refusal(subject: Subject) -> None:
    """A value beyond the rating is refused, and the refusal is seen."""
    too_much_w = TOO_MUCH * subject.identity.rated_power_w
    expected = f"{too_much_w:g} W refused: {TOO_MUCH} times the rating"
    try:
        await subject.generator.lower_power_limit(subject.channel, too_much_w)
    except RefusedError as refused:
        subject.findings.good("a refused write", f"refused by the gate already: {refused.what}", expected)
    except DeviceRefused as refused:
        subject.findings.good("a refused write", refused.what, expected)
    except ReadBackMismatch as mismatch:
        subject.findings.good("a refused write", f"not refused, but seen: {mismatch.what}", expected)
    else:
        subject.findings.bad("a refused write", "accepted", expected, "identity.rated_power_w", "write.power_limit_w")


async def check_no_energy_without_permit(subject: Subject) -> None:
    """The gate keeps what energises in: nothing reaches the generator."""
    generator, channel = subject.generator, subject.channel
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "arm": partial(generator.arm, channel),
        "fire": partial(generator.fire, channel, 1),
    }
    if Capability.STIMULATION_V in subject.identity.capabilities:
        calls["stimulate"] = partial(generator.start_stimulation, channel)
    for name, call in calls.items():
        try:
            await call()
        except RefusedError as refused:
            subject.findings.good(f"{name} without a permit", refused.what, "refused by the gate")
        except DeviceRefused as refused:
            subject.findings.good(f"{name} without a permit", refused.what, "refused, here by the generator already")
        else:
            subject.findings.bad(f"{name} without a permit", "sent", "refused by the gate", f"write.{name}")
    await asyncio.sleep(subject.sample_s)


async def _check_pulses(subject: Subject, settings: StimulationSettings) -> None:
    """Rate and width are held, and in force by the status; the output stays off."""
    findings = subject.findings
    call = partial(subject.generator.configure_stimulation, subject.channel, settings)
    if not await _held(subject, f"set points {_shown(settings)}", call, settings):
        return
    shown = await subject.fresh_channel()
    for quantity, value, meant in (
        ("stimulation_rate_hz", shown.stimulation_rate_hz, settings.rate_hz),
        ("stimulation_width_us", shown.stimulation_width_us, settings.width_us),
    ):
        if value is None or math.isnan(value):
            continue  # not in its status; it was read back where it was written
        findings.judge(
            f"{quantity} in force",
            f"{value:g}",
            f"{meant:g}, as written",
            findings.status_key(quantity, channel=True),
            f"write.{quantity}",
            good=abs(value - meant) <= 0.01 * meant,
        )


async def _energy_refused(subject: Subject, call: Callable[[], Awaitable[None]], settings: object) -> bool:
    """Set points that end in a frame that energises: held, and that frame refused by the gate."""

    async def all_but_energy() -> None:
        try:
            await call()
        except RefusedError:
            return
        except DeviceRefused as refused:
            if set(refused.keys) & {f"write.{quantity}" for quantity in _quantities(settings)}:
                raise
            return  # all set points were taken; without a lease the generator refuses the rest itself
        else:
            raise DeviceError("the gate let an energising frame pass without a permit", keys=("write.command",))

    return await _held(subject, f"set points {_shown(settings)}", all_but_energy, settings)


async def _held(subject: Subject, name: str, call: Callable[[], Awaitable[None]], settings: object) -> bool:
    findings = subject.findings
    try:
        await call()
    except DeviceError as problem:
        keys = await _narrowed(subject, problem, settings) or problem.keys or ("write",)
        findings.bad(name, str(problem), "accepted and read back the same", *keys)
        return False
    findings.good(name, "accepted and read back the same")
    return True


async def _narrowed(subject: Subject, problem: DeviceError, settings: object) -> tuple[str, ...]:
    """Of several set points that were refused together in one Modbus frame, those that are refused alone."""
    profile = subject.profile
    if len(problem.keys) < 2 or not isinstance(problem, DeviceRefused) or not isinstance(profile, Profile):
        return ()
    values = {f"write.{quantity}": value for quantity, value in _quantities(settings).items()}
    refused = []
    for key in problem.keys:
        place = profile.writable(key.removeprefix("write."), subject.channel)
        if place.space is not Space.HOLDING or key not in values:
            continue
        try:
            data = encode(values[key] / place.scale - place.shift, place.type, place.order)
            await subject.connection.link.transact(write(place.address, data), Intent.CONFIG, unit=profile.unit)
        except (DeviceRefused, RefusedError, ValueError):
            refused.append(key)
    return tuple(refused)


def _quantities(settings: object) -> dict[str, float]:
    """The values of settings by the names that profiles give them."""
    match settings:
        case LesionSettings():
            return asdict(settings)
        case SetPointSettings():
            return {"max_on_s": settings.max_on_s, "power_limit_w": settings.power_limit_w}
        case StimulationSettings():
            limits = dict.fromkeys(("stimulation_limit", "stimulation_limit_v"), settings.amplitude_limit)
            return {"stimulation_rate_hz": settings.rate_hz, "stimulation_width_us": settings.width_us} | limits
    return {}


def _shown(settings: object) -> str:
    match settings:
        case StimulationSettings():
            return (
                f"{settings.rate_hz:g} Hz, {settings.width_us} us, up to {settings.amplitude_limit:g} {settings.unit}"
            )
        case SetPointSettings():
            return f"{settings.max_on_s:g} s, {settings.power_limit_w:g} W"
    return str(settings)


def _mode(value: int) -> str:
    return Mode(value).name.lower() if value in set(Mode) else str(value)
