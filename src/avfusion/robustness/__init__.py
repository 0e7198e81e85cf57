"""Trained runs evaluated on corrupted input; gates and attention over time."""
