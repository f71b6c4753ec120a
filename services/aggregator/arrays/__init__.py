"""Arrays that hold a whole batch's ids, keys and bytes, and what is done to them at once."""
