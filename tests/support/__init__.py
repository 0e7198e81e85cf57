"""Helpers of the tests: synthetic data, miniature corpora, finished studies."""
