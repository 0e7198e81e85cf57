"""Layers that several fusions share."""
