"""The commands of `avf`: a file here is a command; `cli.py` finds it by its name."""
