"""Training loop, losses, checkpoints, devices and processes."""
