"""The concordance correlation coefficient, class scores, and the sums per video behind them."""
