"""avfusion: which audio-visual fusion predicts valence and arousal better, by how much, how sure."""

__version__ = "0.1.0"
