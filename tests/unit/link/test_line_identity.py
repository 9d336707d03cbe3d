"""Days of the calibration in an answer to IDENT, as the line protocol's driver takes them: told, not told, garbled."""

from __future__ import annotations

from datetime import date

import pytest

from rfctl.errors import WrongDevice
from rfctl_line.identity import identity_of, pairs

IDENT = (
    "protocol=rfctl-line version=1.0 probe=1234.5 backend=device model=bench_model serial=7 firmware=1.2 channels=1 "
    "rated_power_w=50 reply_ms=10 sample_period_ms=20 pad_monitored=0 output_multiplexed=0 capabilities=thermal"
)


@pytest.mark.parametrize(
    ("told", "done", "due"),
    [
        ("", None, None),
        (" calibration_due=20360105", None, date(2036, 1, 5)),
        (" calibration_done=20280229 calibration_due=20290228", date(2028, 2, 29), date(2029, 2, 28)),
        (" calibration_done=00000000 calibration_due=20360105", None, date(2036, 1, 5)),
    ],
)
def test_the_days_of_the_calibration_are_there_as_far_as_they_are_told(
    told: str, done: date | None, due: date | None
) -> None:
    identity = identity_of(pairs(IDENT + told, "here"), (), "here")
    assert (identity.calibration_done, identity.calibration_due) == (done, due)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("20261399", "calibration_due is '20261399', which is no date: month must be"),
        ("2026011", "calibration_due is '2026011', which is no date: eight digits, YYYYMMDD"),
        ("2026-01-05", "eight digits"),
        ("nan", "eight digits"),
        ("19991231", "year 1999 is not one of 2000 to 2199"),
    ],
)
def test_a_day_that_is_no_date_is_refused_with_name_and_value(told: str, says: str) -> None:
    with pytest.raises(WrongDevice, match=says) as caught:
        identity_of(pairs(f"{IDENT} calibration_due={told}", "here"), (), "here")
    assert (caught.value.where, bool(caught.value.remedy)) == ("here", True)
