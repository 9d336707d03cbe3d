"""The live view in a terminal: draws snapshots, and turns keys into answers and STOP."""
