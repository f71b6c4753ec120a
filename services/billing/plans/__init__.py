"""Plan comparison: the same registers billed under another tariff, region, tier or hour."""
