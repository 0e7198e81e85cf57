"""VoxCeleb1: interviews of celebrities, for person verification."""
