"""Mutation testing of what keeps energy in: ``python -m tests.mutation --help``."""
