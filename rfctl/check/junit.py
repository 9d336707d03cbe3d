"""The findings as JUnit XML, the way that continuous integration reads test results."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from rfctl.check.findings import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfctl.check.findings import Finding

_CONTROL = {code: "?" for code in range(32) if code not in (9, 10, 13)}  # not allowed in XML, even escaped


def document(findings: Sequence[Finding], *, station: str) -> str:
    """One suite, a case for each finding."""
    failures = sum(finding.verdict is Verdict.FAIL for finding in findings)
    skipped = sum(finding.verdict is Verdict.NOT_RUN for finding in findings)
    cases = "\n".join(_case(finding, station) for finding in findings)
    name = _attribute(f"rfctl check generator: {station}")
    counts = f'tests="{len(findings)}" failures="{failures}" errors="0" skipped="{skipped}"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuite name={name} {counts}>\n{cases}\n</testsuite>\n'


def _case(finding: Finding, station: str) -> str:
    head = f"  <testcase classname={_attribute(station)} name={_attribute(finding.check)}"
    if finding.verdict is Verdict.NOT_RUN:
        return f"{head}><skipped message={_attribute(finding.seen)}/></testcase>"
    if finding.verdict is Verdict.PASS:
        return f"{head}><system-out>{_text(finding.seen)}</system-out></testcase>"
    places = "\n".join(f"{place}: {line}" for place, line in zip(finding.places, finding.lines, strict=True))
    message = _attribute(f"{finding.seen}; expected: {finding.expected}")
    return f"{head}><failure message={message}>{_text(places)}</failure></testcase>"


def _attribute(text: str) -> str:
    return quoteattr(text.translate(_CONTROL))


def _text(text: str) -> str:
    return escape(text.translate(_CONTROL))
