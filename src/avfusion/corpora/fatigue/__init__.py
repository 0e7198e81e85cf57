"""Fatigue, a private corpus that is read from a manifest."""
