"""Sinks for progress and results."""
