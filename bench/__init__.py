"""Benchmarks: the aggregator beside its peers, and its cost as things grow. See `make bench`."""
