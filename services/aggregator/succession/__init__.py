"""Which log is metered, what came before it, and going over to the one that follows."""
