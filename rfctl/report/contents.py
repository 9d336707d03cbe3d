"""The words and numbers of a report: everything that the template prints, as plain values.

The wording is the field's: what was measured, to which stimulus, and how it ended; no verdict on a patient.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rfctl import __version__
from rfctl.kernel.actions import site_result
from rfctl.kernel.checks import shown
from rfctl.kernel.limits import REMOVE_BELOW_C
from rfctl.kernel.state import Stage
from rfctl.model.plan import Use
from rfctl.record.verify import Outcome
from rfctl.report.head_code import head_line, qr_code
from rfctl.report.plot import CHANNEL_STYLES, lesion_drawing, overview_unit_s, procedure_drawing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rfctl.kernel.state import CheckResult, Figures, KernelState, Reference, SiteResult, Trip
    from rfctl.kernel.stimulation import Override
    from rfctl.model.capability import SetPoint
    from rfctl.model.plan import Anaesthetic, Plan, Site, StimulationCheck
    from rfctl.model.plan import Lesion as PlannedLesion
    from rfctl.report.evidence import Evidence, Lesion
    from rfctl_verify.public_key import Key

Rows = list[list[str]]
"""Label and value, line by line."""

NOT_RECORDED = "not recorded"
STATEMENT = (
    "rfctl is software for the bench, for research and for logging. It is not a cleared medical device, and nothing "
    "here claims compliance with a standard. A generator that heats tissue needs its own over-temperature trip, its "
    "own dead-man timer, and a stop that no computer is part of.",
    "This report restates one record: every figure comes from deciding the recorded events again. It does not show "
    "that the events happened as recorded, nor that all were recorded. A motor check without a response does not prove "
    "where the electrode lay, and the temperature at the tip is not that of the tissue around it.",
)
"""What rfctl is and is not, as docs/safety.md has it, and what this report does not show."""
SIGNATURES = ("Operator", "Responsible physician or investigator", "Record verified by")
UNITS = {"Cel": "degC", "Ohm": "ohm", "1": ""}
"""UCUM codes that a person reads otherwise."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def contents(evidence: Evidence, record: Path, key_file: Path, key: Key) -> dict[str, Any]:
    """Everything the template prints. Files are named without their folder, so that a moved record gives the same
    report.
    """
    header, state = evidence.header, evidence.replayed.final
    simulated = header.get("backend") == "simulated"
    head = head_line(key.origin, evidence.head_size or evidence.verdict.records, evidence.head)
    return {
        "simulated": simulated,
        "banner": "SIMULATED" if simulated else "DEVICE",
        "banner_words": "a simulated generator: no patient, no tissue, no device" if simulated else "",
        "created": _created(header),
        "procedure_id": _text(header, "procedure_id"),
        "title": state.setup.plan.title if state else "No procedure took place",
        "alarms": list(evidence.doubts),
        "outcome": _outcome(evidence),
        "facts": _facts(evidence),
        "long-facts": _long_facts(evidence),
        "checklist": _checklist(evidence),
        "summary": _summary(evidence),
        "overview": asdict(procedure_drawing(evidence)) if state and evidence.temperatures else None,
        "overview_title": _overview_title(evidence),
        "trips": [_trip(trip, state.started_ns) for trip in state.trips] if state else [],
        "sites": [_site(evidence, state, result) for result in _results(state)] if state else [],
        "untreated": _untreated(state) if state else [],
        "events": _events(evidence),
        "record": _record(evidence, record, key_file, key),
        "commands": [
            shlex.join(["rfctl", "record", "verify", record.name, "--key", key_file.name]),
            shlex.join(["rfctl", "record", "replay", record.name, *_which(evidence)]),
        ],
        "head": head,
        "head_code": qr_code(head),
        "statement": list(STATEMENT),
        "signatures": list(SIGNATURES),
        "footer": f"record head {evidence.head[:16]}, {evidence.verdict.verdict}",
    }


def _which(evidence: Evidence) -> list[str]:
    return [] if evidence.session is None else ["--session", str(evidence.session)]


# the whole procedure


def _outcome(evidence: Evidence) -> list[str]:
    """How it ended: one word, then the sentence."""
    state = evidence.replayed.final
    if state is None:
        return ["no procedure", _sentence(evidence.error or "the record ends before the first decision")]
    if state.stage is Stage.ENDED:
        off = "Every output was verified off by measurement." if state.off_verified else ""
        return [str(state.outcome), f"{_sentence(state.ending)} {off}".strip()]
    known = f" It was ending: {_sentence(state.ending)}" if state.ending else ""
    return ["not known", f"The record ends at this stage: {state.stage}.{known}"]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _facts(evidence: Evidence) -> Rows:
    header, identity = evidence.header, evidence.identity
    simulated = " (simulated)" if header.get("backend") == "simulated" else ""
    return [
        ["station", _text(header, "station")],
        ["operator", _text(header, "operator")],
        ["generator", _text(identity, "model")],
        ["serial number", _text(identity, "serial")],
        ["firmware", _text(identity, "firmware")],
        ["channels", _generator_size(identity)],
        ["medium", f"{_text(header, 'medium')}{simulated}"],
        ["time scale", _text(header, "time_scale")],
        ["start, UTC", _utc(header, 0, first=True)],
        ["end, UTC", _utc(header, evidence.ended_ns)],
        ["software", _text(header, "software")],
        ["readings", f"{evidence.readings}, and {evidence.missed} polls without one"],
    ]


def _controlled_by(set_point: SetPoint | None) -> str:
    if set_point is None:
        return "controlled by the generator"
    return f"controlled by the station, by the generator's {set_point} set point"


def _long_facts(evidence: Evidence) -> Rows:
    """Those that need the width of the page."""
    state, before = evidence.replayed.final, evidence.header.get("previous_record_unclean")
    verdict = evidence.verdict
    rows = [["record", f"{verdict.verdict}: {verdict.detail}; {_decided_again(evidence)}"]]
    if state is not None:
        rows.append(["temperature", _controlled_by(state.setup.set_point)])
        rows.append(["plan, SHA-256", state.setup.plan.sha256])
    if isinstance(before, dict):
        name = PurePath(str(before.get("record", ""))).parent.name
        rows.append(["session before", f"{name}: ended without a seal ({before.get('verdict')})"])
    return rows + [["reset before", _reset(each)] for each in evidence.resets]


def _reset(members: Mapping[str, object]) -> str:
    """Who took it over, and why, stands where nobody can miss it."""
    imaging = f", position confirmed by imaging by {members['physician']}" if members.get("physician") else ""
    second = members.get("second")
    beside = f", with {_text(second, 'actor')}" if isinstance(second, dict) else ""
    return (
        f"{_text(members, 'latch')} Reset {_text(members, 'at')} by {_text(members, 'actor')}{beside}{imaging}: "
        f"{_text(members, 'reason')}"
    )


def _generator_size(identity: Mapping[str, object]) -> str:
    channels, power_w = identity.get("channels"), identity.get("rated_power_w")
    return f"{channels}, rated {_number(power_w, 'W', 0)} each" if isinstance(channels, int) else NOT_RECORDED


def _checklist(evidence: Evidence) -> dict[str, Any]:
    state = evidence.replayed.final
    confirmed = [moment for moment in evidence.moments if moment.text.startswith("checklist confirmed by ")]
    words = "not confirmed"
    if state is not None and confirmed:
        words = f"{confirmed[0].text}, {_clock(confirmed[0].t_ns - state.started_ns)} after the start"
    return {"items": list(state.setup.plan.checklist) if state else [], "confirmed": words}


def _summary(evidence: Evidence) -> Rows:
    """Site, electrode, sensory, motor, lesion and end, one row a site of the plan."""
    state = evidence.replayed.final
    if state is None:
        return []
    rows = []
    for result in _results(state):
        site = state.setup.plan.sites[result.site]
        lesions = [
            f"set {plan.aim}; {figures.within_2c_s:.1f} of {plan.hold_s:g} s within 2 degC, peak "
            f"{_number(figures.peak_c, 'degC', 1)}"
            for plan, figures in zip(site.lesions, result.lesions, strict=False)
        ]
        rows.append(
            [
                f"{site.name} (channel {site.channel})",
                _sensory(site, result.sensory),
                _motor(site, result.motor),
                "; then ".join(lesions) or "no RF",
                result.end_reason,
            ]
        )
    return rows + [[name, "-", "-", "no RF", "not begun"] for name in _untreated(state)]


def _overview_title(evidence: Evidence) -> str:
    state = evidence.replayed.final
    if state is None or not evidence.temperatures:
        return ""
    styles = zip(range(1, state.setup.channels + 1), CHANNEL_STYLES, strict=False)
    lines = ", ".join(f"channel {number} {style}" for number, style in styles)
    unit = "minutes" if overview_unit_s(evidence) > 1 else "seconds"
    return f"Temperature of every tip, degC over {unit} since the start ({lines})"


def _trip(trip: Trip, started_ns: int) -> list[str]:
    unit = UNITS.get(trip.unit, trip.unit)
    return [
        trip.code,
        trip.hazard,
        str(trip.channel or "all"),
        _compared(trip.measured, unit),
        _compared(trip.limit, unit),
        _clock(trip.t_ns - started_ns),
        trip.text,
    ]


def _events(evidence: Evidence) -> Rows:
    """Time since the start, channel, weight, words."""
    state = evidence.replayed.final
    started_ns = state.started_ns if state else 0
    return [
        [_clock(moment.t_ns - started_ns), str(moment.channel or ""), str(moment.weight), moment.text]
        for moment in evidence.moments
    ]


def _record(evidence: Evidence, record: Path, key_file: Path, key: Key) -> Rows:
    verdict = evidence.verdict
    return [
        ["file", record.name],
        ["procedure", _text(evidence.header, "procedure_id")],
        ["records", f"{verdict.records}{', not closed' if _unsealed(evidence) else ''}"],
        ["head, SHA-256", f"{evidence.head} over {evidence.head_size}" if evidence.head_size else evidence.head],
        ["verdict at rendering", f"{verdict.verdict}: {verdict.detail}"],
        ["decided again", _decided_again(evidence)],
        ["key file, origin", f"{key_file.name}, {key.origin}"],
        ["public key, Ed25519", key.raw.hex()],
        ["kind of key", _text(evidence.header, "key")],
        ["station file, SHA-256", _text(evidence.header, "station_sha256")],
        ["profile, SHA-256", _text(evidence.header, "profile_sha256")],
        ["recorded by", _text(evidence.header, "software")],
        ["rendered by", f"rfctl {__version__}"],
    ]


def _decided_again(evidence: Evidence) -> str:
    replayed = evidence.replayed
    if replayed.differences:
        return f"{replayed.differences} of {replayed.decisions} decisions DIFFER when decided again"
    if not replayed.decisions:
        return "there was no decision"
    return f"{replayed.decisions} decisions, all the same again"


def _unsealed(evidence: Evidence) -> bool:
    return evidence.verdict.verdict in {Outcome.UNCLEAN_END, Outcome.OPEN_TAIL, Outcome.UNSEALED}


# one site


def _results(state: KernelState) -> list[SiteResult]:
    """The sites that were begun; those under way where the record breaks off, too."""
    under_way = [
        site_result(channel, "not known: the record ends here") for channel in state.channels if channel.site >= 0
    ]
    return [*state.results, *under_way]


def _untreated(state: KernelState) -> list[str]:
    begun = {result.site for result in _results(state)}
    plan: Plan = state.setup.plan
    return [f"{site.name} (channel {site.channel})" for index, site in enumerate(plan.sites) if index not in begun]


def _site(evidence: Evidence, state: KernelState, result: SiteResult) -> dict[str, Any]:
    site = state.setup.plan.sites[result.site]
    electrode = site.electrode
    checks = [
        [
            "electrode",
            f"{electrode.gauge} G, active tip {electrode.tip_mm:g} mm" if electrode.gauge else electrode.name,
        ],
        *_impedance(result.reference, site),
        ["sensory check", _sensory(site, result.sensory)],
        ["motor check", _motor(site, result.motor)],
        *_overrides(result.overrides),
        ["anaesthetic", _anaesthetic(site.anaesthetic, result, evidence, site.channel)],
    ]
    return {
        "name": site.name,
        "channel": site.channel,
        "checks": checks,
        "lesions": [
            _delivered(evidence, state, plan, figures, evidence.lesions.get((result.site, index)))
            for index, (plan, figures) in enumerate(zip_longest(site.lesions, result.lesions))
        ],
        "end_reason": result.end_reason,
    }


def _delivered(
    evidence: Evidence, state: KernelState, plan: PlannedLesion, figures: Figures | None, lesion: Lesion | None
) -> dict[str, Any]:
    drawn = lesion_drawing(lesion, state.setup, evidence.moments) if lesion and lesion.points else None
    return {
        "planned": _planned(plan, lesion),
        "delivered": _lesion(plan, figures),
        "drawing": asdict(drawn) if drawn else None,
    }


def _impedance(reference: Reference | None, site: Site) -> Rows:
    if reference is None:
        return [["impedance", "not measured"]]
    rows = [
        ["impedance, Z_pre", f"{reference.impedance_ohm:.1f} ohm at {reference.temperature_c:.1f} degC (mean of 5 s)"],
        ["in series, R_series", f"{reference.series_ohm:.1f} ohm, the rest is the tissue's"],
    ]
    if site.anaesthetic.use is Use.REQUIRED and reference.after_ohm != reference.impedance_ohm:
        rows.append(["after anaesthetic", f"{reference.after_ohm:.1f} ohm"])
    return rows


def _stimulus(check: StimulationCheck, amplitude: float) -> str:
    return f"{shown(amplitude)} {check.unit}, {check.rate_hz:g} Hz, {check.width_us / 1000:g} ms"


def _sensory(site: Site, result: CheckResult | None) -> str:
    check = site.sensory
    if result is None:
        return "not reached"
    if not result.performed or result.amplitude is None:
        return f"not performed: {result.reason}"
    felt = f"felt at {_stimulus(check, result.amplitude)}"
    if result.amplitude > check.target + 1e-9:
        felt += f" (above the target of {check.target:g} {check.unit})"
    return felt


def _motor(site: Site, result: CheckResult | None) -> str:
    if result is None:
        return "not reached"
    if not result.performed or result.amplitude is None:
        return f"not performed: {result.reason}"
    return f"no limb or radicular response to {_stimulus(site.motor, result.amplitude)}"


def _overrides(overrides: tuple[Override, ...]) -> list[list[str]]:
    """What a person took over stands where nobody can miss it."""
    return [
        [
            f"{override.check}, taken over",
            f"{override.found}. By {override.by}"
            f"{f', position confirmed by imaging by {override.physician}' if override.physician else ''}: "
            f"{override.reason}",
        ]
        for override in overrides
    ]


def _anaesthetic(anaesthetic: Anaesthetic, result: SiteResult, evidence: Evidence, channel: int) -> str:
    if anaesthetic.use is Use.NOT_USED:
        return f"not performed: {anaesthetic.reason}"
    if not any(
        moment.channel == channel and moment.text.startswith("anaesthetic: given") for moment in evidence.moments
    ):
        return "not given"
    waited = f"{anaesthetic.wait_s:g} s waited" if result.figures is not None else f"{anaesthetic.wait_s:g} s to wait"
    return f"{anaesthetic.agent}, {anaesthetic.volume_ml:g} mL, {waited}"


def _planned(plan: PlannedLesion, lesion: Lesion | None) -> Rows:
    rows = [["before it", f"{plan.after}, confirmed by imaging"]] if plan.after else []
    rows += [
        ["set temperature" if plan.power_w is None else "set power", plan.aim],
        ["hold time", f"{plan.hold_s:g} s"],
        ["timer definition", f"counted from {plan.timer}"],
        ["ramp rate", f"{plan.ramp_c_per_s:g} degC/s"],
    ]
    if lesion is not None:
        rows += [
            ["power limit", f"{_number(lesion.power_limit_w, 'W', 1)} at terminals"],
            ["RF on at most", _number(lesion.duration_s, "s", 1)],
        ]
    return rows


def _lesion(plan: PlannedLesion, figures: Figures | None) -> Rows:
    if figures is None:
        return []
    reached = figures.hold_ns > 0
    mean_c = figures.held_k_s / figures.held_s if figures.held_s else math.nan
    return [
        [
            "ramp",
            f"{figures.ramp_s:.1f} s from {_number(figures.start_c, 'degC', 1)}, "
            f"predicted {_number(figures.predicted_ramp_s, 's', 1)}"
            if reached
            else "set temperature not reached",
        ],
        ["hold", f"{figures.held_s:.1f} of {plan.hold_s:g} s"],
        ["mean in hold", _number(mean_c, "degC", 1)],
        ["within 2 degC of set", f"{figures.within_2c_s:.1f} of {plan.hold_s:g} s"],
        ["peak", _number(figures.peak_c, "degC", 1)],
        ["overshoot", _number(max(figures.peak_c - plan.set_temperature_c, 0.0), "K", 1)],
        [
            "energy in the tissue",
            f"{_number(figures.energy_j, 'J', 1)}, predicted {_number(figures.predicted_energy_j, 'J', 1)}",
        ],
        ["energy at the generator", _number(figures.generator_energy_j, "J", 1)],
        ["power at the end of the hold", f"predicted {_number(figures.predicted_hold_w, 'W', 2)} in the tissue"],
        [f"above {REMOVE_BELOW_C:g} degC", f"{figures.above_45_k_s:.0f} degree-seconds"],
        ["interruptions of RF", str(figures.pauses + figures.ended_early)],
    ]


# forms


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) and value else NOT_RECORDED


def _number(value: object, unit: str, digits: int) -> str:
    """A number with its unit."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "no number"
    return f"{value:.{digits}f} {unit}"


def _compared(value: float, unit: str) -> str:
    """A value of a trip; a dash where the verdict was on something that happened."""
    return f"{value:.4g} {unit}".rstrip() if math.isfinite(value) else "-"


def _clock(duration_ns: int) -> str:
    """Minutes, seconds and tenths."""
    tenths = duration_ns // 100_000_000
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _moment_utc(header: Mapping[str, object], t_ns: int) -> datetime | None:
    offset_ns = header.get("wall_offset_ns")
    if not isinstance(offset_ns, int):
        return None
    try:
        return _EPOCH + timedelta(microseconds=(offset_ns + t_ns) // 1000)
    except OverflowError:
        return None


def _utc(header: Mapping[str, object], t_ns: int, *, first: bool = False) -> str:
    """The instant by the station's wall clock, a label."""
    if first:
        try:
            moment: datetime | None = datetime.fromisoformat(_text(header, "utc"))
        except ValueError:
            moment = None
    else:
        moment = _moment_utc(header, t_ns)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else NOT_RECORDED


def _created(header: Mapping[str, object]) -> list[int]:
    """The date of the PDF is the record's own: year, month, day, hour, minute, second."""
    try:
        moment = datetime.fromisoformat(_text(header, "utc"))
    except ValueError:
        moment = _EPOCH
    return [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
