"""CREMA-D, read from its repository."""
