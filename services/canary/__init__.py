"""The canary: sends marked events through the whole path, and holds the books to them."""
