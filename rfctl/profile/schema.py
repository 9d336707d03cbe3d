"""What a profile file holds, key by key. What is written stands in write_schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from rfctl.link.registers import WordOrder
from rfctl.link.write_table import MAX_READ, MAX_WRITE
from rfctl.model.capability import Capability
from rfctl.model.permit import PermitKind
from rfctl.model.strict_toml import Strict
from rfctl.profile.addressing import Numbering
from rfctl.profile.item import Address, Bit, Count, Item, Readable, Table
from rfctl.profile.known import Tried
from rfctl.profile.write_schema import Energise, Lease, Ownership, Sequences, Write

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,5}$")]  # a key of TOML is text


class Head(Strict):
    """The generator as a whole."""

    name: str
    driver: str
    description: str
    unit: Annotated[int, Field(ge=1, le=255)]  # 0 is a broadcast, which nobody answers
    word_order: WordOrder
    channels: Annotated[int, Field(ge=1, le=16)]  # the most that a generator of this map has
    addresses: Numbering = Numbering.WIRE
    longest_read: Annotated[int, Field(ge=1, le=MAX_READ)] = MAX_READ
    longest_write: Annotated[int, Field(ge=1, le=MAX_WRITE)] = MAX_WRITE
    multiplexed: bool = False  # the outputs take turns, so that currents never add in a dispersive electrode


class MapVersion(Item):
    """Version of the map, major x 256 + minor."""

    major: Annotated[int, Field(ge=0, le=255)]


class Backend(Item):
    """What answers: the values that stand for a device and for a simulator."""

    device: int
    simulated: int


class Capabilities(Item):
    """What the generator can do: a word with a bit for each capability, or the list where it does not say."""

    these: tuple[Capability, ...] = ()
    bits: dict[Capability, Bit] = Field(default={})

    @property
    def possible(self) -> frozenset[Capability]:
        """Every capability that a generator of this map may have."""
        return frozenset(self.these) | frozenset(self.bits)


def _listed(value: object) -> object:
    return {"stated": True, "these": value} if isinstance(value, list) else value


class Expect(Item):
    """A value that the identity must show: this one, one in a range, or a text."""

    name: str
    value: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _something_expected(self) -> Expect:
        if (self.text is not None) != self.type.startswith("text:"):
            raise ValueError("a text is expected of a text, and a number of a number")
        number = self.value is not None
        bounds = self.minimum is not None or self.maximum is not None
        if self.text is None and number == bounds:
            raise ValueError("needs either value, or minimum and maximum")
        return self


class Identity(Strict):
    """What is read at connect, in the block given or, without one, in as few requests as can be."""

    table: Table | None = None
    address: Address | None = None
    count: Count | None = None
    map_id: Readable
    map_version: MapVersion
    backend: Backend
    model: Readable
    serial: Readable
    firmware: Readable
    channels: Readable
    rated_power_w: Readable
    reply_ms: Readable
    sample_period_ms: Readable
    pad_monitored: Readable
    capabilities: Annotated[Capabilities, BeforeValidator(_listed)]
    time_scale: Readable | None = None
    expect: Annotated[tuple[Expect, ...], Field(min_length=1)]

    @property
    def items(self) -> dict[str, Item]:
        """Everything that is read, by name."""
        named = {name: item for name, item in self if isinstance(item, Item)}
        return named | {f"expect[{index}]": expect for index, expect in enumerate(self.expect)}


class Traits(Strict):
    """What is stated of each channel once, at connect."""

    table: Table | None = None
    address: Address | None = None
    stride: Count | None = None
    temperature_resolution_k: Readable
    temperature_noise_k: Readable | None = None
    thermocouple_lag_s: Readable | None = None

    @property
    def items(self) -> dict[str, Item]:
        """The fields of a channel, by name."""
        return {name: item for name, item in self if isinstance(item, Item)}


class Day(Item):
    """A date in one number: year x 10000 + month x 100 + day, 0 where the generator does not know it."""

    @model_validator(mode="after")
    def _holds_a_date(self) -> Day:
        if self.address is None:
            raise ValueError("a date has an address: dates that no generator tells belong into the station file")
        if self.type.startswith("text:") or self.kind.real or self.kind.registers != 2:
            raise ValueError("a date is a whole number of two registers, u32 or i32")
        return self


class Calibration(Strict):
    """The generator's own word on its calibration, read at connect in requests of its own.

    Attributes:
        table: Address space.
        since: The minor version of the map that brought it; an older generator is not asked.
        done: Day of the calibration.
        due: Last day on which it holds.
    """

    table: Table | None = None
    since: Annotated[int, Field(ge=0, le=255)] = 0
    done: Day | None = None
    due: Day


Words = Annotated[tuple[Item, ...], BeforeValidator(lambda value: value if isinstance(value, list) else [value])]
"""Words of bits, the lowest first."""


class StatusChannel(Strict):
    """One channel's status; the names are those of ChannelReading. What is not there is named in ``absent``."""

    absent: frozenset[str] = frozenset()
    temperature_c: Item
    cold_junction_c: Item | None = None
    voltage_v_rms: Item | None = None
    current_ma_rms: Item
    rf_band_current_ma_rms: Item | None = None
    power_w: Item
    impedance_ohm: Item
    impedance_fresh: Item | None = None
    thermocouple_open: Item | None = None
    rf_on: Item
    stimulating: Item | None = None
    electrode_present: Item | None = None
    mode: Item | None = None
    stimulation_width_us: Item | None = None
    stimulation_rate_hz: Item | None = None
    stimulation_amplitude: Item | None = None
    electrode_id: Item | None = None
    fault_bits: Words = ()
    rf_on_ms: Item | None = None
    arm_token: Item | None = None
    set_point: Item | None = None


class Block(Strict):
    """Registers that are read in one request.

    Attributes:
        table: Address space.
        address: First register.
        count: Registers.
        stride: To the same block of the next channel; without one there is one block.
        counter: Number of the register with the block's own copy of the sample counter.
    """

    table: Table | None = None
    address: Address
    count: Annotated[int, Field(ge=1, le=2000)]
    stride: Count | None = None
    counter: Address | None = None


class Status(Strict):
    """Everything that changes. Names are those of Reading.

    Either one block with a head and a stride for each channel, with offsets; or addresses, read in the blocks listed,
    or without a list in as few requests as can be.
    """

    table: Table | None = None
    address: Address | None = None
    head: Count | None = None
    stride: Count | None = None
    blocks: tuple[Block, ...] = ()
    spread: Annotated[int, Field(ge=0, le=10)] = 0
    absent: frozenset[str] = frozenset()
    uptime_ms: Item | None = None
    sample_counter: Item
    owner: Item
    lease_remaining_ms: Item
    fault_bits: Words
    pad_status: Item | None = None
    pad_ohm: Item | None = None
    channel: StatusChannel


class Faults(Strict):
    """Texts of the fault bits, by bit."""

    generator: dict[Digits, str]
    channel: dict[Digits, str]


class Refusals(Strict):
    """The register with the reason of the last refusal, and the texts of its values."""

    table: Table | None = None
    address: Address
    reasons: dict[Digits, str]


class ProfileFile(Strict):
    """The whole file."""

    profile: Head
    known: Tried
    identity: Identity
    traits: Traits
    calibration: Calibration | None = None
    status: Status
    faults: Faults
    refusals: Refusals | None = None
    ownership: Ownership = Ownership()
    lease: Lease
    read: dict[str, Item] = Field(default={})
    write: dict[str, Write]
    energise: dict[PermitKind, Energise]
    sequence: Sequences


def items_of(table: Strict, names: tuple[str, ...]) -> list[tuple[Item, ...]]:
    """The items of each name, in that order; nothing for one that is absent."""
    found: list[tuple[Item, ...]] = []
    for name in names:
        value: Any = getattr(table, name)
        found.append(value if isinstance(value, tuple) else () if value is None else (value,))
    return found
