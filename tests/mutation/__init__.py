"""Mutation testing: small changes of the meter's code, each of which a test must see."""
