"""Stored features, and the windows that training reads from them."""
