"""A corpus of your own recordings."""
