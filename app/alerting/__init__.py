"""Somebody is told when something is wrong with the node, and when it is over."""
