"""What is put in the place of a control that is taken away, where that takes more than a line."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def yes(*_arguments: Any, **_named: Any) -> bool:
    """Holds always."""
    return True


def passes_the_unknown(check: Any) -> Any:
    def passing(gate: Any, pdu: bytes, intent: Any, **named: Any) -> Any:
        from rfctl.errors import RefusedError
        from rfctl.link.write_table import Classified

        try:
            gate.table.classify(pdu)
        except RefusedError:
            return Classified(intent, ())
        return check(gate, pdu, intent, **named)

    return passing


def whatever_its_number(on_reply: Any) -> Any:
    def taking(link: Any, reply: Any) -> None:
        expected = link._expected
        on_reply(link, reply._replace(transaction=expected.transaction) if expected else reply)

    return taking


def once(load: Any) -> Any:
    return lambda outgoing, offs: load(outgoing, offs[:1])


def at_once_durable() -> None:
    from rfctl.kernel.events import Durable
    from rfctl.station.procedure import Procedure

    def make_durable(procedure: Any, intent: int) -> None:
        procedure._inbox.append(Durable(procedure._clock.monotonic_ns(), intent))

    Procedure._make_durable = make_durable  # type: ignore[method-assign]


def lets_not_a_number_pass(judge: Any) -> Any:
    def judging(*arguments: Any) -> Any:
        return [trip for trip in judge(*arguments) if trip.measured == trip.measured]

    return judging


def without_figures(site_result: Any) -> Any:
    return lambda channel, reason: site_result(channel._replace(figures=None), reason)


def without_the_first_off(begin: Any) -> Any:
    def beginning(*arguments: Any) -> Any:
        state, effects = begin(*arguments)
        return state, effects[1:]

    return beginning


def renewing_always(step: Any) -> Any:
    def stepping(*arguments: Any) -> Any:
        from rfctl.kernel.effects import Renew

        state, effects = step(*arguments)
        return state, (*effects, Renew())

    return stepping


def past_every_problem(to_the_end: Any) -> Any:
    def walking(walk: Any) -> None:
        from rfctl_verify.problem import Problem

        with suppress(Problem):
            to_the_end(walk)

    return walking


def plans_without_limits() -> None:
    from rfctl.model.strict_toml import Strict
    from rfctl.station import plan_file

    for section in list(vars(plan_file).values()):
        if isinstance(section, type) and issubclass(section, Strict):
            for value in section.model_fields.values():
                value.metadata.clear()
            section.model_rebuild(force=True)


def only_those_that_sound(shown: Any) -> Any:
    return lambda panel, now_ns: tuple(alarm for alarm in shown(panel, now_ns) if alarm.silenced_s <= 0.0)


def taking_a_sample_for_a_decision(decoded: Any) -> Any:
    def hearing(state: Any, event: Any) -> Any:
        from rfctl.guard.state import Heartbeat, Stage
        from rfctl.guard.step import _heard

        state, effects = decoded(state, event)
        if effects or state.stage is not Stage.HOLDING:
            return state, effects
        beat = Heartbeat(event.at_ns, event.at_ns, state.cycle + 1, state.digest + 1, state.wanted, enable=True)
        return _heard(state, beat)

    return hearing


def trusting(proved: Any) -> Any:
    def believing(state: Any, verdict: Any, at_ns: int) -> Any:
        from rfctl.guard.state import Stage
        from rfctl.link.relay_proof import RelayFault

        if isinstance(verdict, RelayFault):
            return state._replace(stage=Stage.READY), ()
        return proved(state, verdict, at_ns)

    return believing


def guards_hold(*names: str) -> Callable[[], None]:
    """Conditions of the transition table that hold always."""

    def remove() -> None:
        from rfctl.kernel import guards, stimulation_guards, transitions

        owners = [guards if hasattr(guards, name) else stimulation_guards for name in names]
        conditions = [getattr(owner, name) for owner, name in zip(owners, names, strict=True)]
        table = transitions.BY_PHASE_AND_TRIGGER
        for key, rows in table.items():
            table[key] = tuple(row._replace(guard=yes) if row.guard in conditions else row for row in rows)
        for owner, name in zip(owners, names, strict=True):
            setattr(owner, name, yes)

    return remove


def subscribing(publish_all: Any) -> Any:
    async def publishing(publisher: Any, client: Any) -> None:
        await client.subscribe("rfctl/#")
        await publish_all(publisher, client)

    return publishing


def everything_retained() -> None:
    from rfctl.telemetry import classes

    classes.RETAINED = frozenset(classes.Class)


def waiting_for_the_broker(watch: Any) -> Any:
    def watching(publishing: Any, *arguments: Any) -> None:
        if publishing._publisher is not None:
            publishing._clock._loop._timeline.now_ns += 400_000_000
        watch(publishing, *arguments)

    return watching


def as_a_stranger(open_connection: Any) -> Any:
    async def opening(connection: Any, **named: Any) -> None:
        connection._known = None
        await open_connection(connection, **named)

    return opening


def after_the_disk(handle: Any) -> Any:
    async def handling(procedure: Any, event: Any) -> None:
        await procedure._record.durable()
        await handle(procedure, event)

    return handling
