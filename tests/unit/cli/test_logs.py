"""What a layer without a log of its own has to say comes out with the rest, on standard error."""

import subprocess
import sys

SCRIPT = """
import logging
from rfctl.cli import logs
logs.configure(quiet=True)
logging.getLogger("rfctl.link.serial_port").warning("the %s", "port")
logging.getLogger("rfctl.link.serial_port").info("not this")
"""


def test_a_warning_of_the_link_is_a_line_of_the_log() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert "warning" in line
    assert line.endswith("the port")
    assert done.stdout == ""
