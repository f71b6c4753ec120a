"""The exports that bills come in: a module for each, and the one that tells them apart."""
