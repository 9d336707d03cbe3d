"""The contract suite: a class of tests that the tests of a driver inherit. See docs/plugins.md."""

from __future__ import annotations

from rfctl.testing.contract_output import TurnsOnAndOff
from rfctl.testing.contract_reading import LooksAndTells
from rfctl.testing.contract_settings import SetsAndCompares
from rfctl.testing.contract_wire import BearsABadWire


class DriverContract(LooksAndTells, SetsAndCompares, BearsABadWire, TurnsOnAndOff):
    """Every driver passes these tests, whatever protocol it speaks.

    Inherit it in a test module as ``class TestAcme(DriverContract)``, set ``profile`` and define ``peer``.
    """
