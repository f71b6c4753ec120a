"""What is well and what is not, by facts alone: a module a check."""
