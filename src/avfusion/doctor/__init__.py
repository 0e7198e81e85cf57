"""Checks of the machine, the environment and the study before a run."""
