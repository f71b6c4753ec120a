"""Checks of what comes in from others and of what must not get out: `make lint` runs them."""
