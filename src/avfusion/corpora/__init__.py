"""Corpora, one package each, and the code that verifies them; base.py defines their interface."""
