"""A concurrent world in which the real meter runs; what happens in it is drawn."""
