"""What a profile file holds, key by key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfctl.link.registers import RegisterType, WordOrder
from rfctl.link.write_table import MAX_READ, Limit
from rfctl.model.capability import Capability
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.strict_toml import Strict

Address = Annotated[int, Field(ge=0, le=0xFFFF)]
Count = Annotated[int, Field(ge=1, le=MAX_READ)]
Scale = Annotated[float, Field(gt=0.0)]
Digits = Annotated[str, Field(pattern=r"^[0-9]{1,3}$")]  # a key of TOML is text
Table = Literal["input", "holding"]
WriteIntent = Literal[Intent.OFF, Intent.RENEW, Intent.CONFIG, Intent.ENERGISE]


class Head(Strict):
    """The generator as a whole."""

    name: str
    driver: str
    description: str
    unit: Annotated[int, Field(ge=1, le=255)]  # 0 is a broadcast, which nobody answers
    word_order: WordOrder
    channels: Annotated[int, Field(ge=1, le=16)]  # the most that a generator of this map has


class Real(Strict):
    """A number of the identity block."""

    address: Address
    type: RegisterType

    @property
    def registers(self) -> int:
        """Registers that it takes."""
        return self.type.registers


class Whole(Real):
    """A whole number of the identity block."""

    type: Literal[RegisterType.U16, RegisterType.U32]


class Text(Strict):
    """A text of the identity block, two characters a register."""

    address: Address
    type: Annotated[str, Field(pattern=r"^text:[1-9][0-9]?$")]

    @property
    def registers(self) -> int:
        """Registers that it takes."""
        return (int(self.type.removeprefix("text:")) + 1) // 2


class MapVersion(Whole):
    """Version of the map, major x 256 + minor."""

    major: Annotated[int, Field(ge=0, le=255)]


class Backend(Whole):
    """What answers: the values that stand for a device and for a simulator."""

    device: int
    simulated: int


class Capabilities(Whole):
    """A word that says what the generator can do: the bit of each capability that the profile knows how to use."""

    bits: dict[Capability, Annotated[int, Field(ge=0, le=31)]]


class Expect(Real):
    """A value that the identity block must show."""

    name: str
    value: float


class Identity(Strict):
    """The block read at connect."""

    table: Table
    address: Address
    count: Count
    map_id: Whole
    map_version: MapVersion
    backend: Backend
    model: Text
    serial: Text
    firmware: Text
    channels: Whole
    rated_power_w: Real
    reply_ms: Whole
    sample_period_ms: Whole
    pad_monitored: Whole
    capabilities: Capabilities
    expect: Annotated[tuple[Expect, ...], Field(min_length=1)]

    @property
    def places(self) -> dict[str, Real | Text]:
        """Everything that is read from the block, by name."""
        named: dict[str, Real | Text] = {name: place for name, place in self if isinstance(place, Real | Text)}
        return named | {f"expect[{index}]": expect for index, expect in enumerate(self.expect)}


class Measured(Strict):
    """A number at an offset of its block."""

    offset: Annotated[int, Field(ge=0, le=MAX_READ)]
    type: RegisterType
    scale: Scale = 1.0
    bit: Annotated[int, Field(ge=0, le=31)] | None = None


class Traits(Strict):
    """What is stated of each channel once, at connect."""

    table: Table
    address: Address
    stride: Count
    temperature_resolution_k: Measured
    temperature_noise_k: Measured

    @property
    def fields(self) -> dict[str, Measured]:
        """The fields of a channel, by name."""
        return {name: field for name, field in self if isinstance(field, Measured)}


class StatusChannel(Strict):
    """Offsets of one channel's status; the names are those of ChannelReading."""

    temperature_c: Measured
    cold_junction_c: Measured
    voltage_v_rms: Measured
    current_ma_rms: Measured
    rf_band_current_ma_rms: Measured
    power_w: Measured
    impedance_ohm: Measured
    impedance_fresh: Measured
    thermocouple_open: Measured
    rf_on: Measured
    stimulating: Measured
    electrode_present: Measured
    mode: Measured
    stimulation_width_us: Measured
    stimulation_rate_hz: Measured
    stimulation_amplitude: Measured
    electrode_id: Measured
    fault_bits: Measured
    rf_on_ms: Measured
    arm_token: Measured
    set_point: Measured | None = None


class Status(Strict):
    """Everything that changes, in one request: a head, then one block a channel. Names are those of Reading."""

    table: Table
    address: Address
    head: Count
    stride: Count
    uptime_ms: Measured
    sample_counter: Measured
    owner: Measured
    lease_remaining_ms: Measured
    fault_bits: Measured
    pad_status: Measured
    pad_ohm: Measured
    channel: StatusChannel


class Faults(Strict):
    """Texts of the fault bits, by bit."""

    generator: dict[Digits, str]
    channel: dict[Digits, str]


class Refusals(Strict):
    """The register with the reason of the last refusal, and the texts of its values."""

    table: Table
    address: Address
    reasons: dict[Digits, str]


class Lease(Strict):
    """The generator's own dead-man timer."""

    duration_ms: Annotated[int, Field(ge=100, le=1000)]


class Write(Strict):
    """A quantity that may be written to holding registers, and what a write of it does."""

    address: Address
    stride: Count | None = None
    type: RegisterType
    scale: Scale = 1.0
    value: int | None = None
    values: dict[str, int] | None = None
    maximum: float | None = None
    limit: Limit | None = None
    intent: WriteIntent | None = None
    intents: dict[str, WriteIntent] | None = None
    permit: PermitKind | None = None
    permits: dict[str, PermitKind] | None = None


class Energise(Strict):
    """What must have been written since the last off before a kind of output may be energised."""

    requires: tuple[str, ...]
    mode: str | tuple[str, ...]

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that fit, as names."""
        return (self.mode,) if isinstance(self.mode, str) else self.mode


class ProfileFile(Strict):
    """The whole file."""

    profile: Head
    identity: Identity
    traits: Traits
    status: Status
    faults: Faults
    refusals: Refusals
    lease: Lease
    write: dict[str, Write]
    energise: dict[PermitKind, Energise]
