"""PURE: the usage objects of each provider's API: their register, their sums, their streams."""
