"""The settings of a study: schema, loading, validation."""
