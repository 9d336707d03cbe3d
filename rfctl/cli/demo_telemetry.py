"""Telemetry of the demonstration: a broker and a counting subscriber, each in a process of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import click

from rfctl.telemetry.embedded_broker import EmbeddedBroker
from rfctl.telemetry.subscriber import CountingSubscriber

if TYPE_CHECKING:
    from rfctl.station.session import Order


class DemoTelemetry:
    """Starts both when it is made; they get ready while the rest is loaded."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._embedded = self._stack.enter_context(EmbeddedBroker())
        self._subscriber = self._stack.enter_context(CountingSubscriber(self._embedded.broker))
        self._ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def fed_by(self, order: Order) -> Order:
        """The order, publishing here. Waits until somebody listens; without that the demonstration has no telemetry."""
        self._ready = self._subscriber.ready()
        if self._ready:
            return replace(order, broker=self._embedded.broker)
        click.echo("rfctl: the embedded MQTT broker did not start; the demo goes on without telemetry", err=True)
        return order

    def count_into(self, document: dict[str, Any]) -> None:
        """Add what the subscriber has received to the document of the session."""
        published = document["telemetry_published"]
        counted = self._subscriber.count(published) if self._ready and published is not None else None
        if counted is not None:
            document["telemetry_received"] = counted["samples"]
            document["mqtt"] |= {"gaps": counted["sample_gaps"], "message_gaps": counted["message_gaps"]}
