"""Bulk scoring on Ray Data: millions of images and long videos become Parquet files, on one machine or a cluster."""
