"""Settings of a study and of its jobs: models, loading and validation."""
