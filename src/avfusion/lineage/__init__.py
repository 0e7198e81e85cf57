"""Trace a number in a table back to the files and commands that it comes from."""
