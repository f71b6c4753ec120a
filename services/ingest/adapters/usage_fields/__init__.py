"""PURE: what each number of a usage object is, how it is read, and how a stream's become one."""
