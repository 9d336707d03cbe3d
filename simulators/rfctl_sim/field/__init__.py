"""The electric field and the heat around one electrode: axisymmetric finite volumes. No clock, no firmware."""

import os

# Systems of this size gain nothing from several threads, and beside a busy neighbour they wait for each other: a lesion
# of 30 ms was seen to take 11 s. The library reads this once, when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
