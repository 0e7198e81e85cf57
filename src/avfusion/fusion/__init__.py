"""Fusions: one published idea a file, equations in its docstring."""
