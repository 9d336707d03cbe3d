"""Conformance of a generator and its profile: what is true of the machine, and which line of the profile is not."""
