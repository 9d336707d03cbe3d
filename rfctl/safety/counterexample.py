"""Counter-examples as files: the events that broke an invariant, in the form in which the record keeps events.

One JSON document: ``what`` was broken, the ``procedure`` explored, and ``events``, each a time in ns and the event.
Those of the guard are for people; only the kernel's can be replayed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rfctl.errors import ConfigError, RecordError
from rfctl.kernel.journal import event_from, event_values
from rfctl.safety.explore import GUARD, Violation
from rfctl.safety.explore_world import SETUPS, begin, tell
from rfctl.safety.invariants import broken

if TYPE_CHECKING:
    from pathlib import Path

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def as_text(violation: Violation) -> str:
    """The violation as a file's content, an event a line."""
    events = ",\n  ".join(json.dumps(_written(violation, event)) for event in violation.events)
    head = f'"what": {json.dumps(violation.what)},\n "procedure": {json.dumps(violation.procedure)}'
    return f'{{{head},\n "events": [\n  {events}\n ]}}\n'


def _written(violation: Violation, event: Any) -> list[object]:
    if violation.procedure == GUARD:  # for people: the record keeps no events of the guard
        return [event.at_ns, repr(event)]
    return [event.now_ns, _plain(event_values(event))]


def _plain(item: object) -> object:
    if isinstance(item, float):
        return _NOT_FINITE.get(repr(item), item)
    return [_plain(each) for each in item] if isinstance(item, (list, tuple)) else item


def load(path: Path) -> Violation:
    """Read what ``as_text`` wrote.

    Raises:
        ConfigError: It is no counter-example of this version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        events = tuple([event_from(now_ns, values) for now_ns, values in document["events"]])
        procedure = document["procedure"]
        if procedure not in SETUPS:
            raise KeyError(f"no procedure is called {procedure!r}")
        return Violation(document["what"], procedure, events)
    except (OSError, ValueError, KeyError, TypeError, RecordError) as problem:
        raise ConfigError(
            f"is no counter-example that can be replayed: {problem}",
            where=str(path),
            remedy="Take a file that `rfctl safety explore --save` wrote with this version.",
        ) from None


def replay(violation: Violation) -> list[str]:
    """What its events break now, in words."""
    world = begin(SETUPS[violation.procedure])
    found: list[str] = []
    for event in violation.events:
        edge = tell(world, event)
        found += broken(edge)
        world = edge.after
    return found
