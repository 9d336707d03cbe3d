"""Profiles: the shipped one compiles; what would leave a hole in the gate's table is refused with its path."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from rfctl.cli.config import check
from rfctl.errors import ConfigError
from rfctl.link.registers import WordOrder
from rfctl.link.write_table import Limit
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.reading import ChannelReading, Mode
from rfctl.profile import any_profile
from rfctl.profile.known import in_words, key_of, knows
from rfctl.profile.profile import Profile, load
from rfctl.profile.schema import items_of

SHIPPED = load("rfctl-reference")
TEXT = SHIPPED.path.read_text()

KNOWN = '[[known]]\nmodel = "rfctl reference"\nfirmware = ["sim 0.1"]\n'
FIRE = '[write.fire]\naddress = 17\nstride = 24\ntype = "u16"\nintent = "energise"\npermit = "lesion"\n'


def loaded(tmp_path: Path, text: str) -> Profile:
    (tmp_path / "mine.toml").write_text(text)
    return load("mine.toml", relative_to=tmp_path)


def changed(old: str, new: str) -> str:
    """The shipped file with one passage replaced."""
    assert TEXT.count(old) == 1, f"{TEXT.count(old)} times: {old}"
    return TEXT.replace(old, new)


def without(table: str) -> str:
    """The shipped file without one table."""
    text, found = re.subn(rf"^\[{re.escape(table)}\]\n(.+\n)+", "", TEXT, flags=re.MULTILINE)
    assert found == 1
    return text


def test_the_shipped_profile_is_found_by_name_and_digested() -> None:
    assert (SHIPPED.name, SHIPPED.driver, SHIPPED.unit) == ("rfctl-reference", "rfctl_modbus", 1)
    assert SHIPPED.sha256 == hashlib.sha256(SHIPPED.path.read_bytes()).hexdigest()
    said = CliRunner().invoke(check, [str(SHIPPED.path)])
    assert said.output.splitlines()[1] == f"sha256 {SHIPPED.sha256}"
    as_json = CliRunner().invoke(check, [str(SHIPPED.path), "--json"])
    assert json.loads(as_json.output)["sha256"] == SHIPPED.sha256


def test_its_table_writes_to_four_channels_and_has_one_off_for_all() -> None:
    table = SHIPPED.write_table()
    assert table.channels == {1, 2, 3, 4}
    offs = [writable for writable in table.writables if writable.acts[0][1].intent is Intent.OFF]
    assert [(off.quantity, off.channel) for off in offs if off.channel is None] == [("all_off", None)]
    lesion = table.by_kind[PermitKind.LESION]
    assert lesion.modes == (Mode.LESION_TEMPERATURE, Mode.LESION_VOLTAGE, Mode.LESION_POWER)
    for mode in lesion.modes:
        bounded = {SHIPPED.writable(name, 1).limit for name in lesion.required(mode)}
        by_temperature = {Limit.TEMPERATURE_C} if mode is Mode.LESION_TEMPERATURE else set()
        assert bounded == {Limit.DURATION_S, Limit.POWER_W} | by_temperature


def test_a_channel_is_a_stride_away() -> None:
    assert [SHIPPED.writable("set_temperature_c", channel).address for channel in (1, 2, 4)] == [19, 43, 91]
    with pytest.raises(ConfigError, match=r"write\.set_temperature_c: missing, or not there for channel 5"):
        SHIPPED.writable("set_temperature_c", 5)


def test_a_named_value_that_is_missing_is_named() -> None:
    assert SHIPPED.value_of("command", "arm") == 1
    with pytest.raises(ConfigError, match=r"write\.command\.values: 'probe' is missing"):
        SHIPPED.value_of("command", "probe")


def test_the_map_is_described_row_by_row() -> None:
    rows = {row.quantity: row for row in SHIPPED.describe()}
    assert rows["known[0]"].limit == "tried on 'rfctl reference' with firmware 'sim 0.1'"
    assert rows["status.channel.rf_on"][1:4] == (94, 27, "u16 bit 2")
    assert rows["identity.expect[2]"].limit == "only 1234.5 (probe_f32)"
    assert rows["write.command"].intent == "off: off, arm: energise (lesion), stimulate: energise (stimulation)"
    assert rows["write.set_temperature_c"][1:6] == (19, 24, "f32", "config", "permit's temperature_c")
    assert rows["write.all_off"].limit == "only 1"
    assert rows["write.lease_ms"].limit == "at most 1000"
    assert {"status.channel." + name for name in ChannelReading._fields} <= set(rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (changed("word_order =", "wordorder ="), "profile.wordorder: unknown key. Did you mean 'word_order'?"),
        (changed('word_order = "ABCD"', 'word_order = "ABDC"'), "profile.word_order: "),
        (changed("unit = 1", "unit = 0"), "profile.unit: "),
        (changed('limit = "temperature_c"', 'limit = "temperature"'), "write.set_temperature_c.limit: "),
        (changed('intent = "renew"', 'intent = "read"'), "write.lease_renew.intent: "),
        (changed(FIRE, FIRE.replace('"lesion"', '"leson"')), "write.fire.permit: "),
        (changed("[energise.lesion]", "[energise.lession]"), "energise.lession"),
        (changed('due = { address = 246, type = "u32" }\n', ""), "calibration.due: missing. Add it."),
        (
            changed('due = { address = 246, type = "u32" }', 'due = { address = 246, type = "u16" }'),
            "calibration.due: a date is a whole number of two registers, u32 or i32",
        ),
        (
            changed('due = { address = 246, type = "u32" }', 'due = { address = 246, type = "f32" }'),
            "calibration.due: a date is a whole number",
        ),
        (
            changed('due = { address = 246, type = "u32" }', 'due = { address = 246, type = "text:4" }'),
            "calibration.due: a date is a whole number",
        ),
        (
            changed('due = { address = 246, type = "u32" }', 'due = { stated = 20360105, type = "u32" }'),
            "calibration.due: a date has an address",
        ),
        (
            changed('due = { address = 246, type = "u32" }', 'due = { address = 245, type = "u32" }'),
            "calibration.due: registers 245 to 246 overlap those of calibration.done, 244 to 245",
        ),
        (
            changed('[calibration]\ntable = "input"\n', "[calibration]\n"),
            "calibration.done.address: no table: say input, holding",
        ),
        (changed("since = 2", "since = 256"), "calibration.since: must be at most 255"),
        (changed(KNOWN, ""), "known: missing. Add it."),
        (changed('firmware = ["sim 0.1"]', "firmware = []"), "known[0].firmware: "),
        (changed('firmware = ["sim 0.1"]', 'firmware = ["sim 0.1", ""]'), "known[0].firmware[1]: "),
        (changed('model = "rfctl reference"\n', ""), "known[0].model: missing. Add it."),
        (changed('serial = { address = 16, type = "text:16" }', ""), "identity.serial: missing. Add it."),
        (changed("head = 16", "head = 18"), "status: 126 registers for 4 channels; one request reads 125"),
        (
            changed("count = 40", "count = 34"),
            "identity.pad_monitored: registers 34 to 34 are in no block; blocks: 34 from 0",
        ),
        (
            changed('address = 6\ntype = "f32"\nvalue = 1234.5', 'address = 39\ntype = "f32"\nvalue = 1234.5'),
            "identity.expect[2]: registers 39 to 40 are in no block; blocks: 40 from 0",
        ),
        (
            changed("temperature_noise_k = { offset = 2", "temperature_noise_k = { offset = 5"),
            "traits.temperature_noise_k",
        ),
        (
            changed("pad_ohm = { offset = 12", "pad_ohm = { offset = 15"),
            "status.channel.temperature_c: registers 80 to 81 overlap those of status.pad_ohm, 79 to 80",
        ),
        (
            changed("power_w = { offset = 10", "power_w = { offset = 9"),
            "status.channel.power_w: registers 89 to 90 overlap those of status.channel.rf_band_current_ma_rms",
        ),
        (changed("bit = 4", "bit = 16"), "status.channel.electrode_present: a u16 has no bit 16"),
        (without("write.all_off"), "write: no register turns everything off"),
        (
            changed("[write.lease_clear]\naddress = 4", "[write.lease_clear]\naddress = 3"),
            "write.lease_clear: register 3 is that of lease_renew and of lease_clear",
        ),
        (
            changed("[write.mode]\naddress = 18", "[write.mode]\naddress = 41"),
            "register 41 is that of",
        ),
        (
            changed(
                "[write.set_temperature_c]\naddress = 19\nstride = 24",
                "[write.set_temperature_c]\naddress = 19\nstride = 1",
            ),
            "write.set_temperature_c: register 20 is that of set_temperature_c of channel 1 and of",
        ),
        (
            changed("[write.fault_clear]\naddress = 5", "[write.fault_clear]\nstride = 9\naddress = 65530"),
            "write.fault_clear: register 65539 is above 65535",
        ),
        (changed('intent = "config"\nlimit = "temperature_c"', 'intent = "config"'), "write.set_temperature_c.limit"),
        (changed('limit = "temperature_c"', 'limit = "power_w"'), "write.set_temperature_c.limit"),
        (changed('limit = "voltage_v_rms"', 'limit = "power_w"'), "write.voltage_set_point_v_rms.limit"),
        (changed('limit = "duration_s"', 'limit = "stimulation"'), "write.max_on_s.limit"),
        (
            changed(FIRE, FIRE.replace('intent = "energise"\npermit = "lesion"', 'intent = "config"')),
            "write.fire: a write of it is energise, not config",
        ),
        (
            changed(FIRE, FIRE.replace('permit = "lesion"\n', "")),
            "write.fire: an intent of energise needs a permit",
        ),
        (
            changed('intent = "renew"', 'intent = "renew"\npermit = "lesion"'),
            "write.lease_renew: an intent of energise",
        ),
        (
            changed('permits = { arm = "lesion", stimulate', 'permits = { arm = "stimulation", stimulate'),
            "write.command: value 'arm' does not do what its name says",
        ),
        (
            changed('intents = { off = "off", arm = "energise"', 'intents = { off = "config", arm = "energise"'),
            "write.command: value 'off' does config. Its intent is off.",
        ),
        (
            changed('arm = "energise", stimulate', 'prime = "energise", stimulate'),
            "write.command.intents: does not name exactly the values",
        ),
        (
            changed('permits = { arm = "lesion"', 'permits = { prime = "lesion"'),
            "write.command.permits: names something",
        ),
        (changed("arm = 1, stimulate = 2", "arm = 1, stimulate = 1"), "write.command.values: two names for one value"),
        (changed("lesion_temperature = 3,", "lesion = 3,"), "write.mode.values: unknown mode 'lesion'"),
        (
            changed("[write.mode]\naddress = 18\nstride = 24\n", "[write.mode]\naddress = 18\n"),
            "write.mode: it energises or bounds a channel, and has no stride",
        ),
        (
            changed("[write.max_on_s]\naddress = 23\nstride = 24\n", "[write.max_on_s]\naddress = 23\n"),
            "write.max_on_s: it energises or bounds a channel, and has no stride",
        ),
        (changed('intent = "renew"', 'intent = "renew"\nintents = { a = "renew" }'), "needs either intent or intents"),
        (changed('intent = "renew"', ""), "write.lease_renew: needs either intent or intents"),
        (changed('intent = "renew"', 'intent = "renew"\nvalue = 1\nvalues = { a = 1 }'), "has both value and values"),
        (
            changed('intent = "config"\nlimit = "power_w"', 'intent = "config"\nlimit = "power_w"\nvalue = 5'),
            "write.power_limit_w: value and values need a whole",
        ),
        (
            changed(
                'requires = ["set_temperature_c", "max_on_s", "power_limit_w"]', 'requires = ["set_temperature_c"]'
            ),
            "energise.lesion.requires: nothing required is bounded by duration_s, power_w",
        ),
        (
            changed('requires = ["stimulation_limit"]', 'requires = ["stimulation_limt"]'),
            "energise.stimulation.requires[0]: 'stimulation_limt' is no set point of a channel",
        ),
        (
            changed('requires = ["stimulation_limit"]', 'requires = ["owner", "stimulation_limit"]'),
            "energise.stimulation.requires[0]: 'owner' is no set point of a channel",
        ),
        (changed('mode = ["lesion_temperature", ', 'mode = ["pulsed", '), "energise.lesion.mode: 'pulsed' is no value"),
        (
            changed('mode = ["lesion_temperature", ', 'mode = ["stimulation_voltage", '),
            "energise.lesion.mode: stimulation_voltage is no mode of a lesion",
        ),
        (
            changed(
                '"set_temperature_c", "max_on_s", "power_limit_w"]\nmode = ["lesion_temperature", ',
                '"max_on_s"]\nmode = [',
            ),
            "energise.lesion.requires: nothing required is bounded by power_w",
        ),
        (without("energise.lesion"), "needs a lesion permit, of which energise.lesion is missing"),
        (changed("duration_ms = 500", "duration_ms = 5000"), "lease.duration_ms"),
        (changed('0 = "self-test failed"', 'zero = "self-test failed"'), "faults.generator.zero"),
    ],
)
def test_a_profile_with_a_hole_is_refused_with_file_and_path(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert says in str(caught.value)
    assert caught.value.where == str(tmp_path / "mine.toml")


def test_a_profile_knows_what_it_was_tried_on_word_for_word(tmp_path: Path) -> None:
    more = '\n[[known]]\nmodel = "another"\nfirmware = ["1", "2"]\n'
    known = loaded(tmp_path, changed(KNOWN, KNOWN + more)).known
    for model, firmware, found in (
        ("rfctl reference", "sim 0.1", True),
        ("another", "2", True),
        ("another", "sim 0.1", False),
        ("rfctl reference", "2", False),
        ("rfctl reference", "sim 0.10", False),
        ("Another", "1", False),
    ):
        assert knows(known, model, firmware) is found
    assert in_words(known) == "'rfctl reference' with firmware 'sim 0.1', 'another' with firmware '1' or '2'"
    assert [key_of(known, model) for model in ("another", "rfctl reference", "a third")] == [
        "known[1].firmware",
        "known[0].firmware",
        "known[0]",
    ]


def test_a_profile_without_a_map_shows_what_it_was_tried_on() -> None:
    (row,) = any_profile.load("rfctl-line").describe()
    assert (row.quantity, row.limit) == ("known[0]", "tried on 'rfctl reference' with firmware 'sim 0.1'")


def test_the_file_without_a_change_is_accepted_there_too(tmp_path: Path) -> None:
    assert loaded(tmp_path, TEXT).write_table().sha256 == SHIPPED.write_table().sha256


def test_the_decoder_reads_the_same_from_either_word_order(tmp_path: Path) -> None:
    words = list(range(1, SHIPPED.status_decoder(2).reads[0].length + 1))
    straight = struct.pack(f">{len(words)}H", *words)
    status = SHIPPED.file.status
    fields = [getattr(status, name) for name in ("uptime_ms", "sample_counter", "pad_ohm")] + [*status.fault_bits]
    pairs = [field.offset for field in fields] + [
        status.head + status.stride * channel + field.offset
        for channel in range(2)
        for items in items_of(status.channel, ChannelReading._fields)
        for field in items
        if field.registers == 2
    ]
    for at in pairs:
        words[at], words[at + 1] = words[at + 1], words[at]
    swapped = struct.pack(f">{len(words)}H", *words)
    other = loaded(tmp_path, changed('word_order = "ABCD"', 'word_order = "CDAB"'))
    assert other.write_table().writables[10].order is WordOrder.CDAB
    assert other.status_decoder(2).decode(swapped, 5) == SHIPPED.status_decoder(2).decode(straight, 5)
