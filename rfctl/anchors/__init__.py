"""Heads of logs, kept where a station's owner cannot rewrite them: by a collector of all, by a witness that judges."""
