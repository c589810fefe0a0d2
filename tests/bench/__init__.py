"""Measurements. `make bench` prints ratios against a baseline of the same run and writes docs/benchmarks.md; none of it is a test."""
