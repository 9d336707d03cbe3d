"""A snapshot in the middle of a hold, to be varied by the tests."""

from __future__ import annotations

import pytest

from rfctl.station.snapshot import ChannelSnapshot, CurvePoint, LimitsInForce, Progress, SeenEvent, Snapshot


@pytest.fixture
def heated() -> ChannelSnapshot:
    return ChannelSnapshot(
        number=1,
        site="L4 medial branch, left",
        phase="hold",
        end_reason=None,
        temperature_c=80.2,
        set_temperature_c=80.0,
        impedance_ohm=157.4,
        power_w=6.8,
        rf_on=True,
        stimulating=False,
        amplitude=0.0,
        sensory_threshold=0.4,
        motor_negative_to=2.0,
        stimulation_unit="V",
        progress=Progress("hold", 40.0, 90.0, 50.0),
        limits=LimitsInForce(95.0, 85.0, 26.3),
        peak_c=81.2,
        energy_j=165.5,
        curve=tuple(CurvePoint(t / 2, 37.0 + t / 6, 180.0 - t / 12, 7.0) for t in range(256)),
    )


@pytest.fixture
def idle() -> ChannelSnapshot:
    return ChannelSnapshot(
        number=2,
        site="L5 medial branch, left",
        phase="idle",
        end_reason=None,
        temperature_c=None,
        set_temperature_c=80.0,
        impedance_ohm=None,
        power_w=0.0,
        rf_on=False,
        stimulating=False,
        amplitude=0.0,
        sensory_threshold=None,
        motor_negative_to=None,
        stimulation_unit="V",
        progress=None,
        limits=LimitsInForce(95.0, None, None),
        peak_c=None,
        energy_j=None,
        curve=(),
    )


@pytest.fixture
def mid_hold(heated: ChannelSnapshot, idle: ChannelSnapshot) -> Snapshot:
    return Snapshot(
        station="demo",
        title="Demonstration station",
        simulated=True,
        medium="tissue",
        time_scale="paced:7.3",
        procedure_id="demo-1",
        operator="A. Physician",
        plan="Lumbar medial branches L4 and L5, left",
        elapsed_s=128.0,
        age_ms=50.0,
        stage="treating",
        question=None,
        channels=(heated, idle),
        events=(
            SeenEvent(16.7, "info", 1, "motor", "no limb or radicular response to 2.0 V, 2 Hz, 1 ms"),
            SeenEvent(90.0, "warning", 1, "over_set_warning", "channel 1: 83.4 degC is above set temperature + 3 K"),
        ),
        trips=(),
        over=False,
        outcome=None,
        ending="",
        off_verified=False,
        services={"mqtt": "connected"},
    )
