"""Looks at the tree when it has the size of a known head, and says in the end what follows from the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfctl_verify.heads import Head, Witness, anchored_by
from rfctl_verify.note import parse_note
from rfctl_verify.public_key import holds
from rfctl_verify.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl_verify.log import Walk
    from rfctl_verify.merkle import Tree

NEVER = -1


class Contradiction(NamedTuple):
    """A head and the log, or two heads, of which one is not true.

    Attributes:
        outcome: FORKED, DIVERGED or TRUNCATED.
        detail: In words.
        head: The signed one, where it forks.
        root: What the log has for that head's records.
        other: The other signed head, where two of them contradict each other.
    """

    outcome: Outcome
    detail: str
    head: Head | None = None
    root: bytes = b""
    other: Head | None = None


class Known:
    """The heads that are known, in order of size."""

    def __init__(self, heads: Sequence[Head], witnesses: Sequence[Witness]) -> None:
        self._heads = sorted(heads, key=lambda head: head.size)
        self._witnesses = witnesses
        self._next = 0
        self._newest: Head | None = None
        self._others: list[tuple[Head, bytes]] = []

    def look(self, tree: Tree) -> int:
        """Compare the heads of the tree's size with its root. Returns the size to come back at, ``NEVER`` for none."""
        heads = self._heads
        while self._next < len(heads) and heads[self._next].size <= tree.size:
            head = heads[self._next]
            self._next += 1
            if head.size < tree.size:  # of records that were retired: nothing can be compared any more
                continue
            if head.agrees(tree.root()):
                self._newest = head
            else:
                self._others.append((head, tree.root()))
        return heads[self._next].size if self._next < len(heads) else NEVER

    def contradiction(self, walk: Walk) -> Contradiction | None:
        """What the heads say against the log; None when nothing."""
        for head, root in self._others:
            if _signed(head, walk):
                return Contradiction(Outcome.FORKED, f"two histories: {_contrast(head, root)}", head, root=root)
        pair = self._two_of_one_size(walk)
        if pair is not None:
            detail = f"two histories: {_contrast(pair[0], pair[1].root)}"
            return Contradiction(Outcome.FORKED, detail, pair[0], other=pair[1])
        if self._others:
            return Contradiction(Outcome.DIVERGED, _contrast(*self._others[0]))
        if self._next < len(self._heads):
            newest = self._heads[-1]
            detail = f"{newest.source} has seen {newest.size} records, there are {walk.records}"
            return Contradiction(Outcome.TRUNCATED, detail)
        return None

    def anchor(self) -> tuple[str, int] | None:
        """Who has seen the newest head that the log agrees with, and how many records it covers."""
        if self._newest is None:
            return None
        return anchored_by(self._newest, self._witnesses), self._newest.size

    def _two_of_one_size(self, walk: Walk) -> tuple[Head, Head] | None:
        before: Head | None = None
        for head in self._heads[self._next :]:
            if not (head.raw and _signed(head, walk)):
                continue
            if before is not None and before.size == head.size and before.root != head.root:
                return head, before
            before = head
        return None


def _contrast(head: Head, root: bytes) -> str:
    return f"{head.source} has the root {head.root.hex()} for {head.size} records, the other is {root.hex()}"


def _signed(head: Head, walk: Walk) -> bool:
    """Whether a key of an epoch of this log signed the head."""
    if not head.raw:
        return False
    note = parse_note(head.raw)
    return any(
        signature.name == head.origin and holds(key, signature.value, note.text)
        for signature in note.signatures
        for key in walk.keys.get(signature.key_id, ())
    )
