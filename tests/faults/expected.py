"""What must come of each fault of the catalogue: how long an output may stay on with it, and where it is borne.

Times are those of the hazards and limits, counted at the output stage; where a row has a window, they begin when it is
full. Whatever the fault: RF or stimulation that nobody wants is off within UNWANTED_S by the relay, no tissue boils,
nothing is left on at the end, and nobody says that off was measured while it was not.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from rfctl_sim.catalogue.kinds import Scope
from rfctl_sim.catalogue.table import CATALOGUE

UNWANTED_S = 0.5
"""HZ-14 to HZ-17, HZ-20 to HZ-22: the relay is open, and the output with it."""
BOILING_C = 100.0

BEFORE = frozenset({"idle before", "checklist", "impedance", "sensory stimulation", "motor stimulation"})
AFTER = frozenset({"cooling", "ending"})
WITHOUT_RF = BEFORE | AFTER | {"anaesthetic wait", "armed", "between sites"}
STANDING_BY = frozenset({"idle before", "checklist", "impedance", "between sites"})
CONNECTED = (WITHOUT_RF | {"probe", "ramp", "hold"}) - {"idle before"}


class Expected(NamedTuple):
    """One fault.

    Attributes:
        name: In the catalogue.
        rf_s: Longest time with RF on, s; infinite where it may go on.
        stimulation_s: Likewise of stimulation.
        source: Where the times come from; else why it may go on.
        parameters: Of the fault.
        borne_in: States in which the times do not count, since the fault is not what it says there.
        borne: Why.
        not_shown: Why no state of these plans shows it; empty where they do.
    """

    name: str
    rf_s: float
    stimulation_s: float
    source: str
    parameters: dict[str, Any] = {}  # noqa: RUF012  a named tuple
    borne_in: frozenset[str] = frozenset()
    borne: str = ""
    not_shown: str = ""

    @property
    def on_channel(self) -> bool:
        """It is of one channel."""
        return CATALOGUE[self.name].scope is Scope.CHANNEL


HEATS = "stimulation does not heat"
IDENTITY = "identity is read when the station connects: a generator that becomes another one is another connection"
CLAIMED = "before anything is turned on the generator is claimed, and its mode is written and read back"
BY_LEASE = "HZ-17, 500 ms"

TABLE = (
    # sensors
    Expected("thermocouple_open", 0.2, 0.2, "HZ-02, 200 ms"),
    Expected("thermocouple_short", 3.0, inf, f"HZ-03, 3 s; {HEATS}"),
    Expected("thermocouple_reversed", 0.5, inf, f"HZ-04, 500 ms; {HEATS}"),
    Expected(
        "temperature_frozen", 11.0, inf,
        f"frozen: 10 s in the hold, 5 s from RF on in the ramp, then HZ-05, 1 s; {HEATS}",
    ),
    Expected("over_temperature", 0.3, inf, f"HZ-01, 300 ms; {HEATS}"),
    Expected("temperature_drift", inf, inf, "slow: the tissue is what counts"),
    Expected("temperature_lag", inf, inf, "limits: a lag of 1 s is harmless; of 2 s the tissue is what counts"),
    Expected(
        "electrode_not_seated", inf, inf,
        "model check, from 8 K of rise on, in the hold under set: the tissue is what counts",
    ),
    Expected("temperature_noise", inf, inf, "HZ-50: it alone must end nothing"),
    Expected("rf_pickup", inf, inf, "HZ-07: seen at the edge of RF, it blocks the next start"),
    Expected("channels_swapped", 3.0, inf, f"HZ-52, in the probe, else HZ-03, 3 s; {HEATS}"),
    Expected("bad_value", 0.2, 0.2, "HZ-48, the same sample; HZ-02, 200 ms"),
    Expected("meter_wrong", 1.0, inf, "V x I against P, 500 ms, then HZ-05; no meter of stimulation"),
    # tissue
    Expected("impedance", 0.3, 0.3, "HZ-10, 300 ms"),
    Expected("lead_open", 0.3, 0.3, "HZ-10, 300 ms"),
    Expected("lead_shorted", 0.2, 0.3, "HZ-11, 200 ms by the current; of stimulation 2 of 3 samples"),
    Expected("charring", 1.7, inf, f"1 s of regression, 200 ms, then HZ-12, 500 ms; {HEATS}"),
    Expected(
        "electrode_moved", 1.0, inf, "0.5 s means, 200 ms, then HZ-08, 300 ms; before RF the impedance refuses",
        borne_in=BEFORE | {"anaesthetic wait", "between sites", "probe"},
        borne="where it was moved before the check it was checked; after the probe, of 1 W, its impedance refuses",
    ),
    Expected(
        "fluid_injected", 1.7, inf, "1 s of regression, 200 ms, then HZ-11 and HZ-12",
        borne_in=WITHOUT_RF | {"probe"},
        borne="an injection is accepted before RF; after the probe, of 1 W, its impedance refuses",
    ),
    Expected("wrong_electrode", inf, inf, "HZ-09: within the series resistances that are possible; the tissue counts"),
    Expected("pad_loosening", inf, inf, "this pad is not monitored; by its impedance, slowly: the tissue counts"),
    Expected("pad_detached", 0.3, 0.3, "HZ-10, HZ-13, 300 ms"),
    Expected("coolant_flow_low", inf, inf, "", not_shown="there is no pump in this set-up"),
    Expected("pump_stopped", inf, inf, "", not_shown="there is no pump in this set-up"),
    # outputs
    Expected("ignore_off", inf, inf, "HZ-15: until off is wanted nothing is wrong"),
    Expected("rf_without_command", inf, inf, "HZ-14: until off is wanted the channel heats as it should"),
    Expected("rf_does_not_start", inf, inf, "HZ-50: less energy, not more"),
    Expected("wrong_power", inf, inf, "the temperature is controlled all the same; the tissue counts"),
    Expected("power_over_limit", 0.2, inf, f"HZ-30, 200 ms; {HEATS}"),
    Expected("power_limit_ignored", inf, inf, "below the limit nothing is wrong; above it power_over_limit"),
    Expected("wide_pulse", inf, inf, "", not_shown="pulsed plans are refused in this version"),
    Expected(
        "stimulation_too_strong", inf, 0.3, "HZ-26, 200 ms, on the next step",
        borne_in=frozenset({"idle before", "checklist", "impedance"}),
        borne="twice the first step of 0.1 V is less than 15 % of 1 V too much, and nobody may take the second before "
        "what is delivered is what was set",
    ),
    Expected("stimulation_without_command", 0.3, inf, "HZ-28, 200 ms and one sample, with RF; without RF unwanted"),
    # firmware
    Expected("firmware_hang", 0.5, 0.5, BY_LEASE),
    Expected("firmware_reset", 0.5, 0.5, BY_LEASE),
    Expected("emergency_stop_ignored", inf, inf, "nothing to be seen before somebody presses it"),
    Expected(
        "calibration_expired", 0.0, 0.0, "HZ-34: refused at arm",
        borne_in=CONNECTED, borne=IDENTITY,
    ),
    Expected("counter_frozen", 0.4, 0.4, "frozen, 300 ms, then one poll and two transactions"),
    Expected("clock_rate", 12.0, inf, "HZ-24, 10 s and what the counter resolves"),
    Expected(
        "lease_dead", 0.5, 0.5, "HZ-20, 500 ms", borne_in=STANDING_BY, borne="there is no output that it could end",
    ),
    Expected("lease_endless", inf, inf, "nothing is wrong before the station is gone"),
    Expected("lesion_timer_dead", inf, inf, "the station has a timer of its own"),
    Expected("refuse_write", inf, inf, "HZ-32: refused where it is written, which is before RF"),
    Expected("write_ignored", inf, inf, "HZ-32: refused where it is written, which is before RF"),
    Expected("write_partial", inf, inf, "HZ-32: refused where it is written"),
    Expected("off_ignored", inf, inf, "HZ-15: until off is wanted nothing is wrong"),
    Expected("set_point_corrupted", inf, inf, "HZ-31: refused where it is read back; in RF by over set"),
    Expected("stimulation_wrong_rate", inf, 0.3, "HZ-27, before the first step", {"rate_hz": 20.0}),
    Expected("stimulation_wrong_width", inf, 0.3, "HZ-55, before the first step"),
    Expected("stimulation_wrong_unit", inf, 0.3, "HZ-55, before the first step"),
    Expected("other_controller", 0.3, 0.3, "HZ-25, 300 ms", borne_in=STANDING_BY, borne=CLAIMED),
    Expected("setting_changed", inf, inf, "HZ-31, by over set; before arming everything is written"),
    Expected("mode_changed", 0.3, 0.3, "HZ-25, 300 ms", borne_in=STANDING_BY, borne=CLAIMED),
    Expected("wrong_map_id", 0.0, 0.0, "HZ-33", borne_in=CONNECTED, borne=IDENTITY),
    Expected("wrong_model", 0.0, 0.0, "HZ-33", borne_in=CONNECTED, borne=IDENTITY),
    Expected("wrong_firmware", 0.0, 0.0, "HZ-33", borne_in=CONNECTED, borne=IDENTITY),
    Expected("poses_as_device", 0.0, 0.0, "HZ-47", borne_in=CONNECTED, borne=IDENTITY),
    # wire
    Expected("no_reply", 0.5, 0.5, BY_LEASE),
    Expected("unit_dead", 0.5, 0.5, BY_LEASE),
    Expected("socket_cut", 0.5, 0.5, BY_LEASE),
    Expected("request_lost", 0.5, 0.5, BY_LEASE),
    Expected("reply_dropped", 0.5, 0.5, BY_LEASE),
    Expected("reply_delayed", 0.5, 0.5, BY_LEASE),
    Expected("reply_late", 0.5, 0.5, BY_LEASE),
    Expected("reply_duplicated", inf, inf, "HZ-18: the second one is dropped, and counted"),
    Expected("reply_cut", 0.5, 0.5, BY_LEASE),
    Expected("garbage_before", 0.5, 0.5, BY_LEASE),
    Expected("garbage_after", 0.5, 0.5, BY_LEASE),
    Expected("stray_byte", 0.5, 0.5, BY_LEASE),
    Expected("bit_errors", inf, inf, "HZ-19: a frame with an error is refused, 3 in 1 s end the procedure"),
    Expected("wrong_unit", 0.5, 0.5, BY_LEASE),
    Expected("wrong_function", 0.5, 0.5, BY_LEASE),
    Expected("wrong_count", 0.5, 0.5, BY_LEASE),
    Expected("value_corrupted", 0.5, 0.5, "HZ-19, by what the values mean; 500 ms"),
    Expected("disconnect", 0.5, 0.5, BY_LEASE),
    # relay
    Expected("welded", inf, inf, "HZ-44: seen when the contact has to open"),
    Expected("stuck_open", inf, inf, "HZ-44: seen when the contact has to close"),
    Expected("mute", 0.5, 0.5, "HZ-17: the guard hears nothing, and its flash-on runs out"),
    Expected("readback_lies", inf, inf, "HZ-44: nothing differs before the contact does"),
)  # fmt: skip


EXPECTED: dict[str, Expected] = {row.name: row for row in TABLE}
