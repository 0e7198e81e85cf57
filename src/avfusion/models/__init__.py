"""The whole model: standardisation, fusion and head."""
