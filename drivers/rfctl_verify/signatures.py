"""Checks the signatures of checkpoints beside the walk: on other processors, a bounded number at a time, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from rfctl_verify.problem import Problem, modified
from rfctl_verify.public_key import holds

_Check = tuple[int, bytes, bytes, bytes]
_BATCH = 16
"""Handing one over costs a fifth of what checking it does."""
_WAITING = 16
_THREADS = 2


class Signatures:
    """Checkpoints whose signature is still being checked."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._batch: list[_Check] = []
        self._waiting: deque[Future[int | None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def check(self, seq: int, key: bytes, signature: bytes, text: bytes) -> None:
        """Have the signature checked that stands in record ``seq``.

        Raises:
            Problem: An earlier one does not hold.
        """
        self._batch.append((seq, key, signature, text))
        if len(self._batch) == _BATCH:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="signatures")
            self._waiting.append(self._pool.submit(_first_bad, self._batch))
            self._batch = []
            if len(self._waiting) == _WAITING:
                _judge(self._waiting.popleft().result())

    def problem(self) -> Problem | None:
        """The first one that does not hold of all that were handed over, once all have been checked."""
        try:
            while self._waiting:
                _judge(self._waiting.popleft().result())
            _judge(_first_bad(self._batch))
        except Problem as problem:
            return problem
        finally:
            self._batch = []
        return None


def _first_bad(batch: list[_Check]) -> int | None:
    return next((seq for seq, *signed in batch if not holds(*signed)), None)


def _judge(bad: int | None) -> None:
    if bad is not None:
        raise modified(bad, f"the signature of the checkpoint in record {bad} does not hold")
