"""Read a corpus folder: file lists, digests, comparison between copies."""
