"""`wattoken reconcile`: a provider's bill against the registers, and why they differ."""
