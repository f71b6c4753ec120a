"""Each module is one peer, a process of its own; its docstring says how it is set up."""
