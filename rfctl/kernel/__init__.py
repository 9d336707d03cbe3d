"""The pure kernel: step(state, event) -> (state, effects). No I/O, no clock, no logging, no async."""
