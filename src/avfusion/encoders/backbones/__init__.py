"""Networks of the papers in plain PyTorch, under the names of their published files of weights."""
