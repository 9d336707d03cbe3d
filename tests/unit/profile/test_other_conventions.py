"""Profiles of machines with other conventions: what their keys mean, and what is refused with its place."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rfctl.errors import ConfigError, RefusedError
from rfctl.link.modbus import write, write_coils
from rfctl.link.registers import Space
from rfctl.model.permit import Intent
from rfctl.profile.addressing import Numbering, place, shown
from rfctl.profile.item import Item, converter
from rfctl.profile.profile import Profile, load

TESSEL = Path(__file__).parents[2] / "tessel" / "tessel-3.toml"
TEXTS = {"kestrel-2": load("kestrel-2").path.read_text(), "orrin-v": load("orrin-v").path.read_text()}
TEXTS["tessel-3"] = TESSEL.read_text()


def loaded(folder: Path, text: str) -> Profile:
    (folder / "mine.toml").write_text(text)
    return load("mine.toml", relative_to=folder)


def changed(name: str, old: str, new: str) -> str:
    assert TEXTS[name].count(old) == 1, f"{TEXTS[name].count(old)} times: {old}"
    return TEXTS[name].replace(old, new)


kestrel, orrin, tessel = (partial(changed, name) for name in ("kestrel-2", "orrin-v", "tessel-3"))


@pytest.mark.parametrize(
    ("number", "space", "numbering", "expected"),
    [
        (0, Space.INPUT, Numbering.WIRE, (Space.INPUT, 0)),
        (1, Space.INPUT, Numbering.DOCUMENT, (Space.INPUT, 0)),
        (30001, None, Numbering.NUMBERED, (Space.INPUT, 0)),
        (40101, Space.HOLDING, Numbering.NUMBERED, (Space.HOLDING, 100)),
        (1, None, Numbering.NUMBERED, (Space.COIL, 0)),
        (10017, None, Numbering.NUMBERED, (Space.DISCRETE, 16)),
        (365536, None, Numbering.NUMBERED, (Space.INPUT, 65535)),
    ],
)
def test_a_number_of_a_document_is_an_address_on_the_wire(
    number: int, space: Space | None, numbering: Numbering, expected: tuple[Space, int]
) -> None:
    assert place(number, space, numbering) == expected
    assert int(shown(*expected, numbering)) == number


@pytest.mark.parametrize(
    ("number", "space", "numbering", "says"),
    [
        (0, Space.INPUT, Numbering.DOCUMENT, "a document counts from 1"),
        (40000, None, Numbering.NUMBERED, "a document counts from 1"),
        (20001, None, Numbering.NUMBERED, "in none of the tables"),
        (30001, Space.HOLDING, Numbering.NUMBERED, "in the table 'input', not 'holding'"),
        (465537, None, Numbering.NUMBERED, "above the last register"),
        (65536, Space.INPUT, Numbering.WIRE, "above the last register"),
        (5, None, Numbering.WIRE, "no table"),
    ],
)
def test_a_number_that_is_none_is_refused(number: int, space: Space | None, numbering: Numbering, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        place(number, space, numbering)


@pytest.mark.parametrize(
    ("keys", "raw", "value"),
    [
        ({"type": "i16", "scale": 0.1, "invalid": (0x8000,)}, 371, 37.1),
        ({"type": "i16", "scale": 0.1, "invalid": (0x8000,)}, -32768, math.nan),
        ({"type": "i32", "scale": 0.001, "invalid": (-99999,)}, -99999, math.nan),
        ({"type": "f32", "invalid": (-9999.0,)}, -9999.0, math.nan),
        ({"type": "u16", "scale": 0.01, "add": -273.15}, 31015, 37.0),
        ({"type": "u16", "invert": True}, 0xFFFE, 1),
        ({"type": "u16", "invert": True, "mask": 0x00FF}, 0x00FF, 0),
        ({"type": "u16", "bit": 6, "invert": True}, 0x0040, False),
        ({"type": "u16", "bit": 3, "scale": 800.0}, 8, 800),
        ({"type": "u16", "span": (4, 7)}, 0xA05C, 5),
        ({"type": "u32", "bcd": True}, 0x00314159, 314159),
        ({"type": "u16", "bcd": True}, 0x0A00, math.nan),
        ({"type": "u16", "values": {"ok": (5, 6)}}, 6, 1),
        ({"type": "u16", "values": {"ok": 5}}, 7, -1),
    ],
)
def test_the_number_in_the_register_has_the_meaning_of_its_keys(keys: dict[str, Any], raw: float, value: float) -> None:
    got = converter(Item(address=0, **keys), {"ok": 1} if "values" in keys else None)(raw)
    assert got == pytest.approx(value, nan_ok=True)


def test_coils_and_named_values_are_classified_by_the_file() -> None:
    table = load("kestrel-2").write_table()
    for pdu, intent in (
        (write_coils(0, b"\0\1"), Intent.OFF),
        (write_coils(2, b"\0\1"), Intent.ENERGISE),
        (write_coils(3, b"\0\0"), Intent.OFF),
        (write(0, b"\0\7"), Intent.RENEW),
        (write(106, b"\0\7"), Intent.ENERGISE),
    ):
        assert table.classify(pdu).intent is intent
    with pytest.raises(RefusedError, match=r"set_temperature_c of channel 1 = 41\.9 is below 42"):
        table.classify(write(101, (419).to_bytes(2, "big")))
    with pytest.raises(RefusedError, match=r"set_temperature_c of channel 2 = 90\.1 is above 90"):
        table.classify(write(201, (901).to_bytes(2, "big")))


BLOCK = "{ address = 30201, count = 16, stride = 100, counter = 30201 }"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (kestrel("scale = 0.1, invalid = [0x8000]", "scal = 0.1"), "unknown key. Did you mean 'scale'?"),
        (kestrel('30202, type = "i16"', '30202, type = "i8"'), "temperature_c.type: unknown type; valid:"),
        (kestrel('30202, type = "i16",', "30202,"), "temperature_c: type: missing"),
        (kestrel("count = 16, stride = 100, counter", "count = 17, stride = 100, counter"), "reads 16"),
        (
            kestrel("count = 6, counter", "count = 5, counter"),
            "lease_remaining_ms: registers 30106 to 30106",
        ),
        (
            kestrel(BLOCK, BLOCK.replace("30201, count = 16", "30201, count = 12")),
            "registers 30213 to 30213 are in no block; blocks: 6 from 30101, 12 from 30201",
        ),
        (
            kestrel(BLOCK, BLOCK.replace("stride = 100", "stride = 10")),
            "from 30201 and from 30211 overlap",
        ),
        (
            kestrel(BLOCK, BLOCK.replace("counter = 30201", "counter = 30217")),
            "status.blocks[1].counter: lies outside its block",
        ),
        (
            kestrel("uptime_ms = { address = 30102", "uptime_ms = { address = 30104"),
            "overlap those of status.",
        ),
        (kestrel("address = 30202", "address = 20202"), "in none of the tables"),
        (kestrel('absent = ["pad_status", ', "absent = ["), "status.pad_status: missing. Add it, or name"),
        (
            kestrel('absent = ["pad_status", ', 'absent = ["sample_counter", "pad_status", '),
            "status.absent: 'sample_counter' cannot be absent",
        ),
        (kestrel('absent = ["impedance_fresh", ', 'absent = ["rf_on", '), "'rf_on' cannot be absent"),
        (kestrel("maximum = 90\n", "maximum = 96\n"), "96 is looser than the hard 95 degC"),
        (
            kestrel("minimum = 1\nmaximum = 720", "minimum = 1\nmaximum = 721"),
            "looser than the hard 720 s",
        ),
        (kestrel("duration_ms = 1000", "duration_ms = 1001"), "lease.duration_ms: must be at most 1000"),
        (kestrel("[write.arm]\n", "[write.prime]\n"), "sequence.arm[0]: there is no write.arm"),
        (
            kestrel('off = [{ write = "all_off", value = 1 }]', ""),
            "sequence.off: missing. Add it.",
        ),
        (
            kestrel('off = [{ write = "all_off", value = 1 }]', 'off = [{ write = "arm", value = 1 }]'),
            "sequence.off[0]: arm is of one channel",
        ),
        (
            changed(
                "kestrel-2",
                'off = [{ write = "all_off", value = 1 }]',
                'off = [{ write = "fire", value = "off", channel = 1 }]',
            ),
            "sequence.off[0]: turns only fire of channel 1 off",
        ),
        (
            kestrel('off = [{ write = "all_off", value = 1 }]', 'off = [{ write = "owner", value = 0 }]'),
            "sequence.off[0]: does config in off",
        ),
        (
            kestrel('release = [{ write = "owner"', 'release = [{ write = "lease_renew"'),
            "sequence.release[0].value: lease_renew has no value 'release'",
        ),
        (
            changed(
                "kestrel-2",
                'clear_faults = [{ write = "fault_clear", value = 1 }]',
                'clear_faults = [{ write = "lease_renew", value = 1 }]',
            ),
            "sequence.clear_faults[0]: does renew in clear_faults",
        ),
        (
            kestrel(', { write = "fire", value = "on" }]', "]").replace(
                '[write.response]\naddress = 40107\nstride = 100\ntype = "u16"\nintent = "energise"\npermit = "lesion"',
                '[write.response]\naddress = 40107\nstride = 100\ntype = "u16"\nintent = "config"',
            ),
            "write.response: a write of it is energise, not config",
        ),
        (
            kestrel('stimulate = [{ write = "stimulate", value = "on" }]', "stimulate = []"),
            "sequence.stimulate: its last write needs no stimulation permit",
        ),
        (
            changed(
                "kestrel-2",
                'stimulate = [{ write = "stimulate", value = "on" }]',
                'stimulate = [{ write = "arm", value = 1 }]',
            ),
            "sequence.stimulate[0]: arm needs another permit than stimulate",
        ),
        (
            changed(
                "kestrel-2", '{ write = "arm", value = 1 }, { read = "arm_token" }', '{ write = "arm", value = 1 }'
            ),
            "sequence.fire: writes a token that arm does not read",
        ),
        (
            kestrel('unless = "panel_locked"', 'unless = "panel_loked"'),
            "there is no read.panel_loked. Did you mean 'panel_locked'?",
        ),
        (
            kestrel('permits = { on = "lesion" }', 'permits = { on = "stimulation" }'),
            "write.fire: it needs a lesion",
        ),
        (
            changed(
                "kestrel-2",
                '[write.fire]\naddress = 3\nstride = 1\ntype = "bit"',
                '[write.fire]\naddress = 3\nstride = 1\ntype = "u16"',
            ),
            "write.fire.type: a u16 in the table coil",
        ),
        (
            orrin("fire = 3, stimulate = 5, clear", "fire = 3, stimulate = 3, clear"),
            "two names for one value",
        ),
        (
            orrin('fire = "energise", stimulate', 'fire = "config", stimulate'),
            "an intent of energise needs",
        ),
        (orrin('enable = "config"', 'enable = "renew"'), "value 'enable' does not do what its name says"),
        (orrin("renew = 0x5AA5, end", "renew = 0x5AA6, end"), "lease.key: 23205 is not the value of"),
        (orrin('mode = "lesion_voltage"', 'mode = ["lesion_voltage", "lesion_power"]'), "none can be set"),
        (
            orrin('capabilities = ["voltage_set_point", ', 'capabilities = ["thermal", '),
            "write.set_temperature_c: missing, needed for thermal",
        ),
        (tessel("longest_read = 40", "longest_read = 19"), "20 registers from 109; one request reads 19"),
        (
            changed(
                "tessel-3",
                "{ address = 109, count = 20, stride = 20 }",
                "{ address = 109, count = 2, stride = 20 }, { address = 111, count = 18, stride = 20 }",
            ),
            "status.channel.impedance_ohm: registers 110 to 111: its halves lie in two requests",
        ),
        (tessel('rule = "toggle"', 'rule = "key"'), "lease: key belongs to rule"),
        (tessel("span = [4, 7]", "span = [7, 4]"), "a span goes from the lower bit"),
        (tessel("high = 9", "poor = 9"), "unknown name 'poor'"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_with_file_and_path(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert says in str(caught.value)
    assert caught.value.where == str(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", TEXTS)
def test_each_file_without_a_change_is_accepted(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, TEXTS[name]).name == name
