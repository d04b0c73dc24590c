"""Associations: listening, keeping, sending. Knows no image."""
