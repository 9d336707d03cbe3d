"""What the record holds of the kernel comes back as it was: every event, every effect, the set-up."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfctl.errors import RecordError
from rfctl.kernel import journal
from rfctl.kernel.effects import (
    Arm,
    Ask,
    ChannelOff,
    Claim,
    Configure,
    ConfigureSetPoint,
    ConfigureStimulation,
    Effect,
    Finish,
    Fire,
    Grant,
    Level,
    LowerLimit,
    MakeDurable,
    Note,
    Off,
    Outcome,
    Release,
    Renew,
    SetAmplitude,
    SetOutput,
    StartStimulation,
)
from rfctl.kernel.events import (
    Answered,
    Cause,
    Choice,
    Command,
    Completed,
    Durable,
    Event,
    Failed,
    Guarded,
    Missed,
    Notice,
    Noticed,
    Question,
    RecordFailed,
    Sampled,
    Stopped,
)
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.step import step
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.plan import Medium, TimerDefinition, Use
from rfctl.model.reading import ChannelReading, Reading
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
from rfctl.record.setup import members_of, rows_sha256, setup_from
from rfctl.record.values import encode_value, numbers_text
from tests.unit.kernel.bench import ANAESTHETIC, LESION, SENSORY, Bench, at, setup_of, site

TIMES = st.integers(0, 2**62)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
COUNTS = st.integers(0, 2**32 - 1)
TEXTS = st.text(max_size=30)
CHANNELS = st.integers(1, 4)


def fields_of(kind: type[Any], *, special: dict[str, st.SearchStrategy[Any]] | None = None) -> st.SearchStrategy[Any]:
    """A value of this NamedTuple, each field by its annotation."""
    by_type: dict[Any, st.SearchStrategy[Any]] = {float: NUMBERS, int: COUNTS, bool: st.booleans(), str: TEXTS}
    by_type |= {int | None: st.none() | COUNTS, bool | None: st.none() | st.booleans()}
    hints = get_type_hints(kind)
    drawn = {name: by_type[hints[name]] for name in kind._fields if name not in (special or {})}
    return st.builds(kind, **drawn, **(special or {}))


READINGS = fields_of(Reading, special={"channels": st.lists(fields_of(ChannelReading), max_size=4).map(tuple)})
EVENTS: dict[type[Event], st.SearchStrategy[Event]] = {
    Sampled: st.builds(Sampled, TIMES, READINGS),
    Missed: st.builds(Missed, TIMES, st.sampled_from(Cause), TEXTS),
    Answered: st.builds(Answered, TIMES, st.sampled_from(Question), st.sampled_from(Choice), TEXTS),
    Stopped: st.builds(Stopped, TIMES, TEXTS),
    Durable: st.builds(Durable, TIMES, COUNTS),
    Guarded: st.builds(Guarded, TIMES, st.booleans(), TIMES, TEXTS, TEXTS, TEXTS),
    RecordFailed: st.builds(RecordFailed, TIMES, TEXTS),
    Completed: st.builds(Completed, TIMES, st.sampled_from(Command), CHANNELS, COUNTS),
    Noticed: st.builds(Noticed, TIMES, st.sampled_from(Notice), NUMBERS),
    Failed: st.builds(Failed, TIMES, st.sampled_from(Command), CHANNELS, st.sampled_from(Cause), TEXTS),
}
ENVELOPES = st.builds(Envelope, *(NUMBERS for _ in fields(Envelope)))
KINDS = st.sampled_from(PermitKind)
EFFECTS: dict[type[Effect], st.SearchStrategy[Effect]] = {
    Off: st.builds(Off, TEXTS),
    Grant: st.builds(Grant, st.builds(Permit, CHANNELS, KINDS, ENVELOPES, TIMES)),
    Renew: st.just(Renew()),
    MakeDurable: st.builds(MakeDurable, COUNTS, CHANNELS, KINDS, ENVELOPES),
    Claim: st.just(Claim()),
    ChannelOff: st.builds(ChannelOff, CHANNELS, TEXTS),
    Release: st.just(Release()),
    Configure: st.builds(Configure, CHANNELS, st.builds(LesionSettings, NUMBERS, NUMBERS, NUMBERS, NUMBERS)),
    ConfigureSetPoint: st.builds(
        ConfigureSetPoint, CHANNELS, st.builds(SetPointSettings, st.sampled_from(SetPoint), NUMBERS, NUMBERS)
    ),
    LowerLimit: st.builds(LowerLimit, CHANNELS, NUMBERS),
    SetOutput: st.builds(SetOutput, CHANNELS, st.sampled_from(SetPoint), NUMBERS),
    Arm: st.builds(Arm, CHANNELS),
    Fire: st.builds(Fire, CHANNELS, COUNTS),
    ConfigureStimulation: st.builds(
        ConfigureStimulation,
        CHANNELS,
        st.builds(StimulationSettings, st.sampled_from(["V", "mA"]), NUMBERS, COUNTS, NUMBERS),
    ),
    StartStimulation: st.builds(StartStimulation, CHANNELS),
    SetAmplitude: st.builds(SetAmplitude, CHANNELS, NUMBERS),
    Ask: st.builds(
        Ask, CHANNELS, st.sampled_from(Question), st.lists(st.sampled_from(Choice), max_size=4).map(tuple), TEXTS
    ),
    Note: st.builds(Note, st.sampled_from(Level), CHANNELS, TEXTS, TEXTS),
    Finish: st.builds(Finish, st.sampled_from(Outcome), st.integers(0, 5), st.booleans(), TEXTS),
}


def through_json(value: object) -> Any:
    return json.loads(json.dumps(encode_value(value), allow_nan=False))


def bits(value: Any) -> Any:
    """The value with every float as its 64 bits and every name with its type, so that equal means the same."""
    if isinstance(value, bool | int | str) or value is None:
        return type(value).__name__ if isinstance(value, bool) else "", value
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    return type(value).__name__, [bits(item) for item in value]


def test_every_event_and_every_effect_is_tried() -> None:
    assert set(EVENTS) == set(Event.__args__)
    assert set(EFFECTS) == set(Effect.__args__)


@settings(deadline=None)
@given(st.one_of(*EVENTS.values()))
def test_an_event_comes_back_bit_for_bit(event: Event) -> None:
    back = journal.event_from(event.now_ns, through_json(journal.event_values(event)))
    assert type(back) is type(event)
    assert bits(back) == bits(event)


@settings(deadline=None)
@given(READINGS)
def test_a_reading_comes_back_from_the_quick_form_of_a_sample_too(reading: Reading) -> None:
    back = journal.reading_from(json.loads(numbers_text(journal.reading_values(reading))))
    assert bits(back) == bits(reading)


@pytest.mark.parametrize("kind", EFFECTS, ids=lambda kind: kind.__name__)
def test_an_effect_is_told_by_its_name_and_two_different_ones_never_look_alike(kind: type[Effect]) -> None:
    @settings(deadline=None, max_examples=30)
    @given(EFFECTS[kind], EFFECTS[kind])
    def hold(one: Effect, other: Effect) -> None:
        values = through_json(journal.effect_values(one))
        assert values[0] == kind.__name__
        assert values == through_json(journal.effect_values(one))
        if repr(one) != repr(other):
            assert values != through_json(journal.effect_values(other))

    hold()


@settings(deadline=None)
@given(st.lists(st.one_of(*EFFECTS.values()), max_size=4).map(tuple))
def test_only_permits_renewals_and_set_points_are_written_as_numbers(effects: tuple[Effect, ...]) -> None:
    values = journal.routine_values(effects)
    routine = all(isinstance(effect, Grant | Renew | SetOutput) for effect in effects)
    assert (values is not None) == routine
    if values is not None:
        grants, renewed, *sets = through_json(values)
        permits = [effect.permit for effect in effects if isinstance(effect, Grant)]
        assert [grant[:2] for grant in grants] == [[permit.channel, permit.expires_ns] for permit in permits]
        assert renewed == any(isinstance(effect, Renew) for effect in effects)
        outputs = [[effect.channel, effect.value] for effect in effects if isinstance(effect, SetOutput)]
        assert sets == ([through_json(outputs)] if outputs else [])
        assert json.loads(numbers_text(values)) == [grants, renewed, *sets]


ENVELOPE = Envelope(80.0, 30.0, 50.0, 1.5, 2.5, 60.0)
GRANT = Grant(Permit(2, PermitKind.LESION, ENVELOPE, 99))
GRANTED = [2, 99, 80.0, 30.0, 50.0, 1.5, 2.5, 60.0]


@pytest.mark.parametrize(
    ("effects", "values"),
    [
        ((), [[], False]),
        ((Renew(),), [[], True]),
        ((GRANT,), [[GRANTED], False]),
        ((GRANT, GRANT, Renew()), [[GRANTED, GRANTED], True]),
        ((SetOutput(1, SetPoint.POWER, 7.5),), [[], False, [[1, 7.5]]]),
        ((GRANT, SetOutput(1, SetPoint.POWER, 7.5), Renew()), [[GRANTED], True, [[1, 7.5]]]),
        ((GRANT, Off("x")), None),
        ((Claim(),), None),
    ],
)
def test_the_numbers_of_an_uneventful_sample(effects: tuple[Effect, ...], values: list[object] | None) -> None:
    assert journal.routine_values(effects) == values


@pytest.mark.parametrize(
    ("effect", "values"),
    [
        (Ask(1, Question.ARM, (Choice.ARM, Choice.REPOSITION), "?"), ["Ask", 1, "arm", ["arm", "reposition"], "?"]),
        (GRANT, ["Grant", [2, "lesion", GRANTED[2:], 99]]),
        (Configure(1, LesionSettings(80.0, 4.3, 50.0, 30.0)), ["Configure", 1, [80.0, 4.3, 50.0, 30.0]]),
        (Renew(), ["Renew"]),
    ],
)
def test_an_effect_is_a_plain_list(effect: Effect, values: list[object]) -> None:
    assert journal.effect_values(effect) == values


def test_what_cannot_be_read_is_shown_by_its_beginning() -> None:
    for name, words in (("Stopped", "an event cannot be read: "), ("Rewound", "not an event that this version knows")):
        values = [name, *range(100, 200)]
        with pytest.raises(RecordError, match=words) as refused:
            journal.event_from(1, values)
        assert refused.value.where == str(values)[:120]


@pytest.mark.parametrize(
    "values",
    [
        ["Sampled", [1, 2]],
        ["Missed", "time-out"],
        ["Missed", "no such cause", ""],
        ["Answered", "checklist", "no such choice", "x"],
        ["Completed", "no such command", 1, 0],
        ["Failed", "arm", 1],
        ["Rewound"],
        [],
        ["Stopped"],
    ],
    ids=str,
)
def test_what_is_no_event_is_refused(values: list[Any]) -> None:
    with pytest.raises(RecordError):
        journal.event_from(1, values)


def test_a_journalled_procedure_is_decided_again_as_it_was() -> None:
    """As replay does it: set-up and events through JSON, decisions compared in the form that a record holds."""
    bench = at(Phase.HOLD)
    bench.samples(5)
    bench.alter(1, temperature_c=math.nan)
    bench.finished()
    state = Bench(setup_from(through_json(members_of(bench.setup)))).state
    for decision in bench.decisions:
        event = journal.event_from(decision.event.now_ns, through_json(journal.event_values(decision.event)))
        state, effects = step(state, event)
        assert [journal.effect_values(e) for e in effects] == [journal.effect_values(e) for e in decision.effects]
    assert repr(state.trips) == repr(bench.state.trips)


# the set-up


@pytest.mark.parametrize(
    "setup",
    [
        setup_of(),
        replace(setup_of(), medium=Medium.LOAD, simulated=False, rated_power_w=30.5, channels=4, session=65535),
        setup_of(
            site(
                "odd ±",
                2,
                sensory=replace(SENSORY, use=Use.NOT_USED, reason="bench"),
                anaesthetic=replace(ANAESTHETIC, volume_ml=0.1 + 0.2),
                lesion=replace(LESION, timer=TimerDefinition.RF_ON, hold_s=1 / 3),
            )
        ),
    ],
    ids=["plain", "device", "odd"],
)
def test_a_set_up_comes_back_from_its_members(setup: Any) -> None:
    assert setup_from(through_json(members_of(setup))) == setup


def test_a_set_up_decided_by_another_table_is_refused() -> None:
    members = through_json(members_of(replace(setup_of(), rows=ROWS[1:])))
    with pytest.raises(RecordError, match="another interlock table"):
        setup_from(members)


@pytest.mark.parametrize("name", ["plan", "medium", "session", "channels", "rated_power_w", "simulated"])
def test_a_set_up_without_one_of_its_members_is_refused(name: str) -> None:
    members = through_json(members_of(setup_of()))
    del members[name]
    with pytest.raises(RecordError, match="set-up"):
        setup_from(members)


@pytest.mark.parametrize("field", ROWS[0]._fields)
def test_the_hash_of_the_table_covers_every_field_of_a_row(field: str) -> None:
    row = ROWS[0]
    other = next(r for r in ROWS if getattr(r, field) != getattr(row, field))
    changed = (row._replace(**{field: getattr(other, field)}), *ROWS[1:])
    assert rows_sha256(changed) != rows_sha256(ROWS)
