"""What a site's own reviews show over time: the figures of the paper, from the live store."""
