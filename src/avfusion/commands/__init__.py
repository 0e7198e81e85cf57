"""The commands of `avf`: each module is a command, which `cli.py` finds by its name."""
