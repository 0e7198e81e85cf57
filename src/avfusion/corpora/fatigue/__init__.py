"""Fatigue."""
