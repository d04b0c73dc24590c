"""Every benchmark in turn, and one page of what came of it."""
