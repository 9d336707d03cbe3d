"""Driver, profile, gate and link together against the simulated generator, bytes only between them."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from math import isnan
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import pytest

from rfctl.clock import NS_PER_S
from rfctl.errors import DeviceRefused, ReadBackMismatch, RefusedError
from rfctl.link.link import Link
from rfctl.link.modbus import TcpFraming, write
from rfctl.model.capability import Capability, SetPoint
from rfctl.model.permit import Envelope, Permit, PermitKind
from rfctl.model.reading import Mode
from rfctl.model.settings import LesionSettings, SetPointSettings, StimulationSettings
from rfctl.profile.profile import load
from rfctl_modbus.driver import ModbusGenerator, open_driver
from rfctl_sim.simulator import Simulator, start
from rfctl_sim.writes import CHANNEL_RULES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rfctl.clock import Clock
    from rfctl.profile.profile import Profile

PROFILE = load("rfctl-reference")
LESION = LesionSettings(set_temperature_c=60.0, ramp_c_per_s=4.0, max_on_s=60.0, power_limit_w=12.0)
ENVELOPE = Envelope(60.0, 12.0, 60.0, stimulation_v=1.0, stimulation_ma=1.0, voltage_v_rms=20.0)
CYCLE_S = 0.05
PERMIT_NS = NS_PER_S // 5


class Bench(NamedTuple):
    """What a test holds."""

    simulator: Simulator
    link: Link
    driver: ModbusGenerator
    clock: Clock

    def permit(self, kind: PermitKind) -> None:
        self.link.grant(Permit(1, kind, ENVELOPE, self.clock.monotonic_ns() + PERMIT_NS))

    async def keep_on(self, seconds: float, kind: PermitKind) -> None:
        """Decide again and again that the output may stay on."""
        for _ in range(round(seconds / CYCLE_S)):
            self.permit(kind)
            await self.driver.renew()
            await asyncio.sleep(CYCLE_S)

    def output(self, key: str, channel: int = 1) -> object:
        """What the output stage does, told by the simulator itself."""
        channels = self.simulator.truth()["channels"]
        assert isinstance(channels, list)
        return channels[channel - 1][key]


@asynccontextmanager
async def bench(clock: Clock, profile: Profile = PROFILE) -> AsyncIterator[Bench]:
    simulator = await start(clock, tissue="poles", channels=2, seed=1)
    link = await Link.open(simulator.address, TcpFraming(), clock)
    try:
        driver = open_driver(link, profile)
        link.load(profile.write_table(), driver.off_frames())
        link.off()
        await driver.identify()
        await driver.claim(4711)
        yield Bench(simulator, link, driver, clock)
    finally:
        link.close()
        await simulator.close()


async def test_the_simulator_says_that_it_is_one(clock: Clock) -> None:
    async with bench(clock) as it:
        who = await it.driver.identify()
        assert (who.simulated, who.channels, len(who.traits)) == (True, 2, 2)
        assert (await it.driver.read()).owner == 4711


async def test_a_lesion_heats_to_its_set_temperature_until_the_off(clock: Clock) -> None:
    async with bench(clock) as it:
        it.permit(PermitKind.LESION)
        await it.driver.renew()
        await it.driver.configure_lesion(1, LESION)
        await it.driver.fire(1, await it.driver.arm(1))
        await it.keep_on(15.0, PermitKind.LESION)
        reading = (await it.driver.read()).channels[0]
        assert (reading.rf_on, reading.mode) == (True, Mode.LESION_TEMPERATURE)
        assert reading.temperature_c == pytest.approx(60.0, abs=2.0)
        await it.driver.lower_power_limit(1, 8.0)
        assert it.output("rf_on") is True
        assert it.link.off() is True
        await it.driver.read()
        assert it.output("rf_on") is False
        assert (await it.driver.read()).channels[0].rf_on is False


@pytest.mark.parametrize(
    ("set_point", "mode", "delivered"),
    [
        (SetPoint.VOLTAGE, Mode.LESION_VOLTAGE, "voltage_v_rms"),
        (SetPoint.POWER, Mode.LESION_POWER, "power_w"),
    ],
)
async def test_a_set_point_is_delivered_and_comes_back_with_the_status(
    clock: Clock, set_point: SetPoint, mode: Mode, delivered: str
) -> None:
    async with bench(clock) as it:
        it.permit(PermitKind.LESION)
        await it.driver.renew()
        await it.driver.configure_set_point(1, SetPointSettings(set_point, 60.0, 12.0))
        await it.driver.fire(1, await it.driver.arm(1))
        await it.keep_on(0.1, PermitKind.LESION)
        reading = (await it.driver.read()).channels[0]
        assert (reading.rf_on, reading.mode, reading.set_point, it.output("power_w")) == (True, mode, 0.0, 0.0)
        set_output = it.driver.set_voltage if set_point is SetPoint.VOLTAGE else it.driver.set_power
        frames = len(it.simulator.wire)
        await set_output(1, 7.654)
        assert len(it.simulator.wire) == frames + 2, "one request and its reply: the read-back comes with the status"
        await it.keep_on(0.1, PermitKind.LESION)
        reading = (await it.driver.read()).channels[0]
        assert reading.set_point == pytest.approx(7.65)
        assert it.output(delivered) == pytest.approx(7.654)
        with pytest.raises(RefusedError, match="outside the permit's envelope"):
            await set_output(1, 20.1)
        assert it.link.off() is True
        await it.driver.read()
        assert it.output("rf_on") is False


async def test_where_the_status_has_no_set_point_one_read_brings_it_back(clock: Clock, tmp_path: Path) -> None:
    absent = 'absent = ["set_point"]\n'
    text, found = re.subn(r"^set_point = .*\n", absent, PROFILE.path.read_text(), flags=re.MULTILINE)
    assert found == 1
    (tmp_path / "mine.toml").write_text(text)
    async with bench(clock, load("mine.toml", relative_to=tmp_path)) as it:
        it.permit(PermitKind.LESION)
        await it.driver.renew()
        await it.driver.configure_set_point(1, SetPointSettings(SetPoint.VOLTAGE, 60.0, 12.0))
        await it.driver.fire(1, await it.driver.arm(1))
        frames = len(it.simulator.wire)
        await it.driver.set_voltage(1, 7.5)
        assert len(it.simulator.wire) == frames + 4
        assert isnan((await it.driver.read()).channels[0].set_point)
        with (
            patch.dict(CHANNEL_RULES, voltage_set_point_v_rms=lambda *_: None),
            pytest.raises(ReadBackMismatch, match=r"voltage_set_point_v_rms of channel 1: wrote 8\.5, read back 7\.5"),
        ):
            await it.driver.set_voltage(1, 8.5)


async def test_it_says_what_it_can_do(clock: Clock) -> None:
    async with bench(clock) as it:
        assert (await it.driver.identify()).capabilities == set(Capability)


async def test_a_generator_of_map_1_0_can_what_it_could(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfctl_sim.answers.MAP_VERSION", 0x0100)
    monkeypatch.setattr("rfctl_sim.answers.CAPABILITIES", 0b111)
    async with bench(clock) as it:
        who = await it.driver.identify()
        assert who.map_version == (1, 0)
        assert who.capabilities == {Capability.THERMAL, Capability.STIMULATION_V, Capability.STIMULATION_MA}


async def test_without_renewals_the_lease_ends_the_output_and_claim_clears_it(clock: Clock) -> None:
    async with bench(clock) as it:
        it.permit(PermitKind.LESION)
        await it.driver.renew()
        await it.driver.configure_lesion(1, LESION)
        await it.driver.fire(1, await it.driver.arm(1))
        await asyncio.sleep(0.7)
        assert it.output("rf_on") is False
        it.link.off()
        with pytest.raises(DeviceRefused, match=r"mode of channel 1 = 3: .*reason 5 \(lease expired and not cleared\)"):
            await it.driver.configure_lesion(1, LESION)
        await it.driver.claim(4711)
        await it.driver.configure_lesion(1, LESION)


@pytest.mark.parametrize(("unit", "mode"), [("V", Mode.STIMULATION_VOLTAGE), ("mA", Mode.STIMULATION_CURRENT)])
async def test_stimulation_rises_as_delivered_and_ends_with_the_off(clock: Clock, unit: str, mode: Mode) -> None:
    async with bench(clock) as it:
        it.permit(PermitKind.STIMULATION)
        await it.driver.renew()
        await it.driver.configure_stimulation(1, StimulationSettings(unit, 50.0, 1000, 1.0))
        await it.driver.start_stimulation(1)
        await it.driver.set_amplitude(1, 0.4)
        await it.keep_on(0.5, PermitKind.STIMULATION)
        reading = (await it.driver.read()).channels[0]
        assert (reading.stimulating, reading.mode, reading.stimulation_width_us) == (True, mode, 1000)
        assert reading.stimulation_rate_hz == pytest.approx(50.0)
        assert reading.stimulation_amplitude == pytest.approx(0.4, abs=0.01)
        it.link.off()
        await it.driver.read()
        assert it.output("stimulating") is False


async def test_a_wrong_token_is_refused_with_the_generators_reason(clock: Clock) -> None:
    async with bench(clock) as it:
        it.permit(PermitKind.LESION)
        await it.driver.renew()
        await it.driver.configure_lesion(1, LESION)
        token = await it.driver.arm(1)
        with pytest.raises(DeviceRefused, match=r"fire of channel 1 = .*reason 7 \(wrong or used token\)"):
            await it.driver.fire(1, token ^ 1)
        assert it.output("rf_on") is False


async def test_what_the_gate_refuses_does_not_reach_the_generators_wire(clock: Clock) -> None:
    async with bench(clock) as it:
        await it.driver.configure_lesion(1, LESION)
        await it.driver.read()
        before = len(it.simulator.wire)
        for call in (it.driver.arm(1), it.driver.fire(1, 7), it.driver.set_amplitude(1, 0.1), it.driver.renew()):
            with pytest.raises(RefusedError):
                await call
        assert len(it.simulator.wire) == before
        arm = write(PROFILE.writable("command", 1).address, b"\0\1")
        assert not [frame for frame in it.simulator.wire if frame.data[7:] == arm]
