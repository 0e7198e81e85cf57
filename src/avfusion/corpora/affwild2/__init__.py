"""Aff-Wild2, the valence-arousal track of the ABAW challenges."""
