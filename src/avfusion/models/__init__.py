"""Model of a run: standardisation, fusion and head."""
