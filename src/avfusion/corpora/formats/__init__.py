"""Read and write rating files and tables: CSV, Parquet, ARFF, ELAN, audformat."""
