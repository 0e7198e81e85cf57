"""Valence and arousal of one's own clips, from a bundle of trained members."""
