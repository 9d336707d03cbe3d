"""What is changed, and by which tests that has to be noticed."""

from __future__ import annotations

SUBJECTS = {
    ("tests/safety/test_gate.py", "tests/unit/link", "tests/virtual/test_link_gate.py", "tests/contract"): (
        *("rfctl.link.gate", "rfctl.link.write_table", "rfctl.link.line_table"),
        *("rfctl.link.modbus", "rfctl.link.rtu", "rfctl.link.crc", "rfctl.link.shape"),
        *("rfctl.link.line", "rfctl.link.registers"),
    ),
    (
        "tests/unit/guard",
        "tests/unit/link/test_relay_frames.py",
        "tests/virtual/test_relay.py",
        "tests/virtual/test_guard_decoder.py",
    ): (
        *("rfctl.guard.step", "rfctl.guard.state", "rfctl.guard.decoder", "rfctl.guard.items"),
        *("rfctl.guard.wire", "rfctl.guard.sample"),
        *("rfctl.link.relay", "rfctl.link.relay_hold", "rfctl.link.relay_proof"),
    ),
    (
        "tests/unit/link/test_stop_line_edges.py",
        "tests/virtual/test_outgoing.py",
        "tests/virtual/test_link_edges.py",
        "tests/virtual/test_link_off.py",
        "tests/virtual/test_stop_line.py",
        "tests/virtual/test_link_transactions.py",
        "tests/virtual/test_link_gate.py",
        "tests/virtual/test_rtu_link.py",
    ): (
        "rfctl.link.link",
        "rfctl.link.outgoing",
        "rfctl.link.stop_line",
    ),
    ("tests/unit/kernel",): (
        *("rfctl.kernel.guards", "rfctl.kernel.stimulation_guards", "rfctl.kernel.enable_loop"),
        *("rfctl.kernel.baseline", "rfctl.kernel.transitions", "rfctl.kernel.row", "rfctl.kernel.interlocks"),
        *("rfctl.kernel.signals_stimulation", "rfctl.kernel.signals_supervision", "rfctl.kernel.signals_thermal"),
        *("rfctl.kernel.thermal", "rfctl.kernel.lowering", "rfctl.kernel.expected", "rfctl.kernel.stimulation"),
        *("rfctl.kernel.regulator", "rfctl.kernel.supervision", "rfctl.kernel.checks", "rfctl.kernel.actions"),
        *("rfctl.kernel.step", "rfctl.kernel.verdicts", "rfctl.kernel.ending", "rfctl.kernel.dose"),
        "rfctl.kernel.grouping",
        "rfctl.kernel.journal",
    ),
}
"""Modules whose code is changed, behind the tests that are about them."""
