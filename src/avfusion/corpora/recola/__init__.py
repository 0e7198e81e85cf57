"""RECOLA, as released for AVEC 2015-16, for AVEC 2018, and in general."""
