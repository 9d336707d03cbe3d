"""The reference generator as the line protocol shows it: requests in words, judged and carried out by the firmware.

Written from docs/protocols/line.md.
"""

from __future__ import annotations

import re
from math import nan
from typing import TYPE_CHECKING

from rfctl.clock import NS_PER_MS
from rfctl_sim.answers import COLD_JUNCTION_C, FIRMWARE, MODEL, REPLY_MS, electrode_id, inputs
from rfctl_sim.control import LEASE_DEFAULT_MS, Mode, Phase
from rfctl_sim.conventions import Reason, Refusal, Write
from rfctl_sim.firmware import SAMPLE_NS
from rfctl_sim.line_codec import held, measured
from rfctl_sim.thermocouple import NOISE_K, RESOLUTION_K

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfctl_sim.channel import Channel
    from rfctl_sim.control import ChannelControl
    from rfctl_sim.fault_effects import WireEffects
    from rfctl_sim.generator import Generator

NUMBER = re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,6})?")
WHOLE = re.compile(r"[0-9]{1,10}")
MOST_U16 = 0xFFFF
U32 = 0x1_0000_0000

MODES = {
    "none": Mode.NONE,
    "stim_v": Mode.STIMULATION_VOLTAGE,
    "stim_ma": Mode.STIMULATION_CURRENT,
    "lesion": Mode.LESION,
    "lesion_v": Mode.LESION_VOLTAGE,
    "lesion_w": Mode.LESION_POWER,
}
MODE_NAMES = {mode: name for name, mode in MODES.items()}

NO_SUCH_REQUEST, WRONG_FORM, NO_SUCH_CHANNEL, NO_SUCH_SETTING = 102, 103, 201, 202
CODES = {
    Reason.NO_SUCH_ADDRESS: NO_SUCH_SETTING,
    Reason.OUT_OF_RANGE: 203,
    Reason.ABOVE_THE_RATING: 204,
    Reason.NOT_A_NUMBER: WRONG_FORM,
    Reason.LEASE_EXPIRED: 301,
    Reason.NOT_ARMED: 302,
    Reason.WRONG_TOKEN: 303,
    Reason.OUTPUT_IS_ON: 304,
    Reason.MODE_NOT_SET: 305,
    Reason.SET_POINTS_INCOMPLETE: 306,
    Reason.NO_LEASE: 307,
    Reason.NOT_IN_THIS_MODE: 308,
    Reason.INTERRUPTED: 310,
    Reason.NOT_THE_OWNER: 401,
    Reason.PANEL_HAS_CONTROL: 402,
    Reason.FAULT_PRESENT: 501,
}
CLASSES = {1: "syntax", 2: "range", 3: "state", 4: "owner", 5: "fault", 6: "internal"}

GENERATOR_FIELDS = "uptime_ms,sample_counter,owner,lease_remaining_ms,fault_bits,pad_status,pad_ohm,inputs"
CHANNEL_FIELDS = (
    "temperature_c,cold_junction_c,voltage_v_rms,current_ma_rms,rf_band_current_ma_rms,power_w,impedance_ohm,"
    "impedance_fresh,thermocouple_open,electrode_present,rf_on,rf_commanded,stimulating,mode,stimulation_width_us,"
    "stimulation_rate_hz,amplitude_v,amplitude_ma,set_point_v_rms,set_point_w,fault_bits,rf_on_ms,arm_token,"
    "electrode_id"
)
CAPABILITIES = "thermal,voltage_set_point,power_set_point,stimulation_v,stimulation_ma"

# Settings by their names on the line: the firmware's name, what the number is multiplied by, the mode that it is of.
SETTINGS: dict[str, tuple[str, int, Mode | None]] = {
    "set_temperature_c": ("set_temperature_c", 1, None),
    "ramp_c_per_s": ("ramp_c_per_s", 1, None),
    "max_on_s": ("max_on_s", 1, None),
    "power_limit_w": ("power_limit_w", 1, None),
    "stimulation_rate_hz": ("stimulation_rate_dhz", 10, None),
    "stimulation_width_us": ("stimulation_width_us", 1, None),
    "stimulation_limit_v": ("stimulation_limit", 1, Mode.STIMULATION_VOLTAGE),
    "stimulation_limit_ma": ("stimulation_limit", 1, Mode.STIMULATION_CURRENT),
}
WHOLE_SETTINGS = {"stimulation_rate_dhz", "stimulation_width_us"}
AMPLITUDES = {
    "v": ("stimulation_amplitude", 1, Mode.STIMULATION_VOLTAGE),
    "ma": ("stimulation_amplitude", 1, Mode.STIMULATION_CURRENT),
}
SET_POINTS = {
    "v_rms": ("voltage_set_point_v_rms", 1, Mode.LESION_VOLTAGE),
    "w": ("power_set_point_w", 1, Mode.LESION_POWER),
}


class Refused(Exception):
    """A request that is answered with ERR."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"{CLASSES[code // 100]} {code}")


class LineUnit:
    """A generator that is asked in words. Every request first brings it to the instant that it arrives at."""

    def __init__(self, generator: Generator, effects: WireEffects) -> None:
        self.generator = generator
        self.effects = effects
        self._frozen: tuple[int, str] = (0, "")
        self._reads: dict[str, Callable[[int, list[str]], str]] = {
            "IDENT": self._ident,
            "TRAITS": self._traits,
            "FIELDS": self._fields,
            "STATUS": self._status,
            "GET": self._get,
        }

    def answer(self, now_ns: int, connection: int, body: str) -> str:
        """The body of the reply to a request."""
        self.generator.advance_to(now_ns)
        verb, *words = body.split(" ")
        try:
            read = self._reads.get(verb)
            values = read(now_ns, words) if read is not None else self._write(now_ns, connection, verb, words)
        except Refused as refused:
            return f"ERR {verb if refused.code != NO_SUCH_REQUEST else '-'} {refused}"
        except Refusal as refusal:
            return f"ERR {verb} {Refused(CODES[refusal.reason])}"
        return f"OK {verb} {values}" if values else f"OK {verb}"

    def connection_lost(self, now_ns: int, connection: int) -> None:
        """A client is gone."""
        self.generator.advance_to(now_ns)
        self.generator.firmware.connection_lost(connection, now_ns)

    # Looking

    def _ident(self, now_ns: int, words: list[str]) -> str:
        _require(not words)
        generator, wrong = self.generator, self.effects.identity
        scaled = "" if generator.time_scale == 1.0 else f"time_scale={held(generator.time_scale)} "
        days = {"calibration_done": generator.calibration_date, "calibration_due": generator.calibration_due}
        calibrated = "".join(f"{name}={day:08d} " for name, day in days.items() if day)
        return (
            f"protocol={'another' if self.effects.wrong_map_id else 'rfctl-line'} version=1.0 probe=1234.5 "
            f"backend={'device' if 'backend' in wrong else 'simulator'} model={_word(wrong.get('model', MODEL))} "
            f"serial={generator.serial} firmware={_word(wrong.get('firmware', FIRMWARE))} "
            f"channels={len(generator.channels)} rated_power_w={held(generator.firmware.conventions.rated_power_w)} "
            f"reply_ms={REPLY_MS} sample_period_ms={SAMPLE_NS // NS_PER_MS} lease_default_ms={LEASE_DEFAULT_MS} "
            f"{scaled}{calibrated}pad_monitored={int(generator.pad.monitored)} output_multiplexed=0 "
            f"capabilities={CAPABILITIES}"
        )

    def _traits(self, now_ns: int, words: list[str]) -> str:
        channel, rest = self._channel(words)
        _require(not rest)
        return (
            f"temperature_resolution_k={held(RESOLUTION_K)} temperature_noise_k={held(NOISE_K)} "
            f"electrode_id={electrode_id(channel)}"
        )

    def _fields(self, now_ns: int, words: list[str]) -> str:
        _require(not words)
        return f"generator={GENERATOR_FIELDS} channel={CHANNEL_FIELDS}"

    def _status(self, now_ns: int, words: list[str]) -> str:
        last = len(self.generator.channels)
        if words:
            channel, rest = self._channel(words)
            _require(not rest)
            last = channel.number
        frozen_ns = self.effects.frozen_ns
        if frozen_ns is None:
            return self._sample(now_ns, last)
        if self._frozen[0] != frozen_ns:
            self._frozen = (frozen_ns, self._sample(now_ns, len(self.generator.channels)))
        return ";".join(self._frozen[1].split(";")[: 1 + last])

    def _sample(self, now_ns: int, last: int) -> str:
        generator = self.generator
        firmware = generator.firmware
        memory = firmware.control
        sample, own_ns = firmware.sample_counter(now_ns), firmware.own_ns(now_ns)
        pad = generator.pad
        pad_ohm = measured(pad.contact_ohm if pad.monitored else nan, 1)
        lease_ms = memory.lease_left_ms(now_ns)
        groups = [
            f"{(own_ns - generator.booted_ns) // NS_PER_MS % U32},{firmware.sample_counter(own_ns) % U32},"
            f"{memory.owner},{lease_ms},{memory.fault_bits},{int(pad.status)},{pad_ohm},{inputs(generator)}"
        ]
        for channel, own in zip(generator.channels[:last], memory.channels, strict=False):
            groups.append(_channel_sample(channel, own, sample, own_ns))
        return ";".join(groups)

    def _get(self, now_ns: int, words: list[str]) -> str:
        memory = self.generator.firmware.control
        if words == ["0"]:
            return f"owner={memory.owner} lease_ms={memory.lease_ms} lease_counter={memory.lease_counter}"
        channel, rest = self._channel(words)
        _require(not rest)
        own = memory.channels[channel.number - 1]
        rate = None if own.stimulation_rate_dhz is None else own.stimulation_rate_dhz / 10
        return (
            f"mode={MODE_NAMES[own.mode]} set_temperature_c={held(own.set_temperature_c)} "
            f"ramp_c_per_s={held(own.ramp_c_per_s)} max_on_s={held(own.max_on_s)} "
            f"power_limit_w={held(own.power_limit_w)} stimulation_rate_hz={held(rate)} "
            f"stimulation_width_us={held(own.stimulation_width_us)} "
            f"stimulation_limit_v={_of(own, Mode.STIMULATION_VOLTAGE, own.stimulation_limit)} "
            f"stimulation_limit_ma={_of(own, Mode.STIMULATION_CURRENT, own.stimulation_limit)} "
            f"amplitude_v={_of(own, Mode.STIMULATION_VOLTAGE, own.stimulation_amplitude)} "
            f"amplitude_ma={_of(own, Mode.STIMULATION_CURRENT, own.stimulation_amplitude)} "
            f"set_point_v_rms={_of(own, Mode.LESION_VOLTAGE, own.voltage_set_point_v_rms)} "
            f"set_point_w={_of(own, Mode.LESION_POWER, own.power_set_point_w)}"
        )

    # Acting

    def _write(self, now_ns: int, connection: int, verb: str, words: list[str]) -> str:
        writes = self._writes(verb, words)
        if any(write.name == self.effects.refused_register for write in writes):
            raise Refusal(Reason.FAULT_PRESENT)
        self.generator.firmware.write(writes, now_ns, connection)
        if verb == "ARM":
            return f"token={self.generator.firmware.control.channels[writes[0].channel - 1].arm_token}"
        return ""

    def _writes(self, verb: str, words: list[str]) -> list[Write]:
        match verb, words:
            case "OFF", [number] if self._is_channel(number):
                return [Write("command", int(number), 0)]
            case "OFF", _:  # whatever stands behind it
                return [Write("all_off", 0, 1)]
            case "CLAIM", [session]:
                return [Write("owner", 0, _whole(session, 1))]
            case "RELEASE", []:
                return [Write("owner", 0, 0)]
            case "LEASE", [lease_ms]:
                return [Write("lease_ms", 0, _whole(lease_ms, 0))]
            case "RENEW", [counter]:
                return [Write("lease_renew", 0, _whole(counter, 0))]
            case "CLEAR", ["LEASE"]:
                return [Write("lease_clear", 0, 1)]
            case "CLEAR", ["FAULTS"]:
                return [Write("fault_clear", 0, 1)]
            case (("MODE" | "SET" | "ARM" | "FIRE" | "STIMULATE" | "AMPLITUDE" | "SETPOINT"), _):
                channel, rest = self._channel(words)
                return self._channel_writes(verb, channel.number, rest)
            case (("CLAIM" | "RELEASE" | "LEASE" | "RENEW" | "CLEAR" | "EVENTS"), _):
                raise Refused(WRONG_FORM)
        raise Refused(NO_SUCH_REQUEST)

    def _channel_writes(self, verb: str, number: int, words: list[str]) -> list[Write]:
        match verb, words:
            case "MODE", [name]:
                if name not in MODES:
                    raise Refusal(Reason.OUT_OF_RANGE)
                return [Write("mode", number, MODES[name])]
            case "ARM", []:
                return [Write("command", number, 1)]
            case "STIMULATE", []:
                return [Write("command", number, 2)]
            case "FIRE", [token]:
                return [Write("fire", number, _whole(token, 0))]
            case "SET", [_, *_]:
                return self._named(SETTINGS, number, words)
            case "AMPLITUDE", [_]:
                return self._named(AMPLITUDES, number, words)
            case "SETPOINT", [_]:
                return self._named(SET_POINTS, number, words)
        raise Refused(WRONG_FORM)

    def _named(self, names: Mapping[str, tuple[str, int, Mode | None]], number: int, words: list[str]) -> list[Write]:
        """The writes of ``name=value`` words."""
        mode = self.generator.firmware.control.channels[number - 1].mode
        writes: dict[str, Write] = {}
        for word in words:
            name, _, text = word.partition("=")
            if NUMBER.fullmatch(text) is None:
                raise Refused(WRONG_FORM)
            if name not in names:
                raise Refused(NO_SUCH_SETTING)
            known_as, factor, only_in = names[name]
            if known_as in writes:
                raise Refused(WRONG_FORM)
            if only_in is not None and mode is not only_in:
                raise Refusal(Reason.MODE_NOT_SET if mode is Mode.NONE else Reason.NOT_IN_THIS_MODE)
            value = float(text) * factor
            if known_as in WHOLE_SETTINGS and value != int(value):
                raise Refusal(Reason.OUT_OF_RANGE)
            writes[known_as] = Write(known_as, number, value)
        return list(writes.values())

    def _is_channel(self, word: str) -> bool:
        return word in {str(channel.number) for channel in self.generator.channels}

    def _channel(self, words: list[str]) -> tuple[Channel, list[str]]:
        """The channel that the first word names, and the rest."""
        if not words or WHOLE.fullmatch(words[0]) is None:
            raise Refused(WRONG_FORM)
        if not self._is_channel(words[0]):
            raise Refused(NO_SUCH_CHANNEL)
        return self.generator.channels[int(words[0]) - 1], words[1:]


def _word(text: object) -> str:
    """A text of the map as one word."""
    return str(text, "ascii").replace(" ", "_") if isinstance(text, bytes) else str(text)


def _require(well_formed: object) -> None:
    if not well_formed:
        raise Refused(WRONG_FORM)


def _whole(text: str, least: int) -> int:
    """A whole number of 16 bits."""
    _require(WHOLE.fullmatch(text))
    if not least <= int(text) <= MOST_U16:
        raise Refusal(Reason.OUT_OF_RANGE)
    return int(text)


def _of(memory: ChannelControl, mode: Mode, value: float | None) -> str:
    """A setting of one mode; ``nan`` in another."""
    return held(value) if memory.mode is mode else "nan"


def _channel_sample(channel: Channel, memory: ChannelControl, sample: int, now_ns: int) -> str:
    stage, mode = channel.stage, memory.mode
    now = channel.measured_at(sample)
    rate_dhz, rf_on = memory.stimulation_rate_dhz or 0, memory.phase is Phase.RF_ON
    rf_on_ms = 0 if stage.on_since_ns is None else (now_ns - stage.on_since_ns) // NS_PER_MS % U32
    amplitude_v = stage.stimulation_amplitude if mode is Mode.STIMULATION_VOLTAGE else nan
    amplitude_ma = stage.stimulation_amplitude if mode is Mode.STIMULATION_CURRENT else nan
    set_v_rms = (memory.voltage_set_point_v_rms if rf_on else 0.0) if mode is Mode.LESION_VOLTAGE else nan
    set_w = (memory.power_set_point_w if rf_on else 0.0) if mode is Mode.LESION_POWER else nan
    return (
        f"{measured(now.temperature_c, 2)},{measured(COLD_JUNCTION_C, 1)},{measured(now.voltage_v_rms, 2)},"
        f"{measured(now.current_ma_rms, 1)},{measured(now.current_ma_rms, 1)},{measured(now.power_w, 3)},"
        f"{measured(now.impedance_ohm, 1)},1,{int(now.temperature_c != now.temperature_c)},1,{int(stage.rf_on)},"
        f"{int(rf_on)},{int(stage.stimulating)},{MODE_NAMES[mode]},{memory.stimulation_width_us or 0},"
        f"{measured(rate_dhz / 10, 1)},{measured(amplitude_v, 3)},{measured(amplitude_ma, 3)},"
        f"{measured(set_v_rms, 3)},{measured(set_w, 3)},{memory.fault_bits},{rf_on_ms},{memory.arm_token},"
        f"{electrode_id(channel)}"
    )
