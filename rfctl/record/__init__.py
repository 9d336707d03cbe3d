"""The record of a procedure: append, sign, read, verify. Format 0, see docs/formats/record-0.md."""
