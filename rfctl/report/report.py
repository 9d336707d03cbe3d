"""From a record to a PDF: gather, put into words, have typst set it, write the file in one piece."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from rfctl.errors import ConfigError, RfctlError
from rfctl.record.keys import load_public_key
from rfctl.record.notes import ORIGIN
from rfctl.report.contents import contents
from rfctl.report.evidence import Evidence, gather

if TYPE_CHECKING:
    import typst

TEMPLATE = Path(__file__).with_name("report.typ")
LONGEST_WORD = 40
"""A word longer than this may be broken; nobody's site is called so, and a line must not run out of the page."""


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written.

    Attributes:
        path: The PDF, absolute.
        evidence: What it was made of.
    """

    path: Path
    evidence: Evidence


def write(record: Path, key_file: Path, out: Path | None = None, session: str | None = None) -> Written:
    """Make the report of one record. The same record gives the same bytes, for ever by one version of typst.

    Args:
        record: The record.
        key_file: The public key (.pub) that must have signed it.
        out: The PDF; ``report.pdf`` beside the record where it is None. An older one is replaced.
        session: Which session of a log, see ``rfctl.record.sessions.chosen``; None for the newest.

    Raises:
        ConfigError: A file cannot be read or written, or is no record.
        RecordError: The record cannot be understood, or was decided by another interlock table.
        RfctlError: typst refused the report: an error of this program.
    """
    key = load_public_key(key_file)
    evidence = gather(record, key, session)
    pdf = render(contents(evidence, record, key_file, key))
    path = (out or record.with_name("report.pdf")).absolute()
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(pdf)
        draft.replace(path)
    except OSError as problem:
        draft.unlink(missing_ok=True)
        raise ConfigError(
            f"cannot be written: {problem.strerror}", where=str(path), remedy="Give --out a file in a folder."
        ) from None
    return Written(path, evidence)


def render(data: dict[str, Any]) -> bytes:
    """The PDF of the data. They reach the template as values, never as markup, so that no name can mean anything.

    Raises:
        RfctlError: typst refused.
    """
    (pdf,) = _typeset(data, form="pdf")
    return pdf


def render_pages(data: dict[str, Any], ppi: float) -> list[bytes]:
    """Each page as a PNG of so many pixels an inch.

    Raises:
        RfctlError: typst refused.
    """
    return _typeset(data, form="png", ppi=ppi)


def _typeset(data: dict[str, Any], form: Literal["pdf", "png"], ppi: float | None = None) -> list[bytes]:
    import typst

    text = json.dumps(_printable(data), allow_nan=False)
    try:
        compiled = typst.compile(
            str(TEMPLATE),
            root=str(TEMPLATE.parent),
            font_paths=_fonts(),
            ignore_system_fonts=True,
            format=form,
            ppi=ppi,
            sys_inputs={"report": text},
        )
    except typst.TypstError as problem:
        raise RfctlError(f"typst refused the report: {problem}") from None
    made = cast("bytes | list[bytes]", compiled)  # a list where a form has one file a page and there are several pages
    return made if isinstance(made, list) else [made]


@cache
def _fonts() -> typst.Fonts:
    """The fonts inside typst and no others, so that every machine sets the same report."""
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)


def _printable(value: Any) -> Any:
    """The value with every character that has no shape of its own (controls, direction marks, lone surrogates) as its
    code, so that what is printed is what is recorded.
    """
    if isinstance(value, str):
        return _printable_text(value)
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value


def _printable_text(text: str) -> str:
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    if len(text) <= LONGEST_WORD:
        return text
    return " ".join(_breakable(word) for word in text.split(" "))


def _breakable(word: str) -> str:
    """Hashes, keys and origins of records stay whole, so that they can be copied."""
    if len(word) <= LONGEST_WORD or ORIGIN.fullmatch(word) or (len(word) <= 64 and word.isalnum() and word.islower()):
        return word
    return "\u200b".join(word[start : start + LONGEST_WORD // 2] for start in range(0, len(word), LONGEST_WORD // 2))
