"""What a profile says of writing: quantities with intents, set points that bind a permit, and sequences of steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rfctl.link.registers import RegisterType, WordOrder
from rfctl.link.write_table import Limit
from rfctl.model.permit import Intent, PermitKind
from rfctl.model.strict_toml import Strict
from rfctl.profile.item import Address, Count, Factor, Item

WriteIntent = Literal[Intent.OFF, Intent.RENEW, Intent.CONFIG, Intent.ENERGISE]


class Write(Strict):
    """A quantity that may be written to holding registers or coils, and what a write of it does.

    Attributes:
        table: ``holding`` or ``coil``.
        address: First register, of channel 1 where there is a stride.
        stride: Registers from channel to channel; without one it concerns the whole generator.
        type: How it lies in the registers; ``bit`` of a coil.
        order: Word order, where it is another one than the profile's.
        scale: The value is the number times this,
        add: and plus this.
        function: ``one`` for 06 and 05 where one is enough, ``several`` for 16 and 15 always.
        value: The only number that may be sent.
        values: The only numbers that may be sent, by name.
        minimum: Lowest value that may be sent.
        maximum: Highest value that may be sent.
        limit: The part of the permit's envelope that bounds the value.
        intent: What a write does.
        intents: What a write does, by named value.
        permit: The kind of permit that energising needs.
        permits: The same, by named value.
        read_back: Where the value in force is read, if not where it is written.
    """

    table: Literal["holding", "coil"] = "holding"
    address: Address
    stride: Count | None = None
    type: RegisterType
    order: WordOrder | None = None
    scale: Factor = 1.0
    add: float = 0.0
    function: Literal["one", "several"] = "one"
    value: int | None = None
    values: dict[str, int] | None = None
    minimum: float | None = None
    maximum: float | None = None
    limit: Limit | None = None
    intent: WriteIntent | None = None
    intents: dict[str, WriteIntent] | None = None
    permit: PermitKind | None = None
    permits: dict[str, PermitKind] | None = None
    read_back: Item | None = None


class Energise(Strict):
    """What must have been written since the last off before a kind of output may be energised."""

    requires: tuple[str, ...]
    mode: str | tuple[str, ...]

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that fit, as names."""
        return (self.mode,) if isinstance(self.mode, str) else self.mode


class Lease(Strict):
    """The generator's own dead-man timer.

    Attributes:
        duration_ms: How long it runs after a renewal.
        rule: What a renewal is: the last number plus 1, a fixed key, any write at all, or 0 and 1 in turns.
        key: The fixed number.
    """

    duration_ms: Annotated[int, Field(ge=100, le=1000)]
    rule: Literal["incrementing", "key", "any_write", "toggle"] = "incrementing"
    key: int | None = None

    @model_validator(mode="after")
    def _key_where_needed(self) -> Lease:
        if (self.rule == "key") != (self.key is not None):
            raise ValueError('key belongs to rule = "key", and to no other')
        return self


class Ownership(Strict):
    """To what the right to write is bound: to the number of a session, or to the connection that asked."""

    by: Literal["number", "connection"] = "number"


class Step(Strict):
    """One step: a write, a write that is read back, a read, or a wait.

    Attributes:
        write: Quantity of [write] to write.
        set: The same, and read back.
        read: Quantity of [read] or of the status; its number becomes the token, and must not be 0.
        wait: Quantity of [read] or of the status to wait for.
        value: A number, a named value, or ``token``, ``session``, ``duration`` (of the lease, ms).
        channel: For a quantity with a stride in a sequence of the whole generator.
        xor: What becomes of the token before it is written: exclusive or with this,
        add: plus this,
        complement: every bit its opposite; all within the width of the register.
        equals: What to wait for.
        within_ms: How long to wait for it.
        unless: Quantity of [read] that says no when it is not 0.
        refusal: What that, or the end of the wait, means.
    """

    write: str | None = None
    set: str | None = None
    read: str | None = None
    wait: str | None = None
    value: int | float | str | None = None
    channel: Annotated[int, Field(ge=1, le=16)] | None = None
    xor: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    add: Annotated[int, Field(ge=0, le=0xFFFFFFFF)] | None = None
    complement: bool = False
    equals: int = 1
    within_ms: Annotated[int, Field(ge=10, le=5000)] | None = None
    unless: str | None = None
    refusal: str = ""

    @model_validator(mode="after")
    def _one_thing(self) -> Step:
        kinds = [name for name in ("write", "set", "read", "wait") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise ValueError("needs exactly one of write, set, read and wait")
        if (self.value is not None) != (kinds[0] in {"write", "set"}):
            raise ValueError("a write has a value, and nothing else has")
        if (self.within_ms is not None) != (kinds[0] == "wait"):
            raise ValueError("a wait has within_ms, and nothing else has")
        if (self.xor is not None or self.add is not None or self.complement) and self.value != "token":
            raise ValueError("xor, add and complement change a token")
        return self


Steps = tuple[Step, ...]


class Sequences(Strict):
    """What is done, step by step. ``off`` goes out at once and awaits nothing: the all-channels write comes first.
    ``channel_off`` turns one channel off and leaves the others alone, where a generator can do that.
    """

    claim: Steps
    release: Steps
    clear_faults: Steps
    arm: Annotated[Steps, Field(min_length=1)]
    fire: Annotated[Steps, Field(min_length=1)]
    stimulate: Steps = ()
    off: Annotated[Steps, Field(min_length=1)]
    channel_off: Steps = ()
