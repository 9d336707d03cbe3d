"""Telemetry by MQTT: what happens here, told to whoever listens, at no cost to control."""
