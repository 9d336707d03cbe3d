"""``python -m rfctl.guard``, as the station starts it."""

import sys

from rfctl.guard.process import main

sys.exit(main(sys.argv[1:]))
