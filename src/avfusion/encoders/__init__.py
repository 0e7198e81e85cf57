"""Feature encoders, one per file; `base.py` states what an encoder must provide."""
