"""Readings in a chunk: every number back bit for bit, whatever a generator lacks; later versions read by names."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rfctl.errors import RecordError
from rfctl.kernel.effects import Grant, Level, Note, Off, Renew, SetOutput
from rfctl.kernel.events import Sampled
from rfctl.kernel.journal import routine_values
from rfctl.model.capability import SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.reading import ChannelReading, Reading
from rfctl.record import chunk
from rfctl.record.chunk import frames, layout_from, pack

CHANNEL = ChannelReading(
    temperature_c=36.6000000000001,
    cold_junction_c=math.nan,
    voltage_v_rms=-0.0,
    current_ma_rms=5e-324,
    rf_band_current_ma_rms=math.inf,
    power_w=1.7976931348623157e308,
    impedance_ohm=180.0,
    impedance_fresh=True,
    thermocouple_open=False,
    rf_on=True,
    stimulating=False,
    electrode_present=True,
    mode=3,
    stimulation_width_us=1000,
    stimulation_rate_hz=50.0,
    stimulation_amplitude=0.1,
    electrode_id=0xFFFFFFFF,
    fault_bits=-1,
    rf_on_ms=0,
    arm_token=65535,
    set_point=12.5,
)
BARE = CHANNEL._replace(
    thermocouple_open=None, stimulating=None, electrode_present=None, mode=None, rf_on_ms=None, arm_token=None
)
PERMIT = Permit(2, PermitKind.LESION, Envelope(80.0, 12.0, 120.0, 0.0, 0.0, 31.5), 10**15)


def reading(*channels: ChannelReading, uptime_ms: int | None = 4_294_967_295) -> Reading:
    return Reading(10**17, uptime_ms, 7, 1, 500, 0, 1, 12.5, channels)


def same(one: Any, other: Any) -> bool:
    """Equal as written down: not-a-number and the sign of zero count, and True is not 1."""
    return repr(one) == repr(other)


@pytest.mark.parametrize(
    "heard",
    [
        reading(CHANNEL),
        reading(CHANNEL, BARE, uptime_ms=None),
        reading(BARE),
        reading(),
        reading(CHANNEL._replace(electrode_id=1 << 64)),
        reading(BARE._replace(fault_bits=1 << 70), CHANNEL),
    ],
    ids=["one channel", "with gaps", "one with gaps", "no channel", "text", "text with gaps"],
)
@pytest.mark.parametrize(
    ("effects", "routine"),
    [
        ((), True),
        ((Renew(),), True),
        ((Grant(PERMIT), Renew(), SetOutput(1, SetPoint.VOLTAGE, 12.25)), True),
        ((Renew(), Off("stop")), False),
        ((Note(Level.INFO, 1, "phase", "hold"),), False),
    ],
    ids=["nothing", "renewed", "permit and output", "off", "note"],
)
def test_a_reading_and_its_routine_decision_come_back_as_they_were(
    heard: Reading, effects: tuple[Any, ...], *, routine: bool
) -> None:
    data, has_decision = pack(5, Sampled(12, heard), effects)
    assert has_decision is routine
    (frame,) = frames(data)
    assert (frame.input, frame.t_ns) == (5, 12)
    assert same(frame.reading, heard)
    assert frame.decision == (routine_values(effects) if routine else None)


def test_all_that_a_sampled_event_tells_is_in_its_frame() -> None:
    assert Sampled._fields == ("now_ns", "reading")


def test_what_was_packed_before_a_quantity_existed_is_read_by_its_names() -> None:
    older = chunk.OWN._replace(channel=tuple(item for item in chunk.OWN.channel if item[0] != "set_point"))
    data, _ = pack(0, Sampled(0, reading(CHANNEL)), ())
    place = data.rindex(chunk._CALM[0])
    shorter = data[: place - 8] + data[place:]
    shorter = (len(shorter) - 4).to_bytes(4, "big") + shorter[4:]
    (frame,) = frames(shorter, layout_from(older.members()))
    assert same(frame.reading, reading(CHANNEL._replace(set_point=math.nan)))


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["channel"].update(flow_ml_min="d"),
        lambda found: found["reading"].pop("uptime_ms"),
        lambda found: found["reading"].update(uptime_ms="x"),
        lambda found: found["reading"].update(uptime_ms=""),
        lambda found: found.pop("envelope"),
        lambda found: found.update(channel=["temperature_c"]),
    ],
)
def test_a_layout_that_this_version_does_not_know_is_refused(change: Any) -> None:
    found: dict[str, Any] = chunk.OWN.members()
    change(found)
    with pytest.raises(RecordError, match="packed"):
        layout_from(found)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_chunk_that_is_cut_is_refused(cut: int) -> None:
    data, _ = pack(5, Sampled(12, reading(CHANNEL)), (Renew(),))
    with pytest.raises(RecordError, match="cannot be read"):
        list(frames(data[:-cut]))
