"""IEMOCAP, read from the raw release."""
