"""RAVDESS: 24 actors speak and sing two statements in eight emotions."""
