"""RECOLA."""
