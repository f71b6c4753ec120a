"""Bills: checking tariffs, and statements of what a tenant owes for a month."""
