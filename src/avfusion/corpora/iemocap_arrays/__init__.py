"""IEMOCAP, read from shared feature arrays."""
