"""Helpers of the tests: synthetic objects, foreign programs, real cases."""
