"""The HTTP server's parts: its listening sockets, its lifespan, and one server after another."""
