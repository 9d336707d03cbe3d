"""The back door: what is true, and faults on demand, over HTTP."""

import asyncio
import json

import pytest


async def test_truth_has_the_keys_that_others_script_against(simulator, client, ask):
    await client.start_lesion()
    await client.keep(2.0)
    status, truth = await ask("GET", "/truth")
    assert status == 200
    assert set(truth) == {"now_s", "monotonic_ns", "enable_loop_open", "channels"}
    assert set(truth["channels"][0]) == {
        "channel",
        "rf_on",
        "stimulating",
        "power_w",
        "voltage_v_rms",
        "tip_temperature_c",
        "tissue_max_c",
        "energy_j",
        "on_since_s",
        "last_off_s",
        "pulse",
        "pump_flow_ml_min",
    }
    heated, idle = truth["channels"]
    assert (heated["rf_on"], heated["last_off_s"], heated["on_since_s"]) == (True, None, pytest.approx(0.0, abs=0.01))
    assert heated["energy_j"] > 5.0
    assert (idle["rf_on"], idle["tip_temperature_c"], idle["on_since_s"]) == (False, 37.0, None)
    assert truth["now_s"] == pytest.approx(truth["monotonic_ns"] / 1e9)


async def test_state_tells_the_firmware_s_memory_by_name(client, ask):
    await client.start_lesion()
    status, state = await ask("GET", "/state")
    assert status == 200
    assert (state["owner"], state["lease"]) == (7, "running")
    assert state["channels"][0]["phase"] == "rf_on"
    assert state["channels"][0]["set_temperature_c"] == 80.0
    assert state["faults"] == []


async def test_a_fault_is_started_and_cleared(client, ask):
    status, state = await ask("POST", "/faults", {"start": "over_temperature", "channel": 2, "kelvin": 10.0})
    assert status == 200
    assert [(fault["name"], fault["channel"]) for fault in state["faults"]] == [("over_temperature", 2)]
    assert await client.temperature_c(2) == pytest.approx(47.0, abs=0.2)
    status, state = await ask("POST", "/faults", {"clear": "over_temperature"})
    assert (status, state["faults"]) == (200, [])
    assert await client.temperature_c(2) == pytest.approx(37.0, abs=0.2)


async def test_all_faults_are_cleared_at_once(ask):
    await ask("POST", "/faults", {"start": "impedance"})
    await ask("POST", "/faults", {"start": "unit_dead", "after_s": 5})
    status, state = await ask("POST", "/faults", {"clear": "all"})
    assert (status, state["faults"], state["faults_waiting"]) == (200, [], [])


async def test_a_fault_waits_for_its_time_and_ends_by_itself(client, ask):
    body = {"start": "over_temperature", "kelvin": 10.0, "after_s": 2.0, "duration_s": 1.0}
    status, state = await ask("POST", "/faults", body)
    assert (status, state["faults"], [fault["name"] for fault in state["faults_waiting"]]) == (
        200,
        [],
        ["over_temperature"],
    )
    await asyncio.sleep(2.5)
    assert await client.temperature_c() == pytest.approx(47.0, abs=0.2)
    await asyncio.sleep(1.0)
    assert await client.temperature_c() == pytest.approx(37.0, abs=0.2)
    _, events = await ask("GET", "/events")
    assert [(event["kind"], event["now_s"]) for event in events if event["kind"].startswith("fault")] == [
        ("fault_waits", 0.0),
        ("fault_started", 2.0),
        ("fault_ended", 3.0),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        ([], "neither one start nor one clear"),
        ({}, "neither one start nor one clear"),
        ({"start": "impedance", "clear": "impedance"}, "neither one start nor one clear"),
        ({"start": "impedanse"}, "Did you mean impedance"),
        ({"start": 5}, "no fault named 5"),
        ({"start": "impedance", "self": 1}, "no parameter 'self'"),
        ({"start": "impedance", "channel": "1"}, "no channel '1'"),
        ({"clear": "impedance", "ohm": 5}, "clear takes no ohm"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_with_the_reason(ask, body, message):
    status, answer = await ask("POST", "/faults", body)
    assert status == 400
    assert message in answer["error"]
    assert (await ask("GET", "/state"))[1]["faults"] == []


async def test_events_carry_their_time(client, ask):
    await asyncio.sleep(1.0)
    await client.write(1, 7)
    status, events = await ask("GET", "/events")
    assert status == 200
    assert events[-1] == {"now_s": 1.0, "monotonic_ns": 1_000_000_000, "kind": "owner", "session": 7}


async def test_wire_shows_frames_in_hexadecimal(client, ask):
    await client.read(0, "I")
    status, frames = await ask("GET", "/wire")
    assert status == 200
    assert [(frame["direction"], frame["data"]) for frame in frames] == [
        ("in", "000100000006010400000002"),
        ("out", "00010000000701040452464354"),
    ]


async def test_not_a_number_is_null(client, ask):
    await ask("POST", "/faults", {"start": "impedance", "ohm": 20000})
    for path in ("/truth", "/state", "/events"):
        status, _ = await ask("GET", path)
        assert status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/setup/x", 405),
        ("POST", "/setups/x", 404),
        ("POST", "/truth", 405),
        ("GET", "/faults", 405),
        ("HEAD", "/x", 404),
    ],
)
async def test_other_paths_and_methods_are_refused(ask, method, path, status):
    assert (await ask(method, path))[0] == status


async def test_what_is_not_http_is_answered_400(simulator):
    host, port = simulator.backdoor_address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\0\1\2\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.transport.abort()


async def test_a_body_without_end_is_cut_off(ask):
    status, answer = await ask("POST", "/faults", b" " * 70_000)
    assert status == 413
    assert "65536" in answer["error"]


async def test_one_connection_serves_several_requests(simulator):
    host, port = simulator.backdoor_address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = b"GET /truth HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(request + request)
    for _ in range(2):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        assert "channels" in json.loads(await reader.readexactly(length))
    writer.transport.abort()


async def test_another_set_up_is_put_around_it_while_everything_is_off(client, ask):
    status, state = await ask("POST", "/setup/bench-load")
    assert (status, state["setup"]) == (200, "Resistor of 200 ohm, no thermocouple")
    assert (await ask("POST", "/setup/tissue-37"))[0] == 200
    await client.start_lesion()
    status, answer = await ask("POST", "/setup/bench-load")
    assert status == 400
    assert "channel 1 is on" in answer["error"]
    status, answer = await ask("POST", "/setup/benchload")
    assert (status, "Did you mean bench-load?" in answer["error"]) == (400, True)
