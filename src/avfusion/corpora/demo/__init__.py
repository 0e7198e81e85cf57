"""The demo corpus, generated from a seed."""
