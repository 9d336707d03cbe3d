"""Signals of the stimulator, and of what must hold from the checks to RF on, as the rows compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl.kernel.expected import FLUID_UPTAKE_S, drying_per_s
from rfctl.kernel.phase import BEFORE_RF, LESION, OFF_VERIFYING, STIMULATION, STIMULATION_STARTING, Phase
from rfctl.kernel.stimulation import OPEN_OHM, allowed_amplitude
from rfctl.model.plan import Medium
from rfctl.model.reading import Mode

if TYPE_CHECKING:
    from rfctl.kernel.state import ChannelState, KernelState, Reference
    from rfctl.model.reading import ChannelReading, Reading

MODES = {"V": Mode.STIMULATION_VOLTAGE, "mA": Mode.STIMULATION_CURRENT}
EXCESS_OF = 1.0
"""V or mA: an excess is in percent of the amplitude, of at least this."""
MAY_STIMULATE = STIMULATION | STIMULATION_STARTING | OFF_VERIFYING | {Phase.ENDED}
WITHOUT_STIMULATION = frozenset(Phase) - MAY_STIMULATE
"""Phases in which the stimulator has no business to be on."""
SAME_ELECTRODE_BEFORE_RF = BEFORE_RF | {
    Phase.SENSORY_CHOICE,
    Phase.SENSORY,
    Phase.SENSORY_HIGH,
    Phase.MOTOR_CHOICE,
    Phase.MOTOR,
    Phase.ANAESTHETIC_NEXT,
    Phase.ANAESTHETIC,
    Phase.ANAESTHETIC_WAIT,
    Phase.MOVE,
    Phase.RECHECK,
}
"""Phases from the impedance check on in which another electrode makes what was found void."""
SAME_ELECTRODE = SAME_ELECTRODE_BEFORE_RF | LESION
ALPHA_PER_K = (0.007, 0.025)
"""Bounds of the share of its impedance that tissue loses with each K; what lies between them is no movement. Which of
them bounds which side depends on whether it is warmer or colder than at the reference: decision 0010.
"""
SURELY_LOST_UP_TO_K = 20.0
"""Warmer than that, as after a pause of the ramp, the resistance in series with the tissue hides what it loses more."""
TELLS_FROM_OHM = 30.0
"""With less left of the tissue's share, the noise of all of the path is taken for a change of it."""


class StimulationSignals(NamedTuple):
    """In the order of their fields in Sample. None: not applicable now."""

    stimulation_with_rf: float | None = None
    uncommanded_stimulation: float | None = None
    stimulation_mode_wrong: float | None = None
    stimulation_rate_error_hz: float | None = None
    stimulation_width_error_us: float | None = None
    stimulation_excess_pct: float | None = None
    electrode_changed: float | None = None
    electrode_open: float | None = None
    injection_change_pct: float | None = None
    impedance_high_pct: float | None = None
    impedance_low_pct: float | None = None
    tissue_high_pct: float | None = None
    result_age_s: float | None = None


QUIET = StimulationSignals(stimulation_with_rf=0.0, uncommanded_stimulation=0.0)
SAME = QUIET._replace(electrode_changed=0.0)


def stimulation_signals(
    state: KernelState, number: int, reading: Reading, impedance_mean_ohm: float | None, now_ns: int
) -> StimulationSignals:
    """The signals of channel ``number``; ``impedance_mean_ohm`` where the phase's mean is complete."""
    channel, measured = state.channels[number - 1], reading.channels[number - 1]
    phase = channel.phase
    if phase in LESION and not measured.stimulating:
        return SAME if not _changed(channel, measured) else SAME._replace(electrode_changed=1.0)
    both = uncommanded = 0.0
    if measured.stimulating:
        both = float(any(each.rf_on for each in reading.channels))
        uncommanded = float(phase in WITHOUT_STIMULATION)
    stimulator = _of_the_stimulator(state, channel, measured, now_ns) if phase in STIMULATION else NOTHING
    changed = float(_changed(channel, measured)) if phase in SAME_ELECTRODE else None
    is_open = injection_pct = high_pct = low_pct = tissue_pct = age_s = None
    reference = channel.reference if state.setup.medium is not Medium.LOAD else None
    if phase in BEFORE_RF:
        checked_ns = channel.stimulation.checked_ns
        age_s = (now_ns - checked_ns) / 1e9 if checked_ns else None
        if reference is not None and measured.impedance_fresh:
            high_pct, low_pct, tissue_pct = _since(reference, measured, now_ns)
    elif phase is Phase.ANAESTHETIC_WAIT and reference is not None:
        is_open = float(measured.impedance_fresh and not measured.impedance_ohm <= OPEN_OHM)
        if impedance_mean_ohm is not None:
            injection_pct = _change_pct(reference, impedance_mean_ohm)
    return StimulationSignals(
        both, uncommanded, *stimulator, changed, is_open, injection_pct, high_pct, low_pct, tissue_pct, age_s
    )


NOTHING = (None, None, None, None)


def _of_the_stimulator(
    state: KernelState, channel: ChannelState, measured: ChannelReading, now_ns: int
) -> tuple[float | None, float | None, float | None, float | None]:
    """Mode, rate, width and amplitude beside what was set."""
    site = state.setup.plan.sites[channel.site]
    check = site.motor if channel.phase is Phase.MOTOR else site.sensory
    rate_hz, width_us = measured.stimulation_rate_hz, measured.stimulation_width_us
    allowed = allowed_amplitude(channel.amplitude, channel.stimulation, (now_ns - channel.stepped_ns) / 1e9)
    return (
        None if measured.mode is None else float(measured.mode != MODES[check.unit]),
        None if rate_hz != rate_hz else abs(rate_hz - check.rate_hz),
        None if width_us is None else float(abs(width_us - check.width_us)),
        100.0 * (measured.stimulation_amplitude - allowed) / max(allowed, EXCESS_OF),
    )


def _change_pct(reference: Reference, mean_ohm: float) -> float:
    """Of the tissue's share, since before the injection."""
    before_ohm = reference.impedance_ohm - reference.series_ohm
    return 100.0 * (mean_ohm - reference.impedance_ohm) / before_ohm if before_ohm > 0.0 else float("nan")


def _since(reference: Reference, measured: ChannelReading, now_ns: int) -> tuple[float, float, float | None]:
    """Impedance in percent of its reference, the least and the greatest effect of warmth allowed for; and the tissue's
    share of it, the least effect of warmth allowed for, and that injected fluid is taken up.
    """
    share_pct = 100.0 * measured.impedance_ohm / reference.after_ohm
    warmer_k = measured.temperature_c - reference.after_c
    least, most = ALPHA_PER_K if warmer_k >= 0.0 else ALPHA_PER_K[::-1]
    surely = 1.0 + least * min(warmer_k, SURELY_LOST_UP_TO_K)
    high_pct, low_pct = share_pct * surely, share_pct * (1.0 + most * warmer_k)
    tissue_ohm = reference.after_ohm - reference.series_ohm
    if tissue_ohm < TELLS_FROM_OHM:
        return high_pct, low_pct, None
    taken_up_s = min((now_ns - reference.after_ns) / 1e9, FLUID_UPTAKE_S)
    dried_ohm = tissue_ohm * (1.0 + drying_per_s(reference.fluid) * taken_up_s)
    now_ohm = measured.impedance_ohm - reference.series_ohm
    return high_pct, low_pct, 100.0 * now_ohm / dried_ohm * surely


def _changed(channel: ChannelState, measured: ChannelReading) -> bool:
    """It is not the electrode of the impedance check, or none any more, as far as the generator knows either."""
    before = channel.stimulation
    return (before.present and measured.electrode_present is False) or (
        before.electrode_id != 0 and measured.electrode_id != before.electrode_id
    )
