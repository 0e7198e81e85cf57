"""Scoring protocols and the series in time that they are applied to."""
