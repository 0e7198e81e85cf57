"""File formats of ratings and annotations."""
