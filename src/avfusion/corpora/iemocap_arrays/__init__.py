"""IEMOCAP as shared feature arrays."""
