"""A test in virtual time, for any project's pytest: it needs no plug-in for asyncio and no setting."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from rfctl.virtual import VirtualClock, run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine method that takes a rig before its other arguments."""
    signature = inspect.signature(test)
    names = list(signature.parameters)

    def run(self: Any, **arguments: object) -> None:
        async def with_rig() -> None:
            async with self.rig(VirtualClock.running()) as rig:
                await test(self, rig, **arguments)

        run_virtual(with_rig())

    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    run.__module__ = test.__module__
    kept = [parameter for name, parameter in signature.parameters.items() if name != names[1]]
    run.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return run
