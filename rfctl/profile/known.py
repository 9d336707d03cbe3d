"""The models and firmware that a profile was tried on, ``[[known]]``: with any other, its map is a guess."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfctl.model.strict_toml import Strict

Told = Annotated[str, Field(min_length=1)]
"""A text as the generator tells it; a number as rfctl.generator.Identity has it."""


class Known(Strict):
    """One model, and each firmware of it. The texts are exact: a pattern would admit what nobody has tried."""

    model: Told
    firmware: Annotated[tuple[Told, ...], Field(min_length=1)]

    @property
    def in_words(self) -> str:
        """``'rfctl reference' with firmware 'sim 0.1'``."""
        return f"{self.model!r} with firmware {' or '.join(map(repr, self.firmware))}"


Tried = Annotated[tuple[Known, ...], Field(min_length=1)]


def knows(known: tuple[Known, ...], model: str, firmware: str) -> bool:
    """The profile was tried on this model with this firmware."""
    return any(each.model == model and firmware in each.firmware for each in known)


def in_words(known: tuple[Known, ...]) -> str:
    """All of them, for a message."""
    return ", ".join(each.in_words for each in known)


def key_of(known: tuple[Known, ...], model: str) -> str:
    """The key of the profile to look at where a model, or a firmware of it, is not known."""
    found = (f"known[{index}].firmware" for index, each in enumerate(known) if each.model == model)
    return next(found, "known[0]")
