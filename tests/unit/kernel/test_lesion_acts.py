"""What the transitions of a lesion do, each by itself: the envelope, the words to the generator, what is remembered."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rfctl.kernel import actions, regulator
from rfctl.kernel.actions import f32
from rfctl.kernel.effects import (
    Arm,
    Ask,
    ChannelOff,
    Claim,
    Configure,
    ConfigureSetPoint,
    Effect,
    Fire,
    Grant,
    MakeDurable,
    Off,
    Renew,
    SetOutput,
)
from rfctl.kernel.events import Choice, Question
from rfctl.kernel.limits import PERMIT_NS
from rfctl.kernel.phase import HEATING, PERMITTED, Phase
from rfctl.kernel.state import ChannelState, KernelState, Mean, SiteResult
from rfctl.kernel.stimulation import Check, Override, Stimulation
from rfctl.kernel.thermal import HoldSigns, Thermal, line_before, warmed
from rfctl.model.capability import SetPoint
from rfctl.model.heating import predict
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium, Move
from rfctl.model.settings import LesionSettings, SetPointSettings
from tests.unit.kernel.acts import FIGURES, NOW_NS, REFERENCE, SAMPLE, S, history_of, measuring, note, state_of
from tests.unit.kernel.bench import ELECTRODE, LESION, site

HISTORY = history_of(
    (49 * S - 1, 99.0, 1.0), (49 * S, 39.0, 1.0), (49 * S + S // 2, 42.0, 1.0), (NOW_NS, 42.0, 1.0)
)  # fmt: skip
START_C = 41.0
EDGE_SAMPLES = [(sample.now_ns, sample.temperature_c) for sample in HISTORY[1:]]
INTENDED = Permit(1, PermitKind.LESION, Envelope(80.0, 30.0, 50.0, voltage_v_rms=60.0), 0)
GRANT = Grant(replace(INTENDED, expires_ns=NOW_NS + PERMIT_NS))
READY = ChannelState(
    phase=Phase.LESION_INTENT, history=HISTORY, reference=REFERENCE, intended=INTENDED, power_limit_w=30.0,
    duration_s=50.0, token=77,
)  # fmt: skip
LOAD = replace(LESION, power_w=9.9)


def set_by_station(state: KernelState, set_point: SetPoint = SetPoint.VOLTAGE) -> KernelState:
    return state._replace(setup=replace(state.setup, set_point=set_point))


# every part


def test_a_channel_is_turned_off_alone_where_another_may_have_an_output() -> None:
    """Its own phase does not count."""
    for phase in Phase:
        channel = ChannelState(phase=Phase.PROBE, off_ns=3, amplitude=0.5, token=9)
        state = state_of(channel, other=ChannelState(phase=phase))
        after, effects = actions.off(state, 1, NOW_NS, 0)
        assert effects == ((ChannelOff(1, "channel 1: probe") if phase in PERMITTED else Off("channel 1: probe")),)
        assert after.channels == (channel._replace(site=0, off_ns=NOW_NS, amplitude=0.0, token=0), state.channels[1])
        swapped = state._replace(channels=state.channels[::-1])
        other, effects = actions.off(swapped, 2, NOW_NS, 0)
        assert effects == ((ChannelOff(2, "channel 2: probe") if phase in PERMITTED else Off("channel 2: probe")),)
        assert other.channels == after.channels[::-1]


def test_one_other_channel_with_an_output_among_idle_ones_is_enough() -> None:
    state = state_of(READY, other=ChannelState(phase=Phase.HOLD))
    state = state._replace(channels=(*state.channels, ChannelState(phase=Phase.IDLE)))
    assert isinstance(actions.off(state, 1, NOW_NS, 0)[1][0], ChannelOff)
    assert not any(isinstance(effect, Claim) for effect in actions.configure(state, 1, NOW_NS, 0)[1])


def test_what_is_said_of_a_site() -> None:
    state = state_of(READY)
    assert actions.nothing(state, 1, NOW_NS, 0) == (state, ())
    assert actions.begin_site(state, 1, NOW_NS, 0) == (state, (note("site", "L4, left: channel 1, 18 G 10 mm"),))


@pytest.mark.parametrize("value", [0.1, 35.19, 1e30])
def test_a_register_holds_four_bytes(value: float) -> None:
    assert f32(value) == pytest.approx(value, rel=6e-8)
    assert f32(f32(value)) == f32(value)
    assert f32(value) != value


# where it starts


def test_the_start_is_the_mean_of_the_last_second() -> None:
    assert actions.start_temperature_c(READY) == START_C
    assert actions.start_temperature_c(READY._replace(history=HISTORY[:1])) == 99.0
    assert math.isnan(actions.start_temperature_c(ChannelState()))


# the envelope


def planned_s(start_c: float = START_C) -> float:
    return 1.02 * ((80.0 - start_c) / 4.3 + 40.0 + 5.0) + 1.0


@pytest.mark.parametrize(
    ("fields", "rated_w", "limit_w", "duration_s"),
    [
        ({}, 50.0, 11.73 * 150 / 50, planned_s()),
        ({}, 20.0, 20.0, planned_s()),
        ({"reference": None}, 50.0, 11.73, planned_s()),
        ({"reference": REFERENCE._replace(series_ohm=0.0)}, 50.0, 11.73, planned_s()),
        ({"probe_s": 3.0}, 50.0, 11.73 * 3, planned_s() - 3.0),
        ({"paused_s": 30.0, "probe_s": 3.0}, 50.0, 11.73 * 3, planned_s() - 3.0),
        ({"paused_s": 700.0, "probe_s": 3.0}, 50.0, 11.73 * 3, 17.0),
        ({"probing": True, "paused_s": 700.0, "probe_s": 3.0}, 50.0, 3.0, 11.0),
    ],
)
@pytest.mark.parametrize("set_point", [None, *SetPoint])
def test_the_envelope_is_the_electrode_s_power_at_the_terminals_for_as_long_as_planned(
    fields: dict[str, object], rated_w: float, limit_w: float, duration_s: float, set_point: SetPoint | None
) -> None:
    before = READY._replace(power_limit_w=0.0, duration_s=0.0, **fields)
    state = state_of(before)
    state = state._replace(setup=replace(state.setup, rated_power_w=rated_w, set_point=set_point))
    after, effects = actions.intend_lesion(state, 1, NOW_NS, 0)
    channel = after.channels[0]
    envelope = channel.intended.envelope
    assert effects == (MakeDurable(5, 1, PermitKind.LESION, envelope),)
    assert channel.intended == Permit(1, PermitKind.LESION, envelope, 0)
    assert (channel.intent, after.intent) == (5, 5)
    assert (channel.power_limit_w, channel.duration_s) == (f32(limit_w), f32(duration_s))
    volts = 0.0
    if set_point is SetPoint.VOLTAGE:
        volts = f32(math.sqrt(f32(limit_w) * before.reference.after_ohm)) if before.reference else math.nan
    expected = Envelope(80.0, f32(limit_w), f32(duration_s))
    assert replace(envelope, voltage_v_rms=0.0) == expected
    assert envelope.voltage_v_rms == pytest.approx(volts, nan_ok=True)


def test_the_longest_lesion_is_bounded_with_its_pauses() -> None:
    long = site("L4, left", 1, lesion=replace(LESION, hold_s=900.0))
    after, _ = actions.intend_lesion(state_of(READY._replace(paused_s=20.0), long), 1, NOW_NS, 0)
    assert after.channels[0].duration_s == 700.0


def test_a_weak_electrode_is_probed_with_its_own_cap() -> None:
    weak = replace(site("L4, left", 1), electrode=replace(ELECTRODE, power_cap_w=0.7))
    after, _ = actions.intend_lesion(state_of(READY._replace(probing=True), weak), 1, NOW_NS, 0)
    assert after.channels[0].power_limit_w == f32(2.1)


@pytest.mark.parametrize(("history", "start_c"), [(HISTORY, START_C), ((), 37.0)])
@pytest.mark.parametrize(("fluid", "wetter"), [(0.25, 0.85), (0.0, 1.0)])
def test_the_lesion_is_predicted_from_where_the_tip_is_and_in_tissue_as_wet_as_found(
    history: tuple[object, ...], start_c: float, fluid: float, wetter: float
) -> None:
    before = READY._replace(history=history, reference=REFERENCE._replace(fluid=fluid))
    after, _ = actions.intend_lesion(state_of(before._replace(thermal=Thermal(heated_ns=4))), 1, NOW_NS, 0)
    dry = predict(ELECTRODE, LESION, start_c)
    expected = Thermal(
        heated_ns=4, predicted_energy_j=dry.energy_j / wetter, predicted_hold_w=dry.hold_power_w / wetter,
        predicted_ramp_s=dry.ramp_s,
    )  # fmt: skip
    assert after.channels[0].thermal == expected


# the words to the generator


@pytest.mark.parametrize("set_point", [None, *SetPoint])
def test_the_first_that_is_armed_brings_the_claim(set_point: SetPoint | None) -> None:
    for phase in Phase:
        lesion = replace(LESION, set_temperature_c=80.1)
        state = state_of(
            READY._replace(phase=Phase.CONFIGURING), site("x", 1, lesion=lesion), other=ChannelState(phase)
        )
        state = state._replace(setup=replace(state.setup, set_point=set_point))
        command: Effect = Configure(1, LesionSettings(f32(80.1), f32(4.3), 50.0, 30.0))
        if set_point is not None:
            command = ConfigureSetPoint(1, SetPointSettings(set_point, 50.0, 30.0))
        claim = () if phase in PERMITTED else (Claim(),)
        assert actions.configure(state, 1, NOW_NS, 0) == (state, (GRANT, *claim, command))
        swapped = state._replace(channels=state.channels[::-1])
        first = isinstance(actions.configure(swapped, 2, NOW_NS, 0)[1][1], Claim)
        assert first is (phase not in PERMITTED)


def test_arming_is_under_permit_and_lease() -> None:
    state = state_of(READY)
    assert actions.arm(state, 1, NOW_NS, 0) == (state, (GRANT, Renew(), Arm(1)))


KNOWN = Thermal(
    followed_ns=45 * S, rises_k=(1.0,) * len(ELECTRODE.step_poles_k_per_w), base_c=36.5, code_c=42.0, code_ns=5,
    own_w=2.0, ratios_pct=(100.0,), hold=HoldSigns(2.0, None, None, None), heated_ns=6, lowered=True, limit_due=True,
    pauses=2, paused_j=70.0, paused_generator_j=90.0, predicted_energy_j=500.0, predicted_hold_w=2.1,
    predicted_ramp_s=9.0,
)  # fmt: skip
EXPECTED_AT_RF_ON = KNOWN._replace(
    followed_ns=NOW_NS, rises_k=warmed(KNOWN, ELECTRODE, 0.0, NOW_NS), code_ns=NOW_NS, own_w=0.0, ratios_pct=(),
    hold=None, heated_ns=NOW_NS, lowered=False, limit_due=False, edge=line_before(EDGE_SAMPLES, NOW_NS, on=True),
)  # fmt: skip


@pytest.mark.parametrize("probing", [False, True])
@pytest.mark.parametrize("base_c", [36.5, math.nan])
def test_rf_on_begins_the_figures_anew_and_counts_what_ramps_before_have_brought(
    base_c: float, *, probing: bool
) -> None:
    before = READY._replace(thermal=KNOWN._replace(base_c=base_c), probing=probing, probe_c=(1.0,))
    other = ChannelState(history=history_of((NOW_NS, 36.0, 1.0)))
    after, effects = actions.fire(state_of(before, other=other), 1, NOW_NS, 0)
    assert effects == (GRANT, Renew(), Fire(1, 77))
    channel = after.channels[0]
    assert channel.figures == FIGURES._replace(
        rf_on_ns=NOW_NS, start_c=START_C, peak_c=START_C, energy_j=70.0, generator_energy_j=90.0, last_ns=NOW_NS,
        pauses=2, before_j=70.0, predicted_energy_j=500.0, predicted_hold_w=2.1, predicted_ramp_s=9.0,
    )  # fmt: skip
    assert channel.thermal == EXPECTED_AT_RF_ON._replace(base_c=START_C if math.isnan(base_c) else 36.5)
    assert (channel.token, channel.regulator) == (0, None)
    assert channel.probe_c == ((START_C, 36.0) if probing else ())
    assert after.channels[1] == other


@pytest.mark.parametrize("set_point", SetPoint)
def test_where_the_station_controls_its_regulator_begins_at_rf_on(set_point: SetPoint) -> None:
    expected = regulator.begin(
        ELECTRODE, LESION, set_point, start_c=START_C, limit_w=30.0, voltage_v_rms=60.0, series_ohm=100.0,
        tissue_ohm=50.0, now_ns=NOW_NS,
    )  # fmt: skip
    after, _ = actions.fire(set_by_station(state_of(READY), set_point), 1, NOW_NS, 0)
    assert after.channels[0].regulator == expected
    blind = set_by_station(state_of(READY._replace(reference=None)), set_point)
    assert actions.fire(blind, 1, NOW_NS, 0)[0].channels[0].regulator is None


def test_a_load_takes_its_power_as_a_register_holds_it() -> None:
    state = set_by_station(state_of(READY, site("load", 1, lesion=LOAD), Medium.LOAD), SetPoint.POWER)
    begun = actions.fire(state, 1, NOW_NS, 0)[0].channels[0].regulator
    assert begun is not None
    assert begun.aim.steady
    assert (begun.value, begun.now_ns) == (f32(9.9), NOW_NS)


def begun(set_point: SetPoint) -> regulator.Regulator:
    return regulator.begin(
        ELECTRODE, LESION, set_point, start_c=START_C, limit_w=30.0, voltage_v_rms=60.0, series_ohm=100.0,
        tissue_ohm=50.0, now_ns=NOW_NS - S // 20,
    )  # fmt: skip


@pytest.mark.parametrize("set_point", SetPoint)
def test_the_next_set_point_is_for_channels_that_heat(set_point: SetPoint) -> None:
    """From the newest sample, and what was measured of the set point before."""
    for phase in Phase:
        before = begun(set_point)._replace(value=8.0)
        history = (SAMPLE, SAMPLE._replace(temperature_c=40.0, impedance_tissue_ohm=49.0))
        channel = READY._replace(phase=phase, regulator=before, history=history)
        state = state_of(channel, reading=measuring(voltage_v_rms=5.0, power_w=8.0))
        after, effects = actions.set_outputs(state, NOW_NS)
        if phase not in HEATING:
            assert (after, effects) == (state, ())
            continue
        delivered = 5.0 if set_point is SetPoint.VOLTAGE else 8.0
        expected = regulator.regulate(before, 40.0, 49.0, delivered, NOW_NS)
        assert effects == (SetOutput(1, set_point, expected.value),)
        assert after.channels == (state.channels[0]._replace(regulator=expected), state.channels[1])


def test_every_channel_that_heats_gets_its_set_point_and_none_that_the_generator_controls() -> None:
    channel = READY._replace(phase=Phase.HOLD, regulator=begun(SetPoint.POWER), history=(SAMPLE,))
    state = state_of(channel, other=channel._replace(site=1))
    effects = actions.set_outputs(state, NOW_NS)[1]
    assert [effect.channel for effect in effects if isinstance(effect, SetOutput)] == [1, 2]
    mixed = state_of(channel._replace(regulator=None), other=channel._replace(site=1))
    (only,) = actions.set_outputs(mixed, NOW_NS)[1]
    assert isinstance(only, SetOutput)
    assert only.channel == 2
    unknown = state._replace(reading=None)
    assert actions.set_outputs(unknown, NOW_NS) == (unknown, ())


# what it has brought


def test_the_hold_begins_with_how_long_the_ramp_took() -> None:
    state = state_of(READY._replace(figures=FIGURES._replace(rf_on_ns=NOW_NS - 9 * S)))
    after, effects = actions.begin_hold(state, 1, NOW_NS, 0)
    expected = FIGURES._replace(rf_on_ns=NOW_NS - 9 * S, hold_ns=NOW_NS, ramp_s=9.0)
    assert (after.channels[0].figures, effects) == (expected, ())
    state = state_of(READY)
    assert actions.begin_hold(state, 1, NOW_NS, 0) == (state, ())


def test_the_end_of_a_hold_turns_off_and_notes_the_line_before_it() -> None:
    before = READY._replace(phase=Phase.LESION_OFF, thermal=KNOWN, figures=FIGURES)
    after, effects = actions.end_hold(state_of(before), 1, NOW_NS, 0)
    memory = KNOWN._replace(edge=line_before(EDGE_SAMPLES, NOW_NS, on=False), heated_ns=NOW_NS)
    expected = before._replace(
        site=0, thermal=memory, figures=FIGURES._replace(ended_early=False), off_ns=NOW_NS, token=0
    )
    assert after.channels[0] == expected
    assert effects == (Off("channel 1: lesion: verifying off"),)
    blind = actions.end_hold(state_of(before._replace(figures=None)), 1, NOW_NS, 0)[0]
    assert blind.channels[0] == expected._replace(figures=None)


def test_a_paused_ramp_keeps_what_it_brought_and_is_armed_anew() -> None:
    figures = FIGURES._replace(rf_on_ns=NOW_NS - 4 * S, energy_j=80.0, generator_energy_j=120.0)
    thermal = KNOWN._replace(edge=line_before(EDGE_SAMPLES, NOW_NS, on=True))
    before = READY._replace(
        phase=Phase.RAMP, since_ns=3, mean=Mean(1, 2.0, 3.0), warned=frozenset({"x"}), thermal=thermal, figures=figures,
        paused_s=6.0, regulator=begun(SetPoint.POWER),
    )  # fmt: skip
    after, effects = actions.pause(state_of(before), 1, NOW_NS, 0)
    memory = thermal._replace(pauses=3, paused_j=80.0, paused_generator_j=120.0, heated_ns=NOW_NS, edge=None)
    assert after.channels[0] == before._replace(
        site=0, phase=Phase.DISARM_OFF, since_ns=NOW_NS, mean=Mean(), warned=frozenset(), thermal=memory,
        paused_s=10.0, regulator=None, off_ns=NOW_NS, token=0,
    )  # fmt: skip
    assert effects == (Off("channel 1: disarmed: verifying off"),)
    blind = before._replace(figures=None)
    after, effects = actions.pause(state_of(blind), 1, NOW_NS, 0)
    assert after.channels[0] == blind._replace(site=0, off_ns=NOW_NS, token=0)
    assert effects == (Off("channel 1: ramp"),)


def test_a_probe_is_taken_with_its_time_as_the_lesion_s() -> None:
    figures = FIGURES._replace(rf_on_ns=NOW_NS, start_c=37.0, peak_c=39.5, energy_j=2.3)
    before = READY._replace(
        probing=True, off_ns=NOW_NS + 5 * S // 2, figures=figures, regulator=begun(SetPoint.POWER), probe_s=1.0
    )
    after, effects = actions.take_probe(state_of(before), 1, NOW_NS, 0)
    expected = before._replace(site=0, probed=True, probing=False, probe_s=2.5, figures=None, regulator=None)
    assert after.channels[0] == expected
    assert effects == (note("probe", "own tip warmed by 2.5 K with 2.3 J in 2.5 s"),)
    blind = state_of(before._replace(figures=None))
    assert actions.take_probe(blind, 1, NOW_NS, 0) == (blind, ())


# the site


OVERRIDE = Override(Check.MOTOR, "Dr. A", "earlier", "", "x")


@pytest.mark.parametrize(
    ("figures", "probing", "lesions"),
    [
        (None, False, (FIGURES,)),
        (FIGURES._replace(peak_c=80.0), False, (FIGURES, FIGURES._replace(peak_c=80.0))),
        (FIGURES._replace(peak_c=80.0), True, (FIGURES,)),
    ],
)
def test_a_site_s_result_has_every_lesion_that_was_begun_and_no_probe(
    figures: object, lesions: tuple[object, ...], *, probing: bool
) -> None:
    before = READY._replace(
        lesions=(FIGURES,), figures=figures, probing=probing, stimulation=Stimulation(overrides=(OVERRIDE,))
    )
    expected = SiteResult(0, None, None, REFERENCE, lesions, "delivered as planned", (OVERRIDE,))  # type: ignore[arg-type]
    state = state_of(before)
    assert actions.site_result(state.channels[0], "delivered as planned") == expected
    after, effects = actions.finish_site(state, 1, NOW_NS, 0)
    assert after == state._replace(results=(expected,))
    assert effects == (note("site_done", "L4, left: delivered as planned"),)


THREE = site(
    "L4, left", 1, further=(replace(LESION, after=Move.ROTATION), replace(LESION, after=Move.WITHDRAWAL))
)  # fmt: skip


@pytest.mark.parametrize(
    ("done", "words"), [(0, "lesion 2 of 3 after rotation"), (1, "lesion 3 of 3 after withdrawal")]
)
def test_a_further_lesion_is_asked_for_with_its_move(done: int, words: str) -> None:
    after, effects = actions.ask_move(state_of(READY._replace(lesion=done), THREE), 1, NOW_NS, 0)
    text = (
        f"L4, left: {words}: move the electrode as planned and confirm its position by imaging; the impedance is "
        "measured then, stimulation is not repeated"
    )
    asked = Ask(1, Question.MOVE, (Choice.DONE,), text)
    assert (after.question, effects) == (asked, (asked,))


@pytest.mark.parametrize(("reference", "base_c"), [(REFERENCE, REFERENCE.temperature_c), (None, 36.5)])
@pytest.mark.parametrize("figures", [FIGURES, None])
def test_the_next_lesion_begins_with_nothing_of_the_one_before(
    reference: object, base_c: float, figures: object
) -> None:
    before = READY._replace(
        lesion=1, lesions=(FIGURES,), figures=figures, regulator=begun(SetPoint.POWER), probed=True, probe_s=2.0,
        paused_s=3.0, thermal=KNOWN, reference=reference,
    )  # fmt: skip
    after, effects = actions.next_lesion(state_of(before, THREE), 1, NOW_NS, 0)
    assert after.channels[0] == before._replace(
        site=0, lesion=2, lesions=(FIGURES, FIGURES) if figures else (FIGURES,), figures=None, regulator=None,
        probed=False, probe_s=0.0, paused_s=0.0,
        thermal=KNOWN._replace(pauses=0, paused_j=0.0, paused_generator_j=0.0, base_c=base_c),
    )  # fmt: skip
    assert effects == (note("moved", "electrode moved as planned; position confirmed by imaging"),)
