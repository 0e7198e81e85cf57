"""Corpora: one file each; base.py says what a corpus must answer."""
