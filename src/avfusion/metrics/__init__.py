"""The concordance correlation coefficient and the sums per video behind it."""
