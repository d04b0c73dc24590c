"""Copies of all the node holds: made while it runs, checked, and brought back."""
