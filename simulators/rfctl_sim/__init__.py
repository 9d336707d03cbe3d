"""Simulated radiofrequency lesion generators that speak the wire protocol byte for byte."""
