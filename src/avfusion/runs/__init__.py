"""Training runs: their inputs, training, predictions and files."""
