"""Benchmarks: `make bench`, or `python -m bench NAME`. Each prints ratios against a peer measured in the same run."""
