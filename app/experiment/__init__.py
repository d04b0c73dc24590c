"""The experiment of the paper on the real node: synthetic patients, a simulated physician."""
