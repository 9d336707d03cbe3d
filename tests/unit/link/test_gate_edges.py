"""The gate where a table is not as any profile of ours makes it, and what it remembers of reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rfctl.errors import RefusedError
from rfctl.link.gate import KEPT_READS, Gate
from rfctl.link.modbus import read_input
from rfctl.link.write_table import Act, Energising, WriteTable
from rfctl.model.permit import Intent, PermitKind
from tests.safety.test_gate import LESION, LESION_SETTINGS, PROFILE, TABLE, ask, off_gate, pdu, put, ready

if TYPE_CHECKING:
    from rfctl.link.write_table import Classified


class _Counting(WriteTable):
    """A table that says how often it was asked."""

    asked = 0

    def classify(self, pdu: bytes) -> Classified:
        _Counting.asked += 1
        return super().classify(pdu)


def test_so_many_different_reads_are_known_again_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Counting, "asked", 0)
    gate = Gate(_Counting(TABLE.unit, TABLE.writables, TABLE.energising))
    for _ in range(2):
        for address in range(KEPT_READS):
            ask(gate, read_input(address, 1), Intent.READ)
    assert _Counting.asked == KEPT_READS
    for address in (KEPT_READS, 0):  # one too many: the others are forgotten
        ask(gate, read_input(address, 1), Intent.READ)
    assert _Counting.asked == KEPT_READS + 2


def test_a_setting_of_the_whole_generator_does_not_count_for_a_channel() -> None:
    rows = tuple(
        replace(row, channel=None) if (row.quantity, row.channel) == ("max_on_s", 1) else row for row in TABLE.writables
    )
    gate = Gate(WriteTable(TABLE.unit, rows, TABLE.energising))
    gate.turned_off()
    for quantity, value in LESION_SETTINGS.items():
        put(gate, quantity, value)
    gate.grant(LESION)
    with pytest.raises(RefusedError, match="max_on_s has not been written and accepted"):
        ask(gate, pdu("command", 1), Intent.ENERGISE)


def test_what_energises_does_not_count_as_a_set_point_that_was_written() -> None:
    rule = Energising(PermitKind.LESION, ("output",), (), moded=False)
    energise, setting = Act(Intent.ENERGISE, PermitKind.LESION), Act(Intent.CONFIG)
    output = replace(PROFILE.writable("fire", 1), quantity="output", acts=((0, setting), (None, energise)))
    gate = Gate(WriteTable(TABLE.unit, (output,), (rule,)))
    gate.turned_off()
    gate.grant(LESION)
    put(gate, "fire", 0)
    put(gate, "fire", 5, intent=Intent.ENERGISE)
    with pytest.raises(RefusedError, match="output has not been written and accepted"):
        ask(gate, pdu("fire", 5), Intent.ENERGISE)


def test_no_mode_fits_a_permit_that_the_table_has_no_rule_for() -> None:
    gate = Gate(WriteTable(TABLE.unit, TABLE.writables, ()))
    gate.turned_off()
    gate.grant(LESION)
    with pytest.raises(RefusedError, match="mode of channel 1 = lesion_temperature under a lesion permit"):
        ask(gate, pdu("mode", 3), Intent.CONFIG)


def test_a_refusal_says_how_long_ago_the_permit_expired() -> None:
    gate = ready(replace(LESION, expires_ns=4_000_000_000), LESION_SETTINGS)
    with pytest.raises(RefusedError, match=r"its lesion permit expired 0\.250 s ago"):
        ask(gate, pdu("command", 1), Intent.ENERGISE, 4_250_000_000)


def test_a_read_under_another_name_is_called_a_read() -> None:
    with pytest.raises(RefusedError, match="sent as config, but it does read: a read"):
        ask(off_gate(), read_input(0, 1), Intent.CONFIG)
