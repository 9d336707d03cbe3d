"""How each row of the interlock table is proved: what goes wrong at the simulated generator, and how fast it must act.

**A row comes with its entry in PROOFS**: without one, tests/faults/test_interlock_proofs.py fails. An entry says which
faults of the catalogue (``rfctl sim faults``) the generator gets, when, and by when the row must have acted:

    "over_set": Proof(
        Fault("over_temperature", kelvin=7.0),      # on channel 1 unless said otherwise
        limit_s=0.8, source="over set, 500 ms, then HZ-01, 300 ms",
    ),

By default the fault comes 1 s into the hold of one lesion (18 G, 10 mm, 60 degC at 5 K/s, hold of 8 s), and the time
is that to RF off at the output stage. ``at`` is another phase, None: wrong from before the session. ``ends`` is SAID
where no output is on or none can be turned off, WARNED for a warning. ``full_s``: a cause that grows is beyond the
row's limit only so long after it began. ``plan`` is passed to tests/station_bench.py; ``sites`` more than one are
heated together, each on a channel of its own. What goes wrong may also be a fault of the station
(tests/faults/station_faults.py), such as a guard that hangs.

Each entry is run twice through the whole station on a real socket, in virtual time: with the table as it is, and
without the row, where the same check must fail. The numbers of a run are in build/interlock-times/, and ``make
docs`` makes docs/interlock-times.md of them: run both after adding a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rfctl.clock import NS_PER_S
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.model.electrode import find_electrode
from rfctl.model.heating import predict
from rfctl.model.plan import Lesion, TimerDefinition
from rfctl.record.writer import CHECKPOINT_RF_NS
from rfctl.station.answers import THINK_NS

POLL_S = 0.05
TWO_TRANSACTIONS_S = 0.05
"""By far: in virtual time over TCP a transaction takes none."""


class Ends(StrEnum):
    """What the time is counted to."""

    OFF = "output off"
    SAID = "verdict"
    WARNED = "warning"


class Since(StrEnum):
    """What it is counted from."""

    FAULT = "fault"
    RF_ON = "RF on"
    OFF = "off commanded"


@dataclass(frozen=True)
class Fault:
    """One fault of the catalogue, or one of tests/faults/station_faults.py."""

    name: str
    parameters: Mapping[str, Any]

    def __init__(self, name: str, **parameters: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parameters", parameters)

    def __str__(self) -> str:
        shown = ", ".join(f"{key} {value}" for key, value in self.parameters.items())
        return f"{self.name} ({shown})" if shown else self.name


@dataclass(frozen=True, init=False)
class Proof:
    """One row's proof.

    Attributes:
        faults: What goes wrong, together.
        limit_s: Longest time that the row may take.
        source: Where that comes from.
        at: Phase of channel 1 in which the faults begin; None: before the session.
        for_s: So long after the phase began.
        since: What the time is counted from.
        full_s: So long after that the cause is beyond the row's limit; the time is counted from then.
        full_j: It is beyond when the output stage has delivered so much since RF on.
        full_a2s: It is beyond when so much went into the dispersive electrode: the squared sum of all currents.
        ends: What it is counted to.
        plan: Of the procedure, where it is not the usual one.
        control: Who controls the temperature.
        sites: So many are heated together.
        setup: Keys of the set-up, where it is not the usual one.
        medium: That the station file names.
        anaesthetic_s: Anaesthetic is planned, and so long a wait.
        told: Members of the kernel's set-up that another generator would have stated.
        further: A second lesion is planned at the first site.
        guarded: A guard holds the generator's enable loop.
    """

    faults: tuple[Fault, ...]
    limit_s: float
    source: str
    at: Phase | None = Phase.HOLD
    for_s: float = 1.0
    since: Since = Since.FAULT
    full_s: float = 0.0
    full_j: float | None = None
    full_a2s: float | None = None
    ends: Ends = Ends.OFF
    plan: Mapping[str, Any] = field(default_factory=dict)
    control: str = "device"
    sites: int = 1
    setup: str = ""
    medium: str = "tissue"
    further: bool = False
    guarded: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)
    anaesthetic_s: float = 0.0

    def __init__(self, *faults: Fault, limit_s: float, source: str, **others: Any) -> None:
        for name, value in {
            "plan": {},
            "told": {},
            **others,
            "faults": faults,
            "limit_s": limit_s,
            "source": source,
        }.items():
            assert name in self.__dataclass_fields__, name
            object.__setattr__(self, name, value)


def at_impedance(ohm: float, ends: Ends) -> Proof:
    """Something is between the terminals from the impedance check on; it is judged by the mean of its 5 s."""
    return Proof(
        Fault("impedance", ohm=ohm), at=Phase.IMPEDANCE, for_s=0.0, full_s=5.0, ends=ends,
        limit_s=POLL_S + TWO_TRANSACTIONS_S, source="impedance, start: as soon as the mean of 5 s is complete",
    )  # fmt: skip


def stimulating(fault: Fault, source: str) -> Proof:
    """During the sensory check, when the first step is delivered."""
    return Proof(fault, at=Phase.SENSORY, for_s=0.7, plan={"sensory": "required"}, limit_s=0.2, source=source)


def void(fault: Fault, phase: Phase, full_s: float = 0.0) -> Proof:
    """The result of the checks does not hold any more: a new check is asked for."""
    return Proof(
        fault, at=phase, for_s=0.0, ends=Ends.WARNED, anaesthetic_s=60, full_s=full_s, limit_s=0.3,
        source="HZ-08, 300 ms, before RF",
    )  # fmt: skip


def on_one_pad(full_a2s: float, ends: Ends) -> Proof:
    """Four electrodes that the plan check would have refused."""
    return Proof(
        Fault("pad_plan_not_checked", a2s=100.0), at=None, since=Since.FAULT, full_a2s=full_a2s, ends=ends, sites=4,
        plan={"set_temperature_c": 80, "ramp_c_per_s": 4.3, "hold_s": 60}, limit_s=1.0, source="HZ-51, 1 s",
    )  # fmt: skip


BEYOND = "one poll and two transactions beyond the limit"
USUAL_LESION = {"set_temperature_c": 80, "ramp_c_per_s": 4.3}
LONG_LESION = {"hold_s": 40}
MONITORED = "pad = { monitored = true, contact_ohm = 30.0 }"
CHECKPOINT_RF_S = CHECKPOINT_RF_NS / NS_PER_S
CHUNK_S = 1.0
ANSWERED_S = THINK_NS / NS_PER_S
WITHOUT_UNDER_SET = {"rows": tuple(row for row in ROWS if row.code != "under_set")}
"""A fall that this row has waited for is seen by that one first."""
COOL_LESION = {"set_temperature_c": 45, "hold_s": 170}
_ELECTRODE = find_electrode(18, 10)
_ENERGY = next(row for row in ROWS if row.code == "energy")
COOL_LESION_J = _ENERGY.factor * predict(_ELECTRODE, Lesion(45.0, 170.0, 5.0, TimerDefinition.SET_TEMPERATURE)).energy_j
HEATED_W = 1.28
OVER_LIMIT_S = POLL_S + TWO_TRANSACTIONS_S

PROOFS: dict[str, Proof] = {
    "sample_age": Proof(Fault("no_reply", seconds=2.0), limit_s=0.5, source="HZ-17, 500 ms, by the lease"),
    "link_silent": Proof(
        Fault("no_reply", seconds=20.0), at=Phase.IMPEDANCE, for_s=0.5, full_s=2.0, ends=Ends.SAID,
        limit_s=0.3, source="sample age, 2 s with every output off, then one time-out",
    ),
    "counter_frozen": Proof(
        Fault("counter_frozen"), limit_s=0.4, source="frozen, 300 ms, then one poll and two transactions"
    ),
    "lease_lost": Proof(Fault("lease_dead"), limit_s=0.5, source="HZ-20, 500 ms"),
    "uncommanded_rf": Proof(
        Fault("rf_without_command", channel=2), limit_s=0.3, source="HZ-14, 300 ms, the channel that was told to heat"
    ),
    "off_not_verified": Proof(
        Fault("ignore_off"), since=Since.OFF, ends=Ends.SAID, limit_s=0.5,
        source="HZ-15, 500 ms: said, off repeated; the relay is what ends the output",
    ),
    "thermocouple_open": Proof(Fault("thermocouple_open"), limit_s=0.2, source="HZ-02, 200 ms"),
    "temperature_max": Proof(Fault("over_temperature", kelvin=38.0), limit_s=0.3, source="HZ-01, 300 ms"),
    "temperature_implausible_low": Proof(
        Fault("over_temperature", kelvin=-80.0), limit_s=0.2, source="HZ-02, 200 ms"
    ),
    "temperature_step": Proof(Fault("over_temperature", kelvin=-20.0), limit_s=0.2, source="HZ-02, 200 ms"),
    "over_set_fast": Proof(Fault("over_temperature", kelvin=10.0), limit_s=0.3, source="HZ-01, 300 ms"),
    "over_set": Proof(
        Fault("over_temperature", kelvin=7.0), limit_s=0.8, source="over set, 500 ms, then HZ-01, 300 ms"
    ),
    "over_set_warning": Proof(
        Fault("over_temperature", kelvin=4.2), for_s=5.0, ends=Ends.WARNED, limit_s=1.0 + OVER_LIMIT_S,
        source="over set, 1 s, then one poll",
    ),
    "under_set": Proof(
        Fault("electrode_not_seated", share=0.6), for_s=3.0, limit_s=1.5, source="HZ-06, 1.5 s"
    ),
    "impedance_high": Proof(Fault("impedance", ohm=5000.0), limit_s=0.3, source="HZ-10, 300 ms"),
    "impedance_low": Proof(
        Fault("meter_wrong", meter="impedance_ohm", factor=0.1), limit_s=0.2, source="HZ-11, 200 ms"
    ),
    "power_cap": Proof(
        Fault("power_over_limit", power_w=14.6), at=Phase.RAMP, for_s=0.5, limit_s=0.2,
        source="HZ-30, 200 ms; more than that is seen by its current first",
    ),
    "impedance_start_high": at_impedance(1500.0, Ends.SAID),
    "impedance_start_low": at_impedance(40.0, Ends.SAID),
    "impedance_start_low_warning": at_impedance(80.0, Ends.WARNED),
    "impedance_start_high_warning": at_impedance(800.0, Ends.WARNED),
    "impedance_rising": Proof(
        Fault("charring", per_s=0.3), limit_s=1.5, source="HZ-12, 500 ms, when the regression of 1 s is full"
    ),
    "impedance_falling": Proof(
        Fault("electrode_moved", factor=0.7, distance_mm=0.1), limit_s=0.7,
        source="HZ-11, 200 ms, then impedance, running, 200 ms and 300 ms of the regression",
    ),
    "impedance_over_minimum": Proof(
        Fault("charring", per_s=0.08), full_s=2.28, limit_s=0.95,
        source="HZ-12, 500 ms, after impedance, running: mean of 0.5 s (half of it lag) and 200 ms",
    ),
    "impedance_over_minimum_warning": Proof(
        Fault("charring", per_s=0.08), full_s=1.42, limit_s=0.95, ends=Ends.WARNED,
        source="as the trip",
    ),
    "reversed": Proof(
        Fault("thermocouple_reversed"), at=None, since=Since.RF_ON, limit_s=3.0 + OVER_LIMIT_S, medium="phantom",
        setup='medium = "phantom"\nstart_c = 22.0', source="reversed, 3 s of RF",
    ),
    "rise_missing": Proof(
        Fault("thermocouple_short", ambient_c=37.0), at=None, since=Since.RF_ON, limit_s=3.0,
        source="HZ-03, 3 s and E_probe",
    ),
    "target_not_reached": Proof(
        Fault("power_over_limit", power_w=0.7), at=Phase.RAMP, for_s=0.0, since=Since.RF_ON, full_s=4.6 + 40.0,
        limit_s=OVER_LIMIT_S + POLL_S, source=BEYOND,
    ),
    "energy": Proof(
        Fault("temperature_frozen"), Fault("power_over_limit", power_w=HEATED_W), full_j=0.99 * COOL_LESION_J,
        limit_s=0.02 * COOL_LESION_J / HEATED_W + OVER_LIMIT_S,
        source="from 99 % of what it is by prediction from 37.0 degC to 101 %, and one poll",
        plan=COOL_LESION, setup="series_ohm = 0.0",
    ),
    "probe_duration": Proof(
        Fault("thermocouple_short", channel=1, ambient_c=37.0), at=None, since=Since.RF_ON, full_s=10.0,
        plan={"gauge": 16, "tip_mm": 10}, sites=2, limit_s=OVER_LIMIT_S + POLL_S, source=BEYOND,
    ),
    "cable_swap": Proof(
        Fault("channels_swapped", with_channel=2), at=None, since=Since.RF_ON, sites=2, limit_s=10.0,
        source="cable swap: in the probe",
    ),
    "duration": Proof(
        Fault("power_over_limit", power_w=0.4, duration_s=6.0), Fault("wrong_power", factor=0.141, after_s=7.0),
        at=Phase.PROBE, for_s=0.0, since=Since.RF_ON, full_s=61.82,  # 1.02 x (ramp + 40 + 20) + 1, less the probe
        limit_s=OVER_LIMIT_S + POLL_S, sites=2, source=BEYOND, plan={"hold_s": 20},
    ),
    "generator_fault": Proof(
        Fault("panel", press="emergency_stop"), ends=Ends.SAID, limit_s=0.3, source="the generator was faster"
    ),
    "set_point_mismatch": Proof(
        Fault("set_point_corrupted", register="voltage_set_point_v_rms", factor=1.2), control="host", limit_s=0.3,
        source="HZ-31, 300 ms",
    ),
    "rf_stopped": Proof(Fault("rf_does_not_start"), limit_s=0.3, source="HZ-16", ends=Ends.SAID),
    "stimulation_stopped": Proof(
        Fault("panel", press="stop"), at=Phase.SENSORY, plan={"sensory": "required"}, ends=Ends.SAID,
        limit_s=0.3, source="HZ-16",
    ),
    "model_check": Proof(
        Fault("electrode_not_seated", share=0.35), at=None, since=Since.RF_ON, plan=USUAL_LESION, limit_s=6.0,
        source="caught below 60 degC at the true tip",
    ),
    "model_check_pause": Proof(
        Fault("electrode_not_seated", share=0.65), at=None, since=Since.RF_ON, plan=USUAL_LESION, ends=Ends.WARNED,
        limit_s=8.0, source="as the trip",
    ),
    "temperature_frozen": Proof(
        Fault("temperature_frozen"), at=Phase.RAMP, for_s=12.0, plan={"ramp_c_per_s": 1.0}, limit_s=2.0 + OVER_LIMIT_S,
        source="frozen, 2 s in the ramp",
    ),
    "temperature_frozen_hold": Proof(
        Fault("temperature_frozen"), for_s=3.0, plan=LONG_LESION, told={"noise_k": (0.2, 0.2)},
        limit_s=10.0 + OVER_LIMIT_S, source="frozen, 10 s in the hold of a generator that states noise of a step",
    ),
    "cooling_stands_still": Proof(
        Fault("temperature_frozen"), at=Phase.COOLING, for_s=0.5, full_s=300.0, ends=Ends.SAID, limit_s=OVER_LIMIT_S,
        source="frozen, 300 s in cooling: no output is on",
    ),
    "not_cooling": Proof(
        Fault("temperature_frozen"), for_s=7.0, plan=USUAL_LESION, since=Since.OFF, full_s=5.0, ends=Ends.WARNED,
        limit_s=OVER_LIMIT_S, source="off verified: 5 s after RF off",
    ),
    "hold_power": Proof(
        Fault("temperature_drift", k_per_s=-4.0), for_s=4.0, plan=COOL_LESION, limit_s=12.0,
        source="hold check: the mean of 5 s from 10 s on, less 4 s",
    ),
    "hold_power_growing": Proof(
        Fault("temperature_drift", k_per_s=-2.0), for_s=15.5, plan=LONG_LESION, limit_s=6.5,
        source="HZ-06, 1.5 s, after the mean of 5 s",
    ),
    "hold_rise_low": Proof(
        Fault("over_temperature", kelvin=-14.0), for_s=10.0, plan=LONG_LESION, limit_s=9.5, told=WITHOUT_UNDER_SET,
        source="HZ-06, 1.5 s, after the mean of 5 s and 3 s",
    ),
    "hold_rise_high": Proof(
        Fault("temperature_drift", k_per_s=1.0), for_s=8.0, plan=LONG_LESION, limit_s=20.0,
        source="hold check: the mean of 5 s and 3 s of a power that falls",
    ),
    "rf_pickup": Proof(
        Fault("rf_pickup", kelvin=1.0, at_v_rms=20.0), at=None, since=Since.OFF, ends=Ends.WARNED, limit_s=0.3,
        source="HZ-07, 300 ms: power, and with it the bias, grows from nothing, and ends at once",
    ),
    "rf_pickup_before": Proof(
        Fault("rf_pickup", kelvin=1.0, at_v_rms=20.0), at=None, since=Since.OFF, ends=Ends.SAID, limit_s=30.0,
        further=True, source="before the next start",
    ),
    "time_budget": Proof(
        at=None, plan={"gauge": 22, "tip_mm": 5, "set_temperature_c": 90}, ends=Ends.SAID, limit_s=10.0,
        source="before RF: 22 G, 5 mm at 90 degC",
    ),
    "too_cold_for_tissue": Proof(
        Fault("thermocouple_reversed"), at=None, ends=Ends.SAID, limit_s=10.0, source="before RF"
    ),
    "thermocouple_shorted": Proof(
        Fault("thermocouple_short"), at=None, ends=Ends.SAID, limit_s=10.0, source="before RF"
    ),
    "stimulation_with_rf": Proof(Fault("stimulation_without_command"), limit_s=0.2, source="HZ-28, 200 ms"),
    "uncommanded_stimulation": Proof(
        Fault("stimulation_without_command"), at=Phase.IMPEDANCE, ends=Ends.SAID, limit_s=0.2, source="HZ-28, 200 ms"
    ),
    "stimulation_mode": stimulating(Fault("stimulation_wrong_unit"), "HZ-27: 2 of 3 samples"),
    "stimulation_rate": stimulating(Fault("stimulation_wrong_rate", rate_hz=2.0), "HZ-27: 2 of 3 samples"),
    "stimulation_width": stimulating(Fault("stimulation_wrong_width", width_us=100.0), "HZ-55: 2 of 3 samples"),
    "stimulation_amplitude": stimulating(Fault("stimulation_too_strong", factor=5.0), "HZ-26, 200 ms"),
    "electrode_changed": void(Fault("wrong_electrode"), Phase.ANAESTHETIC_WAIT),
    "electrode_changed_in_lesion": Proof(Fault("wrong_electrode"), limit_s=0.3, source="HZ-08, 300 ms"),
    "electrode_open": void(Fault("lead_open"), Phase.ANAESTHETIC_WAIT),
    "impedance_rose_at_injection": void(
        Fault("electrode_moved", factor=1.6, distance_mm=0.1), Phase.ANAESTHETIC_WAIT, full_s=60.0
    ),
    "impedance_fell_at_injection": void(
        Fault("electrode_moved", factor=0.3, distance_mm=0.1), Phase.ANAESTHETIC_WAIT, full_s=60.0
    ),
    "impedance_above_reference": void(Fault("electrode_moved", factor=1.6, distance_mm=0.1), Phase.ARM_READY),
    "tissue_above_reference": void(Fault("electrode_moved", factor=1.3, distance_mm=0.1), Phase.ARM_READY),
    "impedance_below_reference": void(Fault("electrode_moved", factor=0.5, distance_mm=0.1), Phase.ARM_READY),
    "suspended": Proof(Fault("station_sleeps", s=5.0), limit_s=0.5, source="HZ-21, 500 ms"),
    "cycle_overrun": Proof(Fault("station_hangs", s=0.25), limit_s=0.5, source="HZ-20, 500 ms"),
    "cycle_overrun_warning": Proof(
        Fault("station_hangs", s=0.12), ends=Ends.WARNED, limit_s=0.12 + OVER_LIMIT_S + POLL_S,
        source="supervision: the cycle after it",
    ),
    "lease_late_warning": Proof(
        Fault("no_reply", seconds=0.2), ends=Ends.WARNED, limit_s=0.15 + OVER_LIMIT_S + POLL_S,
        source="lease, 150 ms, then one time-out",
    ),
    "refused_frames": Proof(Fault("wrong_count"), limit_s=0.3, source="HZ-19, 300 ms, when three have come"),
    "record_backlog": Proof(
        Fault("disk_hangs"), full_s=CHECKPOINT_RF_S + CHUNK_S, limit_s=1.0 + OVER_LIMIT_S,
        source="HZ-35, 1 s, when the next checkpoint has met it, and then a chunk of readings is due",
    ),
    "clock_rate": Proof(
        Fault("clock_rate", rate=1.05), plan={"hold_s": 20}, limit_s=10.0, source="HZ-24, 10 s"
    ),
    "pad_bad": Proof(
        Fault("pad_loosening", ohm_per_s=0.1, firmware_blind=True), setup=MONITORED, limit_s=0.3, source="HZ-13, 300 ms"
    ),
    "pad_silent": Proof(
        Fault("pad_not_told"), setup=MONITORED, limit_s=0.3 + OVER_LIMIT_S, source="supervision: 300 ms"
    ),
    "pad_rising": Proof(
        Fault("pad_loosening", ohm_per_s=0.1, contact_ohm=120.0, firmware_blind=True), setup=MONITORED, limit_s=0.3,
        source="HZ-13, 300 ms",
    ),
    "pad_heating": on_one_pad(30.0, Ends.OFF),
    "pad_heating_warning": on_one_pad(24.0, Ends.WARNED),
    "current": Proof(
        Fault("impedance", ohm=5.0), limit_s=0.2, source="HZ-11, 200 ms"
    ),
    "power_mismatch": Proof(
        Fault("meter_wrong", meter="voltage_v_rms", factor=1.5), limit_s=1.0, source="HZ-05, 1 s"
    ),
    "guard_silent": Proof(Fault("guard_hangs"), guarded=True, limit_s=0.5, source="HZ-45, 500 ms"),
    "enable_loop_open": Proof(
        Fault("guard_sees_open"), guarded=True, limit_s=0.5, source="guard and relay, 500 ms"
    ),
    "enable_loop_late": Proof(
        Fault("guard_does_not_close"), guarded=True, at=Phase.ARM_READY, for_s=0.0, full_s=ANSWERED_S + 1.0,
        ends=Ends.SAID, limit_s=OVER_LIMIT_S + POLL_S, source="guard and relay: 1 s after the intent",
    ),
    "arm_expired": Proof(
        Fault("word_comes_late", to="start", s=6.0), at=Phase.ARMED, for_s=0.0, full_s=4.5, ends=Ends.WARNED,
        limit_s=OVER_LIMIT_S, source="arm: 4.5 s",
    ),
    "mode_wrong": Proof(Fault("mode_changed"), limit_s=0.3, source="HZ-25, 300 ms"),
    "idle_slope": Proof(
        Fault("channels_swapped", with_channel=2), at=Phase.MOVE, for_s=0.0, since=Since.RF_ON, sites=2, further=True,
        limit_s=3.0, source="cable swap: 1 s of RF, the slope of 1 s, 200 ms, and a ramp that begins softly",
    ),
    "stimulation_result_expired": Proof(
        Fault("word_comes_late", to="arm", s=300.0), at=Phase.ANAESTHETIC_NEXT, for_s=0.0, full_s=300.0,
        plan={"sensory": "required"}, anaesthetic_s=60, ends=Ends.WARNED, limit_s=OVER_LIMIT_S,
        source="stimulation result: 5 min as planned, before RF",
    ),
}  # fmt: skip
