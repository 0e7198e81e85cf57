"""The training loop and what it needs: losses, checkpoints, devices, processes."""
