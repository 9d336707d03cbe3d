"""A date as generators tell it, in one number: year x 10000 + month x 100 + day, 0 where it is not known."""

from __future__ import annotations

from datetime import date

YEARS = range(2000, 2200)
"""No machine with a port like these is older; a number of another year is one that was misread."""


def date_of(number: int) -> date | None:
    """The date; None for 0.

    Raises:
        ValueError: The number is no date, or one of a year that no generator tells.
    """
    if number == 0:
        return None
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    if year not in YEARS:
        raise ValueError(f"year {year} is not one of {YEARS[0]} to {YEARS[-1]}")
    return date(year, month, day)
