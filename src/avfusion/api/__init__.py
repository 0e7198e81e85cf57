"""What `import avfusion` offers: finished studies and fusions, for scripts and notebooks."""
