"""Bodies and doses with a known truth, and the peers that are asked about them."""
