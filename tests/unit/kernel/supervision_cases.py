"""How the rows about meters, modes, cables and the arm are driven."""

from __future__ import annotations

from rfctl.kernel.actions import with_channel
from rfctl.kernel.limits import ROWS
from rfctl.kernel.phase import Phase
from rfctl.kernel.state import Figures
from rfctl.kernel.supervision import envelope_current_a
from rfctl.model.reading import Mode
from tests.unit.kernel.bench import Bench
from tests.unit.kernel.row_case import Case


def current(bench: Bench, share: float) -> None:
    """So many times the limit flows."""
    limit_a = 1.2 * envelope_current_a(bench.setup, bench.channel)
    bench.alter(bench.active, current_ma_rms=1e3 * share * limit_a)


def voltage(bench: Bench, share: float) -> None:
    """After a second of steady power V x I differs from it by so many times the limit."""
    number = bench.active

    def shown(t: float, now: object) -> float:
        measured = bench.outputs[number - 1].measure()
        if t < 1.0 or not measured.current_ma_rms:
            return float(str(now))
        more_w = share * max(0.2 * measured.power_w, 1.0)
        return float(str(now)) + more_w / (measured.current_ma_rms * 1e-3)

    bench.alter(number, voltage_v_rms=shown)


def mode(bench: Bench, value: float) -> None:
    if value:
        bench.alter(bench.active, mode=Mode.STIMULATION_VOLTAGE)


def warms_without_power(bench: Bench, k_per_s: float) -> None:
    """The other channel has been heating for long, and this one's tip warms."""
    active = bench.active
    since_ns = bench.now_ns - 10_000_000_000
    start_c = bench.newest(active).temperature_c
    figures = Figures(since_ns, 37.0, bench.now_ns, 80.0, 0, 0, 0, 0, 0, 0, 0, since_ns)
    beside = bench.state.channels[1]._replace(phase=Phase.HOLD, figures=figures, since_ns=bench.now_ns)
    bench.state = with_channel(bench.state, 2, beside)
    bench.state = with_channel(bench.state, active, bench.channel._replace(off_ns=since_ns))
    bench.alter(active, temperature_c=lambda t, _: start_c + k_per_s * t)


def waits(_bench: Bench, _value: float) -> None:
    """Nobody gives the word to start."""


CASES: dict[str, Case] = {
    "current": Case(Phase.HOLD, Phase.IMPEDANCE, current, 1, 0.999, 1.001, nan=True),
    "power_mismatch": Case(Phase.HOLD, Phase.COOLING, voltage, 1, 0.999, 1.005, 40, nan=True),
    "mode_wrong": Case(Phase.RAMP, Phase.COOLING, mode, 2, 0, 1),
    "idle_slope": Case(Phase.COOLING, Phase.ANAESTHETIC_WAIT, warms_without_power, 5, 0.999, 1.001, 60),
    "arm_expired": Case(Phase.ARMED, Phase.ARM_READY, waits, 1, None, 1, 100),
}

OVERTAKEN_BY = {
    "power_cap": {"current", "power_mismatch"},
    "idle_slope": {row.code for row in ROWS} - {"idle_slope"},  # the channel beside it only seems to heat
}
