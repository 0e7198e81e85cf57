"""Aff-Wild2."""
