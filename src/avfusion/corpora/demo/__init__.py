"""The generated demo corpus."""
