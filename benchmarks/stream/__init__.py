"""A stream of simulated patients before several recipes: the parts of `benchmarks/learning.py`."""
