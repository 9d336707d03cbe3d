"""What is said of mutants is said of the code as it is, and nothing is excused that was noticed."""

from __future__ import annotations

import pytest

from tests.mutation.page import PAGE, page, reasons, results


@pytest.mark.slow
def test_the_page_is_as_it_would_be_written_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.mutation --page"


def test_every_reason_is_about_a_mutant_that_no_test_noticed() -> None:
    tried = results()
    left = {key for result in tried.values() for key in result.left}
    assert {key for key in reasons() if key.partition(":")[0] in tried} <= left
