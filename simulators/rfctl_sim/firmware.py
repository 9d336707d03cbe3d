"""The firmware: obeys its owner, watches itself, controls the tip temperature, keeps its timers."""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from rfctl.clock import NS_PER_MS, NS_PER_S
from rfctl_sim import own_safety
from rfctl_sim.control import (
    DEVICE_CONTROLLED,
    HOST_CONTROLLED,
    NEVER_NS,
    ChannelControl,
    ChannelFault,
    GeneratorFault,
    Lease,
    Mode,
    Phase,
)
from rfctl_sim.conventions import Circumstances, Write, WrongToken
from rfctl_sim.own_safety import OwnSafety
from rfctl_sim.pulsed import PulsedControl
from rfctl_sim.regulator import Regulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from rfctl_sim.channel import Channel, Measurement
    from rfctl_sim.control import Control
    from rfctl_sim.conventions import Conventions
    from rfctl_sim.generator import Generator

SAMPLE_NS = 20 * NS_PER_MS
SAMPLE_S = 0.02


class RestartCause(IntEnum):
    """Why a firmware began to run."""

    POWER = 0
    WATCHDOG = 1


class SelfTest(IntEnum):
    """Bits of what a self-test can find wrong."""

    MEMORY = 1 << 0
    OUTPUT_STAGE = 1 << 1
    METERS = 1 << 2
    THERMOCOUPLE_INPUTS = 1 << 3
    STIMULATOR = 1 << 4


class Standing(NamedTuple):
    """What the log tells of when it changes."""

    owner: int
    lease: Lease
    phases: tuple[Phase, ...]


class Firmware:
    """One generator's firmware. Whoever calls it has brought time up to ``now_ns`` first.

    Attributes:
        conventions: The rules of its make.
        control: What it remembers.
        next_deadline_ns: The earliest of lease, arm tokens and lesion timers.
        self_test: Bits of what failed at power-up; 0 for nothing.
        restart_cause: Why it began to run.
        pulsed: What it knows of each channel's pulses.
    """

    def __init__(self, generator: Generator, random: Random, conventions: Conventions) -> None:
        channels = generator.channels
        self.conventions = conventions
        self.control = conventions.new_control(len(channels))
        self.next_deadline_ns = NEVER_NS
        self.self_test = 0
        self.restart_cause = RestartCause.POWER
        self._generator = generator
        self._effects = generator.effects
        self._channels = channels
        self._events = generator.events
        self._random = random
        self._booted_ns = generator.booted_ns
        self._safety = [OwnSafety() for _ in channels]
        self._regulators = [Regulator() for _ in channels]
        self.pulsed = [PulsedControl() for _ in channels]
        self.notice_electrodes()
        for channel in channels:
            channel.measure(0)

    def notice_electrodes(self) -> None:
        """Look which electrodes have a coolant."""
        for channel, memory in zip(self._channels, self.control.channels, strict=True):
            memory.cooled_electrode = channel.pump is not None

    # What a client does

    def write(self, writes: Sequence[Write], now_ns: int, connection: int) -> None:
        """Carry out the written values of one request: all of them, or none, except that an off is always done.

        Raises:
            Refusal: Not accepted; nothing but an off, if there is one among the values, has happened.
        """
        effects = self._effects
        if effects.active:
            writes = effects.heard_of(writes)
        conventions = self.conventions
        at = Circumstances(now_ns, connection, conventions.rated_power_w, self._new_token, self._causes)
        others = []
        for write in writes:
            if conventions.is_off(write.name, write.value):
                self._carry_out([write], at)
            else:
                others.append(write)
        try:
            if others:
                self._carry_out(others, at)
        finally:
            for befall in effects.remembered:
                befall()

    def _carry_out(self, writes: Sequence[Write], at: Circumstances) -> None:
        before = self._standing()
        # A rule refuses before it changes anything; several values are tried on a copy.
        control = self.control if len(writes) == 1 else self.control.copy()
        try:
            for write in writes:
                try:
                    self.conventions.carry_out(control, write, at)
                except WrongToken:
                    self.control.channels[write.channel - 1].disarm()
                    raise
            self.control = control
        finally:
            self._settle(before, at.now_ns)

    def connection_lost(self, connection: int, now_ns: int) -> None:
        """A client is gone."""
        before = self._standing()
        self.control.connection_lost(connection)
        self._settle(before, now_ns)

    # What people and the mains do

    def read_inputs(self, now_ns: int) -> None:
        """Follow emergency stop and enable loop, which have acted on the output stage already."""
        before = self._standing()
        control, inputs = self.control, self._generator.inputs
        control.interrupted = inputs.interrupted
        if inputs.stopped:
            control.fault_bits |= GeneratorFault.EMERGENCY_STOP
        if control.interrupted:
            control.turn_off_all()
        self._settle(before, now_ns)

    def by_hand(self, deed: Callable[[Control], None], now_ns: int) -> None:
        """A person does something at the panel; a refused deed has changed nothing."""
        before = self._standing()
        try:
            deed(self.control)
        finally:
            self._settle(before, now_ns)

    def test_itself(self, now_ns: int, cause: RestartCause) -> None:
        """The self-test at power-up, and what it remembers of the reason for it."""
        self.restart_cause = cause
        self.self_test = self._generator.broken
        if any(channel.stage.rf_on or channel.stage.stimulating for channel in self._channels):
            self.self_test |= SelfTest.OUTPUT_STAGE
        if self.self_test:
            self.control.fault_bits |= GeneratorFault.SELF_TEST
        if cause is RestartCause.WATCHDOG:
            self.control.fault_bits |= GeneratorFault.INTERNAL
        self.read_inputs(now_ns)

    def end_lease(self, now_ns: int) -> None:
        """End a running lease as if its time were up."""
        if self.control.lease is Lease.RUNNING:
            before = self._standing()
            self.control.end_lease()
            self._settle(before, now_ns)

    # What time does

    def run_timers(self, now_ns: int) -> None:
        """Do what is due at ``now_ns``."""
        control = self.control
        before = self._standing()
        for channel, memory in zip(self._channels, control.channels, strict=True):
            if memory.phase is Phase.ARMED and memory.token_until_ns <= now_ns:
                memory.disarm()
            elif memory.phase is Phase.RF_ON and memory.timer_until_ns <= now_ns and not self._effects.timer_endless:
                self._trip(channel, memory, ChannelFault.LESION_TIMER, now_ns)
        if control.lease is Lease.RUNNING and control.lease_until_ns <= now_ns and not self._effects.lease_endless:
            control.end_lease()
        control.run_own_timers(now_ns)
        self._settle(before, now_ns)

    def sample(self, channel: Channel, number: int, now_ns: int) -> None:
        """Take sample ``number`` of one channel, and act on it."""
        if self._effects.hung:
            return
        index = channel.number - 1
        memory = self.control.channels[index]
        measurement = channel.measure(number)
        bits = self._safety[index].watch(measurement, channel, memory)
        if memory.phase is Phase.RF_ON and self._pad_is_bad():
            before = self._standing()
            self.control.fault_bits |= GeneratorFault.DISPERSIVE_ELECTRODE
            self.control.turn_off_all()
            self._events.add(now_ns, "trip", channel=0, fault="dispersive_electrode")
            self._settle(before, now_ns)
        elif bits:
            before = self._standing()
            self._trip(channel, memory, bits, now_ns)
            self._settle(before, now_ns)
        elif memory.phase is Phase.RF_ON:
            limit_w = inf if channel.effects.limit_ignored else memory.power_limit_w or 0.0
            if memory.mode in DEVICE_CONTROLLED:
                power_w = self._regulators[index].power_w(
                    SAMPLE_S,
                    measurement.control_c,
                    memory.set_temperature_c or 0.0,
                    memory.ramp_c_per_s or 0.0,
                    limit_w,
                )
                channel.stage.regulate(power_w)
            elif memory.mode is Mode.PULSED:
                self.pulsed[index].sample(
                    SAMPLE_S,
                    channel.stage,
                    measurement.control_c,
                    memory.set_temperature_c or 0.0,
                    memory.pulse_voltage_v_peak or 0.0,
                    limit_w,
                )
            elif memory.mode is Mode.LESION_VOLTAGE:
                channel.stage.regulate(limit_w, memory.voltage_set_point_v_rms)
            else:
                channel.stage.regulate(min(memory.power_set_point_w, limit_w))
            channel.stage.resolve()

    def _pad_is_bad(self) -> bool:
        return self._generator.pad.bad and self.conventions.watches_pad

    def _trip(self, channel: Channel, memory: ChannelControl, bits: int, now_ns: int) -> None:
        memory.fault_bits |= bits
        memory.turn_off()
        for fault in ChannelFault:
            if fault & bits:
                self._events.add(now_ns, "trip", channel=channel.number, fault=fault.name.lower())

    # Between memory and output

    def _standing(self) -> Standing:
        control = self.control
        return Standing(control.owner, control.lease, tuple([channel.phase for channel in control.channels]))

    def _settle(self, before: Standing, now_ns: int) -> None:
        """Bring outputs, deadlines and log in line with the memory."""
        control = self.control
        after = self._standing()
        for channel, memory, old, new in zip(
            self._channels, control.channels, before.phases, after.phases, strict=True
        ):
            if channel.pump is not None:
                channel.pump.set_ml_min = memory.pump_flow_ml_min or 0.0
            if new is not old:
                self._switch(channel, memory, old, now_ns)
            elif new is Phase.STIMULATING:
                channel.stage.set_stimulation(
                    memory.stimulation_amplitude, as_current=memory.mode is Mode.STIMULATION_CURRENT
                )
        if after != before:
            self._log(before, after, now_ns)
        self._set_deadline()

    def _set_deadline(self) -> None:
        control, effects = self.control, self._effects
        deadline_ns = control.own_deadline_ns
        if control.lease is Lease.RUNNING and not effects.lease_endless:
            deadline_ns = min(deadline_ns, control.lease_until_ns)
        for memory in control.channels:
            if memory.phase is Phase.ARMED:
                deadline_ns = min(deadline_ns, memory.token_until_ns)
            elif memory.phase is Phase.RF_ON and not effects.timer_endless:
                deadline_ns = min(deadline_ns, memory.timer_until_ns)
        self.next_deadline_ns = NEVER_NS if effects.hung else deadline_ns

    def follow_faults(self, now_ns: int) -> None:
        """Faults began or ended that have a hold of its timers: what would have been due is due now."""
        self._set_deadline()
        self.next_deadline_ns = max(self.next_deadline_ns, now_ns)

    def _switch(self, channel: Channel, memory: ChannelControl, old: Phase, now_ns: int) -> None:
        if Phase.RF_ON in {old, memory.phase}:
            on = memory.phase is Phase.RF_ON
            if on:
                temperature_c = self.latest(channel, now_ns).control_c
                memory.without_thermocouple = temperature_c != temperature_c and memory.mode in HOST_CONTROLLED
                self._regulators[channel.number - 1].start(temperature_c)
                self.pulsed[channel.number - 1].start()
                if memory.mode is Mode.PULSED:
                    period_ns = 10 * NS_PER_S // (memory.pulse_rate_dhz or 1)
                    channel.stage.shape((memory.pulse_width_us or 0) * 1000, period_ns)
                else:
                    channel.stage.shape(None)
            channel.stage.switch_rf(now_ns, on=on)
            if on and memory.mode is Mode.PULSED:
                # The first pulse begins now, not with the next measurement.
                pulsed = self.pulsed[channel.number - 1]
                pulsed.set(channel.stage, memory.pulse_voltage_v_peak or 0.0, memory.power_limit_w or 0.0)
        if Phase.STIMULATING in {old, memory.phase}:
            channel.stage.switch_stimulation(now_ns, on=memory.phase is Phase.STIMULATING)
        # The output's meters follow a switch at once, not with the next sample.
        channel.measure(self.sample_counter(now_ns))

    def _log(self, before: Standing, after: Standing, now_ns: int) -> None:
        if after.owner != before.owner:
            self._events.add(now_ns, "owner", session=after.owner)
        if after.lease is not before.lease:
            self._events.add(now_ns, f"lease_{after.lease.name.lower()}")
        for number, (old, new) in enumerate(zip(before.phases, after.phases, strict=True), start=1):
            if new is not old:
                self._events.add(now_ns, "phase", channel=number, was=old.name.lower(), now=new.name.lower())

    def _new_token(self) -> int:
        used = {token for channel in self.control.channels for token in (channel.arm_token, channel.spent_token)}
        while (token := self._random.randint(1, 65535)) in used:
            pass
        return token

    def _causes(self, number: int) -> int:
        if number == 0:
            return (
                GeneratorFault.SELF_TEST * bool(self.self_test)
                | GeneratorFault.EMERGENCY_STOP * self._generator.inputs.stopped
                | GeneratorFault.DISPERSIVE_ELECTRODE * self._pad_is_bad()
            )
        channel = self._channels[number - 1]
        return own_safety.causes(channel.last, channel, self.control.channels[number - 1])

    # What it knows of its own clock

    def sample_counter(self, now_ns: int) -> int:
        """Number of measurements since power-up."""
        return (now_ns - self._booted_ns) // SAMPLE_NS

    def own_ns(self, now_ns: int) -> int:
        """An instant as its own clock has it."""
        clock = self._effects.clock
        return now_ns if clock is None else clock(now_ns)

    def latest(self, channel: Channel, now_ns: int) -> Measurement:
        """The newest measurement of a channel."""
        return channel.measured_at(self.sample_counter(now_ns))
