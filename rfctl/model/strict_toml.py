"""TOML files read strictly: an unknown key, a wrong type or a value out of bounds names file, path and remedy."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from rfctl.errors import ConfigError


class Strict(BaseModel):
    """Base of everything that is read from a file: no unknown key, no silent conversion, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def read(path: Path, model: type[Model]) -> Model:
    """Read and validate one TOML file.

    Raises:
        ConfigError: Unreadable file, TOML syntax, unknown key (with the nearest valid one) or a value that is refused.
            Every problem of the file is named, one a line.
    """
    return validate(parse(path), model, where=str(path))


def parse(path: Path) -> dict[str, Any]:
    """Read one TOML file as it stands, to be validated later.

    Raises:
        ConfigError: Unreadable file, or TOML syntax.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"cannot be read: {problem}", where=str(path), remedy="Check path and permissions.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"not valid TOML: {problem}", where=str(path), remedy="Correct that line.") from None


def validate(data: object, model: type[Model], *, where: str) -> Model:
    """Validate data that were read from ``where``.

    Raises:
        ConfigError: As ``read``.
    """
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        lines = [_line(error, model) for error in problem.errors()]
        raise ConfigError("\n  ".join(["not accepted:", *lines]), where=where) from None


def _line(error: Any, model: type[BaseModel]) -> str:
    location: tuple[int | str, ...] = error["loc"]
    path = dotted(location)
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key.{_suggestion(str(location[-1]), _keys_at(model, location[:-1]))}"
    if error["type"] == "missing":
        return f"{path}: missing. Add it."
    message = _refusal(error)
    shown = "" if isinstance(error["input"], dict | list) else f" (is {error['input']!r})"
    return f"{path or 'file'}: {message}{shown}"


_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be above"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be below"),
}


def _refusal(error: Any) -> str:
    """What is wrong with a value, as the person who wrote it needs it said."""
    if error["type"] in _BOUNDS:
        key, words = _BOUNDS[error["type"]]
        return f"{words} {error['ctx'][key]:g}. Correct the value"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message.replace("should be", "must be", 1)


def dotted(location: tuple[int | str, ...]) -> str:
    """``("site", 1, "lesion")`` as ``site[1].lesion``, the way a person points at it."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _suggestion(key: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Valid here: {', '.join(valid)}." if valid else ""


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, int) or not (isinstance(current, type) and issubclass(current, BaseModel)):
            continue
        field = _by_key(current, part)
        if field is None:
            continue
        current = _model_in(field)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _by_key(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key in {name, field.alias}:
            return field.annotation
    return None


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
