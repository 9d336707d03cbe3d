"""Verifies a record with one public key, offline: needs the standard library and cryptography, and nothing of rfctl."""
