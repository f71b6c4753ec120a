"""PURE: one file per source format, from what a gateway sends to a usage event."""
