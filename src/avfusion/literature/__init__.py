"""Claims and numbers of the papers, and how they compare with ours."""
