"""Which files a number follows from."""
