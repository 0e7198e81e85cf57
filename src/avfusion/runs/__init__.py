"""Training runs: inputs, training, predictions and their files."""
