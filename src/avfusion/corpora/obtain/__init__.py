"""Download public corpora: sources, transfer, unpacking, and what was obtained."""
