"""Every fault, by what it does on the wire or at the output stage."""

import asyncio
import math
import struct

import pytest


@pytest.fixture
async def holding(client):
    """A client in mid-hold at 80 degC."""
    await client.start_lesion()
    await client.keep(15.0)
    return client


async def test_thermocouple_open_reads_not_a_number_while_the_lesion_goes_on(simulator, holding, output):
    simulator.faults.start("thermocouple_open")
    assert await holding.read(80, "I") == 0x7FC00000
    await holding.keep(5.0)
    assert math.isnan(await holding.temperature_c())
    assert await holding.read(94, "H") & 0b10
    assert await holding.read(100, "H") == 0
    assert output()["rf_on"]
    assert output()["tip_temperature_c"] == pytest.approx(80.0, abs=0.5)
    simulator.faults.clear("thermocouple_open")
    assert await holding.temperature_c() == pytest.approx(80.0, abs=0.5)


async def test_over_temperature_shifts_the_reading_and_not_the_tip(simulator, holding, output):
    simulator.faults.start("over_temperature", kelvin=25.0)
    await holding.keep(2.0)
    assert await holding.temperature_c() == pytest.approx(105.0, abs=0.5)
    assert output()["tip_temperature_c"] == pytest.approx(80.0, abs=0.5)
    assert output()["rf_on"]


async def test_impedance_is_measured_as_5000_ohm_and_the_power_collapses(simulator, holding, output):
    before_w = output()["power_w"]
    simulator.faults.start("impedance")
    await holding.keep(0.5)
    volt, milliampere, _, watt, ohm = await holding.read(84, "fffff")
    assert ohm == pytest.approx(5000.0, rel=0.02)
    assert volt / milliampere * 1000.0 == pytest.approx(ohm, rel=1e-5)
    assert watt < before_w
    assert output()["rf_on"]
    cooler_c = output()["tip_temperature_c"]
    await holding.keep(1.0)
    assert output()["tip_temperature_c"] < cooler_c - 1.0
    assert await holding.read(100, "H") == 0


@pytest.mark.parametrize("ohm", [10.0, 20_000.0])
async def test_a_short_and_an_opening_heat_the_tissue_less_too(simulator, holding, output, ohm):
    simulator.faults.start("impedance", ohm=ohm)
    await holding.keep(2.0)
    measured = await holding.read(92, "f")
    assert math.isnan(measured) if ohm > 10_000 else measured == pytest.approx(10.0, rel=0.02)
    assert output()["tip_temperature_c"] < 78.0


async def test_power_over_limit_delivers_25_w_into_the_tissue(simulator, holding, output):
    simulator.faults.start("power_over_limit")
    await asyncio.sleep(0.1)
    ohm, volt = await holding.read(92, "f"), output()["voltage_v_rms"]
    tissue_w = (volt / ohm) ** 2 * (ohm - 100.0)
    assert tissue_w == pytest.approx(25.0, rel=0.05)
    assert output()["power_w"] > 2.0 * 26.0
    await holding.write(0, 1)
    assert output()["power_w"] == 0.0


async def test_ignore_off_keeps_rf_on_after_all_off_until_it_is_cleared(simulator, holding, output):
    simulator.faults.start("ignore_off")
    await holding.write(0, 1)
    await asyncio.sleep(1.0)
    assert output()["rf_on"]
    assert output()["power_w"] > 1.0
    assert await holding.read(72, "HH") == (1, 0)
    assert await holding.read(86, "f") > 50.0
    simulator.faults.clear("ignore_off")
    assert not output()["rf_on"]
    assert output()["last_off_s"] == simulator.truth()["now_s"]


async def test_rf_without_command_is_measured_and_heats(simulator, client, output):
    simulator.faults.start("rf_without_command", channel=2, power_w=4.0)
    await asyncio.sleep(5.0)
    assert await client.read(72, "HH") == (0b10, 0)
    assert await client.read(113, "f") > 100.0
    assert output(2)["tip_temperature_c"] > 50.0
    assert not output(1)["rf_on"]
    await client.write(0, 1)
    assert output(2)["rf_on"]
    simulator.faults.clear("rf_without_command")
    assert not output(2)["rf_on"]


async def test_counter_frozen_answers_the_same_block_for_ever_while_output_goes_on(simulator, holding, output):
    simulator.faults.start("counter_frozen")
    frozen = await holding.request(struct.pack(">BHH", 4, 64, 70))
    await holding.keep(2.0)
    assert await holding.request(struct.pack(">BHH", 4, 64, 70)) == frozen
    assert output()["rf_on"]
    simulator.faults.clear("counter_frozen")
    assert await holding.request(struct.pack(">BHH", 4, 64, 70)) != frozen


async def test_socket_cut_closes_every_connection_and_refuses_new_ones(simulator, holding, second_client, connect_to):
    simulator.faults.start("socket_cut", seconds=2.0)
    for cut in (holding, second_client):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await cut.reader.readexactly(1)
    with pytest.raises(ConnectionRefusedError):
        await connect_to(simulator)
    await asyncio.sleep(1.9)
    with pytest.raises(ConnectionRefusedError):
        await connect_to(simulator)
    await asyncio.sleep(0.2)
    again = await connect_to(simulator)
    assert await again.read(0, "I") == 0x52464354
    assert await again.read(70, "I") == 0b10  # the lease ran out meanwhile
    again.close()


async def test_a_cleared_cut_is_over_at_once(simulator, client, connect_to):
    simulator.faults.start("socket_cut", seconds=1000.0)
    simulator.faults.clear("socket_cut")
    await asyncio.sleep(0.01)
    again = await connect_to(simulator)
    assert await again.read(0, "I") == 0x52464354
    again.close()


async def test_no_reply_neither_obeys_nor_answers_and_the_lease_runs_out(simulator, holding, output):
    simulator.faults.start("no_reply", seconds=1.0)
    holding.writer.write(bytes.fromhex("7777 0000 0006 01 06 0000 0001"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await holding.reader.readexactly(1)
    assert output()["rf_on"]
    await asyncio.sleep(0.8)
    assert not output()["rf_on"]
    assert await holding.read(0, "I") == 0x52464354


@pytest.mark.parametrize(("register", "address"), [("mode", 18), ("lease_renew", 3)])
async def test_refuse_write_answers_exception_04_for_that_register(simulator, client, register, address):
    await client.write(1, 7)
    simulator.faults.start("refuse_write", register=register)
    assert await client.request(struct.pack(">BHH", 6, address, 1)) == bytes((0x86, 4))
    assert await client.read(38, "H") == 11
    await client.write(2, 400)
    simulator.faults.clear("refuse_write")
    await client.write(address, 1)


async def test_a_refused_off_turns_nothing_off(simulator, holding, output):
    simulator.faults.start("refuse_write", register="all_off")
    assert await holding.request(struct.pack(">BHH", 6, 0, 1)) == bytes((0x86, 4))
    assert output()["rf_on"]


async def test_wrong_map_id_is_all_that_differs(simulator, client):
    simulator.faults.start("wrong_map_id")
    map_id, version = await client.read(0, "IH")
    assert map_id != 0x52464354
    assert version == 0x0102


async def test_lease_dead_ends_the_lease_now(simulator, holding, output):
    simulator.faults.start("lease_dead")
    assert not output()["rf_on"]
    assert output()["last_off_s"] == simulator.truth()["now_s"]
    assert await holding.read(69, "HI") == (0, 0b10)
    assert await holding.request(struct.pack(">BHH", 6, 3, holding.renewals + 1)) == bytes((0x86, 4))
    assert await holding.read(38, "H") == 5


async def test_faults_and_outputs_are_in_the_log_in_the_order_they_happened(simulator, holding, clock):
    simulator.faults.start("impedance")
    await holding.write(0, 1)
    simulator.faults.clear("impedance")
    kinds = [event.kind for event in simulator.events]
    assert kinds[-4:] == ["fault_started", "rf_off", "phase", "fault_cleared"]
    assert all(event.monotonic_ns <= clock.monotonic_ns() for event in simulator.events)
