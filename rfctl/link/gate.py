"""The gate: the last decision before the bytes leave, whether a frame may be sent. What is not allowed is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfctl.errors import RefusedError
from rfctl.link.write_table import MODE, READ_ONLY, READING, Action, Classified, Limit
from rfctl.model.permit import Intent, Permit
from rfctl.model.reading import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rfctl.link.table import Table, Target

_NS_PER_S = 1e9
KEPT_READS = 256  # a driver polls with a handful


class Gate:
    """A table, the live permits, and what was written to each channel since its last off.

    A channel that has not been turned off on this connection may be on, and so may one that was energised since. A
    set point counts as written once the generator has accepted it; while a write is unanswered its value is unknown.
    """

    def __init__(self, table: Table = READ_ONLY) -> None:
        self.table = table
        self._permits: dict[int, Permit] = {}
        self._written: dict[int, dict[str, Action]] = {}  # since the last off; no entry: no off on this connection
        self._energised: set[int] = set()
        self._reads: set[bytes] = set()  # requests that the table, which never changes, has found to be reads

    def grant(self, permit: Permit) -> None:
        """Take a permit in place of the channel's present one."""
        self._permits[permit.channel] = permit

    def withdraw(self, channel: int | None = None) -> None:
        """Void the permit of a channel, or every permit."""
        if channel is None:
            self._permits.clear()
        else:
            self._permits.pop(channel, None)

    def check(self, pdu: bytes, intent: Intent, *, unit: int, now_ns: int) -> Classified:
        """Decide on one request.

        Args:
            pdu: The request, from its function code.
            intent: What the caller believes it does.
            unit: Unit identifier it goes to.
            now_ns: The station's monotonic clock.

        Raises:
            RefusedError: It may not be sent; the text names quantity, value, limit and remedy.
        """
        if intent is Intent.READ and pdu in self._reads:
            return READING
        classified = self.table.classify(pdu)
        if classified.intent is not intent:
            raise RefusedError(
                f"sent as {intent.value}, but it does {classified.intent.value}: {_named(classified.actions)}",
                remedy="A driver states what its frame does; this one is wrong or the profile is.",
            )
        if intent is Intent.READ:
            if len(self._reads) >= KEPT_READS:
                self._reads.clear()
            self._reads.add(pdu)
            return classified
        if unit != self.table.unit:
            raise RefusedError(
                f"a write to unit {unit}; the profile's is {self.table.unit}",
                remedy="Correct the unit in the station or profile.",
            )
        for action in classified.actions:
            self._judge(action, now_ns)
        return classified

    def sent(self, actions: Iterable[Action]) -> None:
        """Take note that these writes are on their way."""
        for action in actions:
            channel = action.target.channel
            if action.act.intent is Intent.OFF:
                self.turned_off(channel)
            elif channel is not None:
                if action.act.intent is Intent.ENERGISE:
                    self._energised.add(channel)
                written = self._written.get(channel, {})
                if action.target.quantity == MODE:
                    written.clear()  # set points belong to the mode they were written in
                written.pop(action.target.quantity, None)

    def accepted(self, actions: Iterable[Action]) -> None:
        """Take note that the generator has accepted these writes."""
        for action in actions:
            channel = action.target.channel
            if channel in self._written and action.act.intent is Intent.CONFIG:
                self._written[channel][action.target.quantity] = action

    def turned_off(self, channel: int | None = None) -> None:
        """An off is on its way, to one channel or to all: void the permits, forget what was written."""
        self.withdraw(channel)
        for each in self.table.channels if channel is None else {channel}:
            self._energised.discard(each)
            self._written[each] = {}

    def _judge(self, action: Action, now_ns: int) -> None:
        match action.act.intent:
            case Intent.RENEW:
                if not any(now_ns < permit.expires_ns for permit in self._permits.values()):
                    raise RefusedError(
                        "the lease may be renewed only while a permit is live, and none is",
                        remedy="The decision that grants a permit renews the lease.",
                    )
            case Intent.CONFIG:
                self._judge_setting(action, now_ns)
            case Intent.ENERGISE:
                self._judge_energising(action, now_ns)
            case Intent.READ | Intent.OFF:
                pass

    def _judge_setting(self, action: Action, now_ns: int) -> None:
        channel = action.target.channel
        if channel is None:
            return
        if action.target.quantity == MODE and channel in self._energised:
            raise RefusedError(f"{action.shown} while channel {channel} may be on", remedy="Send off first.")
        permit = self._live(channel, now_ns)
        if permit is not None:
            self._bound(action, permit)
        elif channel not in self._written or channel in self._energised:
            raise RefusedError(
                f"{action.shown} while channel {channel} may be on and no permit is live",
                remedy="Send off first, or grant a permit.",
            )

    def _judge_energising(self, action: Action, now_ns: int) -> None:
        channel, kind = action.target.channel, action.act.permit
        what = action.shown
        if channel is None or kind not in self.table.by_kind:
            raise RefusedError(f"{what} has no permit that could cover it", remedy="Correct the profile.")
        permit = self._live(channel, now_ns)
        if permit is None or permit.kind is not kind:
            raise RefusedError(
                f"{what} needs a {kind} permit for channel {channel}; {self._permit_shown(channel, now_ns)}",
                remedy="Energy needs a permit from the station; a driver cannot give itself one.",
            )
        if channel not in self._written:
            raise RefusedError(
                f"{what}: channel {channel} has not been turned off on this connection",
                remedy="The first act on a new connection is off.",
            )
        written = self._written[channel]
        mode = mode_of(written[MODE]) if MODE in written else Mode.NONE
        rule = self.table.by_kind[kind]
        for quantity in (*(MODE,) * rule.moded, *rule.required(mode)):
            setting = written.get(quantity)
            if setting is None:
                raise RefusedError(
                    f"{what}: {quantity} has not been written and accepted since the last off",
                    remedy="Write every set point, then energise.",
                )
            self._bound(setting, permit)
        self._bound(action, permit)

    def _bound(self, action: Action, permit: Permit) -> None:
        """Refuse a value outside the permit's envelope."""
        target = action.target
        if target.quantity == MODE:
            rule = self.table.by_kind.get(permit.kind)
            if rule is None or mode_of(action) not in rule.modes:
                raise RefusedError(
                    f"{action.shown} under a {permit.kind.value} permit",
                    remedy="Write a mode that fits the permit.",
                )
        if target.limit is None:
            return
        most, name = self._most(target, target.limit, permit)
        if not target.holds(action.raw, most):
            raise RefusedError(
                f"{action.shown} is outside the permit's envelope, 0 to {most:g} ({name})",
                remedy="Stay inside the envelope, or have the station grant another.",
            )

    def _most(self, target: Target, limit: Limit, permit: Permit) -> tuple[float, str]:
        envelope = permit.envelope
        if limit is not Limit.STIMULATION:
            return float(getattr(envelope, limit.value)), limit.value
        setting = self._written.get(permit.channel, {}).get(MODE)
        mode = mode_of(setting) if setting is not None else Mode.NONE
        if mode is Mode.STIMULATION_VOLTAGE:
            return envelope.stimulation_v, "stimulation_v"
        if mode is Mode.STIMULATION_CURRENT:
            return envelope.stimulation_ma, "stimulation_ma"
        raise RefusedError(
            f"{target.place}: no stimulation mode has been written and accepted since the last off",
            remedy="Write the mode first: it says whether the value is in V or mA.",
        )

    def _live(self, channel: int, now_ns: int) -> Permit | None:
        permit = self._permits.get(channel)
        return permit if permit is not None and now_ns < permit.expires_ns else None

    def _permit_shown(self, channel: int, now_ns: int) -> str:
        permit = self._permits.get(channel)
        if permit is None:
            return "it has none"
        if now_ns >= permit.expires_ns:
            return f"its {permit.kind.value} permit expired {(now_ns - permit.expires_ns) / _NS_PER_S:.3f} s ago"
        return f"its permit is for {permit.kind.value}"


def mode_of(action: Action) -> Mode:
    """The mode that a write of the quantity ``mode`` selects."""
    return Mode[action.act.name.upper()]


def _named(actions: Iterable[Action]) -> str:
    return ", ".join(action.shown for action in actions) or "a read"
