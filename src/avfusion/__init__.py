"""Which audio-visual fusion predicts valence and arousal better, by how much, how sure we are."""

__version__ = "0.1.0"
