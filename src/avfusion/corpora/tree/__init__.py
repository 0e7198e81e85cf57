"""Read a corpus folder: list files, compute digests, compare copies."""
