"""Scores under each protocol, and the statistics behind intervals and comparisons."""
