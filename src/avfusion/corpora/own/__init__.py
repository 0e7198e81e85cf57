"""A corpus of one's own clips."""
