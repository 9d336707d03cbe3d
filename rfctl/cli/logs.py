"""Logs on standard error: structlog, one event a line, with the context of the procedure; nobody waits for them."""

from __future__ import annotations

import atexit
import logging
import sys
from typing import TYPE_CHECKING, TextIO, cast

import structlog

from rfctl.cli.lines import Lines
from rfctl.kernel.effects import Ask, Level, Note

if TYPE_CHECKING:
    from rfctl.kernel.effects import Effect
    from rfctl.kernel.state import KernelState
    from rfctl.station.procedure import Watch

_LEVELS = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING, Level.TRIP: logging.ERROR}


def configure(*, quiet: bool) -> Lines:
    """Set logging up for this process.

    Args:
        quiet: Warnings and trips only.

    Returns:
        Where the lines wait; the end of the program finishes it.
    """
    lines = Lines(sys.stderr)
    atexit.register(lines.finish)
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=terminal, sort_keys=False, pad_event_to=0),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", lines)),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("rfctl").handlers = [_Forward()]
    return lines


class _Forward(logging.Handler):
    """What the layers below say through the standard library: a port that cannot be set as it should."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage())


def progress(**context: object) -> Watch:
    """A watcher that logs what a person wants to read of each decision.

    Args:
        context: Bound to every line: station, backend, time scale.
    """
    log = structlog.get_logger().bind(**context)

    def watch(state: KernelState, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Note):
                words = {"channel": effect.channel} if effect.channel else {}
                log.log(_LEVELS[effect.level], effect.text, t_s=_elapsed_s(state), code=effect.code, **words)
            elif isinstance(effect, Ask):
                log.info(effect.text, t_s=_elapsed_s(state), question=str(effect.question))

    return watch


def _elapsed_s(state: KernelState) -> float:
    now_ns = max(state.received_ns, state.since_ns)
    return round((now_ns - state.started_ns) / 1e9, 2)
