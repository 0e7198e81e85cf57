"""Fusions: one published method per file, with its equations in the docstring."""
