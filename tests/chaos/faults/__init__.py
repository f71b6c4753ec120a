"""How each kind of fault is done: one thin module a family."""
