"""Measurements beside the peers; each file is run by itself, its last line is JSON."""
