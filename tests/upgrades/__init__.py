"""Rolling upgrades: a worker of an older commit beside one of this tree, judged to the token."""
