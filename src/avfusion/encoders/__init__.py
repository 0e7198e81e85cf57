"""Encoders: one feature maker a file; base.py says what an encoder must answer."""
